"""`multipart/form-data` as it arrives: a part is read while it is received, and never whole in memory."""

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Final

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from core.errors import InvalidInput, TooLarge

_MOST_PARTS: Final = 10
_LONGEST_NAME: Final = 255


@dataclass(frozen=True)
class Part:
    """One part of a form: its field, the name of its file where it has one, and its bytes, which are read once."""

    name: str
    filename: str | None
    content: AsyncIterator[bytes]

    async def read(self, most_bytes: int) -> bytes:
        """Return a small part whole.

        Raises:
            TooLarge: it has more bytes than that.
        """
        found = bytearray()
        async for block in self.content:
            found += block
            if len(found) > most_bytes:
                raise TooLarge(f"{self.name[:50]} 过大")
        return bytes(found)


async def parts(request: Request) -> AsyncGenerator[Part, None]:
    """Yield a form's parts in the order in which they come; what is not read of one is passed over.

    Raises:
        InvalidInput: the body is no such form, is broken, has too many parts, or ends too early.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise InvalidInput("请求体应为 multipart/form-data")
    events = _Events(request, boundary)
    count = 0
    while (begun := await events.next()) is not None:
        if not isinstance(begun, _Begin):
            continue
        count += 1
        if count > _MOST_PARTS:
            raise InvalidInput("表单的字段过多")
        part = Part(begun.name, begun.filename, _content(events))
        yield part
        async for _ in part.content:
            pass


async def _content(events: "_Events") -> AsyncIterator[bytes]:
    while isinstance(event := await events.next(), bytes):
        yield event


@dataclass(frozen=True)
class _Begin:
    name: str
    filename: str | None


class _End:
    """The end of a part."""


class _Events:
    """What the parser finds, one by one; only one chunk of the body is held."""

    def __init__(self, request: Request, boundary: bytes) -> None:
        self._stream = request.stream()
        self._found: deque[_Begin | _End | bytes] = deque()
        self._header, self._value, self._disposition = b"", b"", b""
        self._is_complete = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._on_header,
                    "on_header_value": self._on_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": lambda data, start, end: self._found.append(data[start:end]),
                    "on_part_end": lambda: self._found.append(_End()),
                    "on_end": self._complete,
                },
            )
        except FormParserError:
            raise _broken() from None

    async def next(self) -> _Begin | _End | bytes | None:
        """Return what comes next; None after the last."""
        while not self._found:
            try:
                chunk = await anext(self._stream, None)
            except ClientDisconnect:
                raise InvalidInput("上传中断") from None
            if chunk is None:
                if not self._is_complete:
                    raise _broken()
                return None
            try:
                self._parser.write(chunk)
            except FormParserError:
                raise _broken() from None
        return self._found.popleft()

    def _begin(self) -> None:
        self._header, self._value, self._disposition = b"", b"", b""

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def _end_headers(self) -> None:
        kind, options = parse_options_header(self._disposition)
        name = options.get(b"name")
        if kind != b"form-data" or name is None:
            raise _broken()
        filename = options.get(b"filename")
        self._found.append(_Begin(_decoded(name), None if filename is None else _decoded(filename)))

    def _complete(self) -> None:
        self._is_complete = True


def _decoded(name: bytes) -> str:
    return name[: _LONGEST_NAME * 4].decode("utf-8", "replace")


def _broken() -> InvalidInput:
    return InvalidInput("请求体无法解析")
