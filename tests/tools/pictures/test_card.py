"""Strategy cards: readable Chinese within the margins, the same bytes each time, labelled as what they are (G11)."""

import asyncio
import hashlib
import io
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw

from tools.pictures.card import HEIGHT, OFFLINE_LABEL, WIDTH, Card, draw
from tools.pictures.fonts import drawable, font
from tools.pictures.wrap import wrap

LINES = [
    "先确认对方的核心诉求：“这个季度内看到成本下降”，再回应进度。",
    "用数据说话：已完成3个模块，剩余2个模块，预计11月28日前交付。",
    "主动提出风险：供应商的报价可能延迟，准备备选方案（B方案）。",
    "Say what you need: one decision by Friday, and a named contact.",
    "结束时复述约定：谁、在什么时候之前、做什么。",
]
CARD = Card("与老板沟通项目延期：先讲结论，再讲方案", LINES)
PAPER = (250, 248, 244)


def opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def ink(image: Image.Image, box: tuple[int, int, int, int]) -> int:
    """Return how many pixels of a part are not paper."""
    part = image.crop(box).convert("RGB")
    drawn = ImageChops.difference(part, Image.new("RGB", part.size, PAPER)).convert("L").point(lambda value: value > 30)
    return sum(drawn.histogram()[1:])


async def test_a_card_is_a_png_with_words_within_its_margins() -> None:
    image = opened(await draw(CARD))
    assert (image.format, image.size, image.mode) == ("PNG", (WIDTH, HEIGHT), "RGB")
    assert image.info == {}
    for box in ((96, 96, 984, 260), (96, 330, 984, 1150), (96, HEIGHT - 96, 984, HEIGHT - 60)):
        assert ink(image, box) > 1000
    for box in ((0, 20, 90, HEIGHT), (WIDTH - 90, 20, WIDTH, HEIGHT), (0, HEIGHT - 50, WIDTH, HEIGHT)):
        assert ink(image, box) == 0


async def test_each_character_is_the_fonts_own() -> None:
    """No two characters look alike, as they would if all of them were boxes."""
    face = font(38)
    characters = sorted(
        {character for character in "".join([CARD.title, *LINES, OFFLINE_LABEL]) if character > "\u2fff"}
    )
    assert drawable("".join(characters), face) == "".join(characters)
    drawn = set()
    for character in characters:
        image = Image.new("L", (60, 60))
        ImageDraw.Draw(image).text((5, 0), character, fill=255, font=face)
        drawn.add(image.tobytes())
    assert len(drawn) == len(characters) > 80


async def test_the_same_card_is_the_same_bytes() -> None:
    first = await draw(CARD)
    assert await draw(CARD) == first
    program = (
        "import asyncio, hashlib; from tools.pictures.card import Card, draw;"
        f"print(hashlib.sha256(asyncio.run(draw({CARD!r}))).hexdigest())"
    )
    again = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], capture_output=True, check=True, text=True, timeout=60
    )
    assert again.stdout.strip() == hashlib.sha256(first).hexdigest()
    assert await draw(Card(CARD.title, LINES, number=1)) != first
    assert await draw(Card(CARD.title, LINES, label="")) != first


async def test_more_than_fits_is_cut() -> None:
    image = opened(await draw(Card("很长的标题" * 500, ["很长的一行文字，" * 500] * 9)))
    assert ink(image, (96, 330, 984, 1220)) > 10_000
    for box in ((0, 1225, WIDTH, HEIGHT - 100), (WIDTH - 90, 20, WIDTH, HEIGHT)):
        assert ink(image, box) == 0


async def test_nothing_to_say() -> None:
    image = opened(await draw(Card("", [], label="")))
    assert ink(image, (0, 200, WIDTH, HEIGHT)) == 0


def test_what_the_font_has_not_is_left_out() -> None:
    assert drawable("好👍的\u200d\n\x07行", font(38)).split() == ["好的", "行"]


class TestWrapping:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("", []),
            ("一二三四五六", ["一二三四", "五六"]),
            ("一二三四，五", ["一二三", "四，五"]),
            ("一二三（四五）", ["一二三", "（四五）"]),
            ("ab cdef gh", ["ab", "cdef", "gh"]),
            ("abcdefghij", ["abcd", "efgh", "ij"]),
            ("一 二\n三 四", ["一 二", "三 四"]),
        ],
    )
    def test_where_rows_end(self, text: str, expected: list[str]) -> None:
        assert wrap(text, 4, 9, len) == expected

    def test_more_rows_than_there_may_be(self) -> None:
        assert wrap("一二三四五六七八九", 4, 2, len) == ["一二三四", "五六七…"]
        assert wrap("一二三 五六七八九", 4, 1, len) == ["一二三…"]

    @given(st.text(alphabet=st.sampled_from("一二ab ，。（）\n"), max_size=80), st.integers(2, 12))
    def test_no_row_is_too_wide_and_nothing_gets_lost(self, text: str, width: int) -> None:
        rows = wrap(text, width, 1000, len)
        assert all(0 < len(row) <= width for row in rows)
        assert "".join("".join(rows).split()) == "".join(text.split())
