"""Documents for tests: proper ones of each kind, and hostile ones."""

import io
import zipfile
import zlib

from docx import Document
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

MARK = "续航三十二小时"


def docx(*paragraphs: str, table: list[list[str]] | None = None) -> bytes:
    document = Document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    if table:
        grid = document.add_table(rows=len(table), cols=len(table[0]))
        for row, cells in zip(grid.rows, table, strict=True):
            for cell, text in zip(row.cells, cells, strict=True):
                cell.text = text
    return _saved(document)


def pdf(*pages: str, password: str | None = None) -> bytes:
    """Pages of plain ASCII lines: the writer needs no font files for these."""
    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    for text in pages:
        page = writer.add_blank_page(612, 792)
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
        )
        stream = DecodedStreamObject()
        stream.set_data(f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET".encode("latin-1"))
        page[NameObject("/Contents")] = writer._add_object(stream)
    if password is not None:
        writer.encrypt(password, algorithm="RC4-128")
    return _saved(writer, "write")


def _saved(thing: object, method: str = "save") -> bytes:
    file = io.BytesIO()
    getattr(thing, method)(file)
    return file.getvalue()


def zip_bomb(megabytes: int = 300) -> bytes:
    """A Word document whose text is that many megabytes of the same letter."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        with archive.open("word/document.xml", "w", force_zip64=True) as entry:
            for _ in range(megabytes):
                entry.write(b"a" * 1024 * 1024)
    return file.getvalue()


def lying_zip() -> bytes:
    """A zip bomb whose directory says that it is small."""
    content = bytearray(zip_bomb(80))
    directory = content.rfind(b"PK\x01\x02")
    # The uncompressed size stands 24 bytes into an entry of the directory.
    content[directory + 24 : directory + 28] = (1000).to_bytes(4, "little")
    return bytes(content)


def zip_of(**files: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return file.getvalue()


def entity_bomb() -> bytes:
    """A Word document whose XML multiplies itself a billion times."""
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    body = (
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "ha">{entities}]>'
        '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        "<w:body><w:p><w:r><w:t>&a9;</w:t></w:r></w:p></w:body></w:document>"
    )
    proper = zipfile.ZipFile(io.BytesIO(docx("x")))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in proper.infolist():
            archive.writestr(
                entry.filename, body if entry.filename == "word/document.xml" else proper.read(entry.filename)
            )
    return file.getvalue()


def pdf_bomb(megabytes: int = 400) -> bytes:
    """A small PDF whose one page unpacks to that many megabytes."""
    writer = PdfWriter()
    page = writer.add_blank_page(10, 10)
    stream = DecodedStreamObject()
    stream.set_data(b"")
    packed = zlib.compress(b"BT () Tj ET\n" * (megabytes * 1024 * 1024 // 12), 9)
    stream._data = packed
    stream[NameObject("/Filter")] = NameObject("/FlateDecode")
    page[NameObject("/Contents")] = writer._add_object(stream)
    return _saved(writer, "write")
