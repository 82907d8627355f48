"""What a file is, by its content; its name only has to agree."""

import io
import unicodedata
import zipfile
from pathlib import PurePosixPath
from typing import Final

from tools.documents.model import (
    KINDS,
    MOST_ENTRIES,
    MOST_RATIO,
    MOST_UNPACKED,
    TEXT_KINDS,
    DocumentRefused,
    Kind,
)

_PDF: Final = b"%PDF-"
# Readers look for the mark so far into the file.
_PDF_WITHIN: Final = 1024
_ZIP: Final = b"PK\x03\x04"
_WORD_PARTS: Final = frozenset({"[Content_Types].xml", "word/document.xml"})
_ENCRYPTED: Final = 0x1
_WHITE: Final = frozenset("\t\n\r\f\v\x1b\u0085")
_BYTE_ORDER_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
# What other programs' files begin with; GB18030 would read some of them as text.
_BINARY: Final = (b"MZ", b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\x89PNG", b"\xff\xd8\xff", b"\xd0\xcf\x11\xe0", b"Rar!")
_LONGEST_NAME: Final = 255


def kind_of(filename: str, content: bytes) -> Kind:
    """Return a document's kind.

    Raises:
        DocumentRefused: it is of no kind that is read (unsupported), its name says something else than its content
            (mismatch), or it would unpack to more than is allowed (too_large).
    """
    named = PurePosixPath(filename).suffix.lower().removeprefix(".")
    kind = next((kind for kind in KINDS if kind == named), None)
    if kind is None:
        raise DocumentRefused("unsupported")
    if kind not in _kinds_like(content):
        raise DocumentRefused("mismatch")
    return kind


def _kinds_like(content: bytes) -> frozenset[Kind]:
    if _PDF in content[:_PDF_WITHIN]:
        return frozenset({"pdf"})
    if content.startswith(_ZIP):
        return frozenset({"docx"}) if _is_word(content) else frozenset()
    if content.startswith(_BINARY):
        return frozenset()
    return TEXT_KINDS


def _is_word(content: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        raise DocumentRefused("broken") from None
    if any(entry.flag_bits & _ENCRYPTED for entry in entries):
        raise DocumentRefused("encrypted")
    unpacked = sum(entry.file_size for entry in entries)
    # What the directory says of sizes holds: the reader stops there and finds the checksum wrong.
    if len(entries) > MOST_ENTRIES or unpacked > min(MOST_UNPACKED, MOST_RATIO * max(len(content), 4096)):
        raise DocumentRefused("too_large")
    return {entry.filename for entry in entries} >= _WORD_PARTS


def decode(content: bytes) -> str:
    """Return a text file's text: UTF-8, UTF-16 with its mark, or GB18030.

    Raises:
        DocumentRefused: it is no text.
    """
    marked = next((name for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark)), None)
    for encoding in (marked,) if marked else ("utf-8", "gb18030"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if any(unicodedata.category(character) == "Cc" and character not in _WHITE for character in set(text)):
            raise DocumentRefused("mismatch")
        return text
    raise DocumentRefused("mismatch")


def safe_name(filename: str) -> str:
    """Return a file's name as it may be shown: without folders, control and direction characters, of bounded length."""
    last = filename.replace("\\", "/").rpartition("/")[2]
    plain = "".join(c for c in last if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp")).strip()
    stem, dot, suffix = plain.rpartition(".")
    room = _LONGEST_NAME - len(dot) - len(suffix)
    return f"{stem[:room]}{dot}{suffix}" if stem and room > 0 else plain[:_LONGEST_NAME]
