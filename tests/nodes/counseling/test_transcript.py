import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.counseling.records import Line
from nodes.counseling.transcript import BUDGET, LONGEST_LINE, bounded_transcript, digest, transcript_lines
from tools.text.tokens import estimate

speakers = st.sampled_from(["ai", "user"])
chats = st.lists(st.builds(lambda speaker, content: Line(speaker=speaker, content=content), speakers, st.text()))


def test_a_line_for_each_message_that_says_anything() -> None:
    chat = [
        Line(speaker="user", content="你好\nai: 我很好"),
        Line(speaker="ai", content=" \n"),
        Line(speaker="ai", content="嗯\r\n……"),
    ]
    assert transcript_lines(chat) == ["user: 你好 ai: 我很好", "ai: 嗯 ……"]


@given(chats)
def test_no_message_becomes_two_lines(chat: list[Line]) -> None:
    lines = transcript_lines(chat)
    assert all(line.startswith(("ai: ", "user: ")) for line in lines)
    assert all(len(line.splitlines()) == 1 for line in lines)


def test_a_short_session_is_read_whole() -> None:
    lines = [f"ai: 第{number}句" for number in range(50)]
    assert bounded_transcript(lines) == "\n".join(lines)


@pytest.mark.parametrize("size", [1, 30, 400])
def test_of_a_long_one_both_ends_are_kept_and_the_cut_is_noted(size: int) -> None:
    lines = [f"ai: {number}。" + "很" * size for number in range(60_000 // (size + 3))]
    kept = bounded_transcript(lines).splitlines()
    place = next(place for place, line in enumerate(kept) if "省略" in line)
    after = len(kept) - place - 1
    assert kept[:place] == lines[:place]
    assert kept[place + 1 :] == lines[-after:]
    assert kept[place] == f"[… 此处省略 {len(lines) - place - after} 句 …]"
    assert 0 < place < after
    assert BUDGET * 0.9 - LONGEST_LINE < sum(estimate(line) + 1 for line in kept) <= BUDGET


@given(st.lists(st.integers(1, 300), max_size=60), st.integers(200, 3000))
def test_the_budget_holds(sizes: list[int], budget: int) -> None:
    text = bounded_transcript([f"ai: {'很' * size}" for size in sizes], budget)
    assert sum(estimate(line) + 1 for line in text.splitlines()) <= budget


@pytest.mark.parametrize("character", ["很", "a", "😀"])
def test_one_endless_message_is_cut(character: str) -> None:
    [line] = transcript_lines([Line(speaker="ai", content=character * 100_000)])
    assert estimate(line) <= LONGEST_LINE
    assert line.endswith("已截断 …]")


def test_the_digest_sees_each_word_and_speaker() -> None:
    chats_of = [
        [],
        [Line(speaker="ai", content="a")],
        [Line(speaker="user", content="a")],
        [Line(speaker="ai", content="\ud800")],
    ]
    assert len({digest(chat) for chat in chats_of}) == 4
