"""Words and forms of a decision (G34)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.meta_workflow.decisions import decision_in, decision_of

REVISE = (
    "修订",
    "是",
    "是的！",
    "好",
    "好的，修订",
    "要",
    "可以",
    "请修改一下",
    "麻烦你改吧",
    "按意见修改",
    "revise",
    " Revise. ",
    "ＲＥＶＩＳＥ",
    "yes, please",
    "OK",
    "需要修订",
    "再改一版吧",
)
SKIP = (
    "不用",
    "不用了，谢谢",
    "否",
    "不",
    "不要",
    "不需要修订",
    "算了吧",
    "就这样",
    "跳过",
    "skip",
    "No, thanks",
    "好的，不用了",
    "就这样吧，谢谢",
    "可以了",
)
NEITHER = (
    "",
    " ",
    "。",
    "要不要修订？",
    "修订合同要注意什么",
    "是不是",
    "我想推广一款耳机",
    "不用降噪，换成运动耳机写一版",
    "好吃的零食怎么推广",
    "skip the intro and write it again",
    "改成英文",
    "不好",
    "revise " * 20,
)


@pytest.mark.parametrize("text", REVISE)
def test_yes(text: str) -> None:
    assert decision_of(text) == "revise"


@pytest.mark.parametrize("text", SKIP)
def test_no(text: str) -> None:
    assert decision_of(text) == "skip"


@pytest.mark.parametrize("text", NEITHER)
def test_anything_else_is_a_message(text: str) -> None:
    assert decision_of(text) is None


@pytest.mark.parametrize(
    ("answer", "decision"),
    [
        ({"decisions": [{"type": "approve"}]}, "revise"),
        ({"decisions": [{"type": "reject", "message": "no"}]}, "skip"),
        ([{"type": "accept", "args": None}], "revise"),
        ([{"type": "ignore", "args": None}], "skip"),
        ({"type": "approve"}, "revise"),
        ({"type": "reject"}, "skip"),
        ([{"type": "response", "args": "不用"}], "skip"),
        ("revise", "revise"),
        ("skip", "skip"),
        ("修订", "revise"),
    ],
)
def test_the_forms_of_an_answer(answer: object, decision: str) -> None:
    assert decision_in(answer) == decision


@pytest.mark.parametrize(
    "answer",
    [
        None,
        True,
        1,
        {},
        [],
        "maybe",
        {"type": "edit"},
        {"type": ["approve"]},
        {"type": "response", "args": {"a": 1}},
        {"decisions": []},
        {"decisions": [{"type": "approve"}, {"type": "reject"}]},
        [{"type": "accept"}, {"type": "accept"}],
        b"revise",
    ],
)
def test_no_answer(answer: object) -> None:
    assert decision_in(answer) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("type", "decisions", "args")), inner),
    max_leaves=8,
)


@given(JSON)
def test_any_json_is_a_decision_or_none(answer: object) -> None:
    assert decision_in(answer) in ("revise", "skip", None)


@given(st.text(alphabet="修订是好的不用吧了 ,。请yesno", max_size=40))
def test_a_word_of_refusal_is_never_a_yes(text: str) -> None:
    if "不用" in text or "不是" in text:
        assert decision_of(text) != "revise"
