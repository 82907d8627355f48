"""Reading documents: by content, within limits, whatever they are (G39, X034)."""

import asyncio
import json
import time
from collections.abc import Callable

import pytest

from tests.kit import documents
from tools.documents.detect import safe_name
from tools.documents.extract import extract
from tools.documents.model import MOST_PAGES, DocumentRefused, Prepared
from tools.documents.parse import Parser

EXE = b"MZ\x90\x00\x03\x00\x00\x00" + bytes(200)


class TestKinds:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
    @pytest.mark.parametrize("name", ["a.txt", "A.TXT", "说明.md"])
    def test_text_in_the_encodings_that_people_use(self, name: str, encoding: str) -> None:
        parsed = extract(name, "降噪耳机\r\n续航三十二小时，支持快充。\n".encode(encoding))
        assert parsed.text == "降噪耳机\n续航三十二小时，支持快充。"

    def test_word(self) -> None:
        parsed = extract(
            "a.docx", documents.docx("降噪耳机", "续航三十二小时", table=[["型号", "价格"], ["A1", "399"]])
        )
        assert (parsed.kind, parsed.text) == ("docx", "降噪耳机\n\n续航三十二小时\n\n型号；价格\n\nA1；399")

    def test_pdf(self) -> None:
        parsed = extract("a.pdf", documents.pdf("battery lasts 32 hours", "second page"))
        assert (parsed.kind, parsed.text) == ("pdf", "battery lasts 32 hours\n\nsecond page")

    def test_a_tables_rows_carry_their_header(self) -> None:
        parsed = extract("a.csv", '型号,价格\nA1,"399,00"\nA2,499\n'.encode())
        assert parsed.text == "型号：A1；价格：399,00\n型号：A2；价格：499"

    def test_a_ragged_table_is_text(self) -> None:
        assert extract("a.csv", b"a,b\n1\n").text == "a,b\n1"

    def test_json_is_checked_and_readable(self) -> None:
        assert json.loads(extract("a.json", '{"型号":"A1"}'.encode()).text) == {"型号": "A1"}
        assert "型号" in extract("a.json", b'{"\\u578b\\u53f7": 1}').text


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.exe", b"hello", "unsupported"),
        ("a", b"hello", "unsupported"),
        ("a.doc", b"\xd0\xcf\x11\xe0" + bytes(100), "unsupported"),
        ("a.pdf", EXE, "mismatch"),
        ("a.txt", EXE, "mismatch"),
        ("a.docx", EXE, "mismatch"),
        ("a.pdf", b"just text", "mismatch"),
        ("a.docx", b"just text", "mismatch"),
        ("a.txt", b"%PDF-1.7 ...", "mismatch"),
        ("a.docx", documents.zip_of(a="1"), "mismatch"),
        ("a.txt", documents.zip_of(a="1"), "mismatch"),
        ("a.txt", b"before\0after", "mismatch"),
        ("a.txt", b"bell \x07", "mismatch"),
        ("a.txt", b"\xff\xff\xff\xff", "mismatch"),
        ("a.json", b"{", "broken"),
        ("a.json", b"[" * 100_000, "too_large"),
        ("a.pdf", b"%PDF-1.7\nnothing else", "broken"),
        ("a.docx", b"PK\x03\x04nothing else", "broken"),
        ("a.txt", b" \n\t\n", "empty"),
        ("a.txt", b"", "empty"),
        ("a.pdf", documents.pdf(""), "empty"),
        ("a.pdf", documents.pdf("secret", password="p"), "encrypted"),
        ("a.pdf", documents.pdf(*["x"] * (MOST_PAGES + 1)), "too_large"),
    ],
)
def test_refusals(name: str, content: bytes, reason: str) -> None:
    with pytest.raises(DocumentRefused, match=f"^{reason}$"):
        extract(name, content)


def test_an_owners_password_does_not_keep_readers_out() -> None:
    assert extract("a.pdf", documents.pdf("for all to read", password="")).text == "for all to read"


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\temp\\报告.docx", "报告.docx"),
        ("a\r\nSet-Cookie: x.txt", "aSet-Cookie: x.txt"),
        ("gpj\u202etxt.exe.txt", "gpjtxt.exe.txt"),
        ("\ud800.txt", ".txt"),
        ("长" * 300 + ".txt", "长" * 251 + ".txt"),
    ],
)
def test_names_are_safe_to_show(given: str, safe: str) -> None:
    assert safe_name(given) == safe


class TestHostile:
    """In the process that production uses, which the limits stop."""

    @pytest.mark.parametrize(
        ("name", "make", "reasons"),
        [
            ("a.docx", documents.zip_bomb, {"too_large"}),
            ("a.docx", documents.lying_zip, {"broken"}),
            ("a.docx", documents.entity_bomb, {"broken", "empty"}),
            ("a.pdf", documents.pdf_bomb, {"too_large", "broken", "empty"}),
        ],
    )
    async def test_bombs(self, name: str, make: Callable[[], bytes], reasons: set[str]) -> None:
        content = await asyncio.to_thread(make)
        assert len(content) < 2 * 1024 * 1024
        started = time.monotonic()
        with pytest.raises(DocumentRefused) as refusal:
            await Parser().parse(name, content)
        assert refusal.value.reason in reasons
        assert time.monotonic() - started < 15

    async def test_a_document_that_takes_too_long(self) -> None:
        with pytest.raises(DocumentRefused, match="too_slow"):
            await Parser(seconds=0.01).parse("a.txt", b"x")

    async def test_what_comes_back(self) -> None:
        prepared = await Parser().parse("茶.txt", "绿茶".encode())
        assert prepared == Prepared("txt", 2, ["绿茶"], ["'绿茶':1 '茶':2 'txt':3"])

    async def test_others_go_on_meanwhile(self) -> None:
        """The loop turns while documents are read."""
        parser = Parser()
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0.01)
                turns += 1

        counting = asyncio.create_task(count())
        parsed = await asyncio.gather(*(parser.parse("a.docx", documents.docx(f"第{n}份")) for n in range(6)))
        counting.cancel()
        assert [document.chunks for document in parsed] == [[f"第{n}份"] for n in range(6)]
        assert turns > 20
