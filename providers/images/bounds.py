"""Answers of bounded size: a client reads an answer whole before anybody can look how large it is."""

from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import httpx2

from providers.images.model import MOST_BYTES, NoPicture

# Base64 takes four thirds; what stands around the picture takes little.
MOST_ANSWER: Final = MOST_BYTES * 4 // 3 + 1024 * 1024
# A compressed answer has no size before it is unpacked, and base64 does not shrink.
PLAIN: Final = {"accept-encoding": "identity"}


class AnswerTooLarge(NoPicture):
    """The answer is larger than any picture we take, or does not say how large it is."""


async def bounded(response: httpx.Response) -> None:
    """Let no more than `MOST_ANSWER` bytes of a response be read. A hook for asynchronous clients.

    Raises:
        AnswerTooLarge: the answer is compressed; too many bytes raise it where they are read.
    """
    if response.headers.get("content-encoding", "identity") != "identity":
        raise AnswerTooLarge("the answer is compressed")
    response.stream = _Bounded(response.stream)


def cause_of(error: BaseException) -> AnswerTooLarge | None:
    """Return the refusal that a client wrapped into an error of its own, if there is one."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, AnswerTooLarge):
            return seen
        seen = seen.__cause__
    return None


class _Bounded(httpx.AsyncByteStream, httpx2.AsyncByteStream):
    # Google's client uses either library.

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        async for chunk in self._stream:
            read += len(chunk)
            if read > MOST_ANSWER:
                raise AnswerTooLarge("the answer is too large")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
