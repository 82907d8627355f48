"""A model's text as it is told and kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.meta_workflow.events import Telling
from nodes.meta_workflow.prose import clean, shortened, without_title

PIECES = st.sampled_from(
    ["<think>", "</think>", "```", "```markdown\n", "\n", " ", "字", "a.", "<", "`", "<b>", "\0", "。"]
)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("  正文。 \n", "正文。"),
        ("```markdown\n# 题\n正文\n```", "# 题\n正文"),
        ("<think>嗯</think>正文", "正文"),
        ("<thinking>一直在想", ""),
        ("正文\0\ud800", "正文"),
        ("用 `code` 表示", "用 `code` 表示"),
        ("", ""),
    ],
)
def test_what_is_kept(raw: str, text: str) -> None:
    assert clean(raw, complete=True) == text


@given(st.lists(PIECES, max_size=30).map("".join))
def test_what_is_told_is_a_beginning_of_what_is_kept(raw: str) -> None:
    whole = clean(raw, complete=True)
    for end in range(len(raw) + 1):
        assert whole.startswith(clean(raw[:end], complete=False))


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("## 怎么做\n\n先约人。", "先约人。"),
        ("**怎么做**：\n先约人。", "先约人。"),
        ("怎么做\n先约人。", "先约人。"),
        ("怎么做由店主决定。\n", "怎么做由店主决定。\n"),
        ("## 为什么\n因为。", "## 为什么\n因为。"),
        ("怎么做", ""),
    ],
)
def test_a_title_is_not_told_twice(raw: str, text: str) -> None:
    assert without_title(raw, "怎么做", complete=True) == text


@given(st.text(alphabet="题目#* ：。\n", max_size=12))
def test_a_title_that_is_left_out_was_never_told(raw: str) -> None:
    whole = without_title(raw, "题目：", complete=True)
    for end in range(len(raw) + 1):
        assert whole.startswith(without_title(raw[:end], "题目：", complete=False))


@given(st.lists(PIECES, max_size=20), st.text(alphabet="字。a ", max_size=10))
def test_the_deltas_after_the_last_reset_are_the_section(pieces: list[str], kept: str) -> None:
    told: list[dict[str, str]] = []
    telling = Telling(told.append, "2", title="题")
    for piece in pieces:
        telling.hear(piece)
    whole = telling.end(kept)
    text = ""
    for event in told:
        assert event["section"] == "2"
        text = "" if event["type"] == "reset" else text + event["text"]
    assert text == whole == f"## 题\n\n{kept}"


@given(st.text(alphabet="字。a. \n", max_size=200), st.integers(4, 60))
def test_a_text_is_cut_within_its_length(text: str, length: int) -> None:
    cut = shortened(text, length)
    assert len(cut) <= max(length, 1)
    assert text.startswith(cut.removesuffix("…"))
    assert cut == text if len(text) <= length else True


def test_a_text_is_cut_after_a_sentence() -> None:
    assert shortened("第一句话。第二句话。第三句话。", 12) == "第一句话。第二句话。"
