"""From a document's bytes to its text. Blocking, and given hostile input: call it through `tools.documents.parse`."""

import csv
import io
import json
import logging
import re
from collections.abc import Iterable, Iterator
from typing import Final

from tools.documents.detect import decode, kind_of
from tools.documents.model import MOST_CHARACTERS, MOST_PAGES, DocumentRefused, Parsed

_BLANK_LINES: Final = re.compile(r"\n{3,}")
_NO_TEXT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def extract(filename: str, content: bytes) -> Parsed:
    """Read a document.

    Raises:
        DocumentRefused: it cannot be read, or holds no text.
    """
    kind = kind_of(filename, content)
    try:
        text = _READERS[kind](content)
    except (DocumentRefused, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - whatever a reader trips over, the document is broken
        raise DocumentRefused("broken") from None
    text = _tidy(text)
    if not text:
        raise DocumentRefused("empty")
    return Parsed(kind, text)


def _tidy(text: str) -> str:
    plain = _NO_TEXT.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _BLANK_LINES.sub("\n\n", "\n".join(line.rstrip() for line in plain.split("\n"))).strip()


def _bounded(pieces: Iterable[str]) -> str:
    kept, characters = [], 0
    for piece in pieces:
        characters += len(piece)
        if characters > MOST_CHARACTERS:
            raise DocumentRefused("too_large")
        kept.append(piece)
    return "\n\n".join(kept)


def _csv(content: bytes) -> str:
    """Return the table with its header at each value, so that a row can be understood alone."""
    text = decode(content)
    rows = [row for row in csv.reader(io.StringIO(text)) if any(cell.strip() for cell in row)]
    if len(rows) < 2 or not all(len(row) == len(rows[0]) for row in rows):  # noqa: PLR2004 - a header and a row
        return text
    header = [name.strip() for name in rows[0]]
    lines = ("；".join(f"{name}：{cell.strip()}" for name, cell in zip(header, row, strict=True)) for row in rows[1:])
    return _bounded(lines).replace("\n\n", "\n")


def _json(content: bytes) -> str:
    try:
        return json.dumps(json.loads(decode(content)), ensure_ascii=False, indent=1)
    except RecursionError:
        raise DocumentRefused("too_large") from None


def _docx(content: bytes) -> str:
    # Imported where it is needed: most processes never read one.
    from docx import Document  # noqa: PLC0415

    return _bounded(_blocks(Document(io.BytesIO(content))))


def _blocks(document: object) -> Iterator[str]:
    from docx.table import Table  # noqa: PLC0415

    for block in document.iter_inner_content():  # type: ignore[attr-defined]
        if isinstance(block, Table):
            for row in block.rows:
                yield "；".join(cell.text.strip() for cell in row.cells)
        elif block.text.strip():
            yield block.text


def _pdf(content: bytes) -> str:
    from pypdf import PdfReader  # noqa: PLC0415
    from pypdf.errors import LimitReachedError  # noqa: PLC0415

    # It complains about each flaw of a file; whoever uploads one must not fill the log.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    reader = PdfReader(io.BytesIO(content))
    if reader.is_encrypted and not reader.decrypt(""):
        raise DocumentRefused("encrypted")
    if len(reader.pages) > MOST_PAGES:
        raise DocumentRefused("too_large")
    try:
        return _bounded(page.extract_text() for page in reader.pages)
    except LimitReachedError:
        raise DocumentRefused("too_large") from None


_READERS: Final = {"txt": decode, "md": decode, "csv": _csv, "json": _json, "docx": _docx, "pdf": _pdf}
