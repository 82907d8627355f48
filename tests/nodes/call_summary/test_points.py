"""Reading tagged answers, and telling them while they come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.call_summary.points import missing_in, read, tell
from nodes.call_summary.telling import so_far

ALL = "<request>问价。</request><key_information>2980元</key_information><outcome>再联系</outcome>"
POINT = st.text("问价元abc 。,12<>/", max_size=30)


@pytest.mark.parametrize(
    ("answer", "prose"),
    [
        (ALL, "问价。2980元。再联系。"),
        (f"```xml\n{ALL}\n```", "问价。2980元。再联系。"),
        ("好的，摘要如下：\n" + ALL, "问价。2980元。再联系。"),
        (ALL.upper(), "问价。2980元。再联系。"),
        (ALL.removesuffix("</outcome>"), "问价。2980元。再联系。"),
        (ALL.replace("再联系", "未提及"), "问价。2980元。"),
        ("<request>未提及</request><key_information>未提及。</key_information>", "未提及。"),
        ("<request>Asks the price</request><outcome>Calls back.</outcome>", "Asks the price. Calls back."),
        ("<outcome>再联系</outcome><request>问价</request>", "问价。再联系。"),
        ("客户咨询产品价格…", "客户咨询产品价格…"),
        ("  两行\n文字  ", "两行 文字"),
        ("", ""),
        ("<request></request>", ""),
    ],
)
def test_tell(answer: str, prose: str) -> None:
    assert tell(answer) == prose


@pytest.mark.parametrize(
    ("answer", "missing"),
    [
        (ALL, []),
        (ALL.replace("再联系", "未提及"), []),
        (ALL.replace("再联系", " "), ["outcome"]),
        ("没有标签", ["request", "key_information", "outcome"]),
    ],
)
def test_missing(answer: str, missing: list[str]) -> None:
    assert missing_in(answer) == missing


@given(POINT, POINT, POINT, st.integers(1, 9))
def test_what_is_told_while_it_comes_only_grows(request: str, information: str, outcome: str, size: int) -> None:
    answer = f"<request>{request}</request><key_information>{information}</key_information><outcome>{outcome}</outcome>"
    told = ""
    for end in range(0, len(answer) + size, size):
        now = so_far(answer[:end])
        assert "<request" not in now
        assert "</" not in now or "</" in request + information + outcome
        if now.startswith(told):
            told = now


@given(st.text("问价元ab。 12", min_size=1, max_size=20), st.text("问价元ab。 12", min_size=1, max_size=60))
def test_an_ordinary_answer_is_told_as_it_is_stored(request: str, outcome: str) -> None:
    answer = (
        f"<request>{request}</request><key_information>价格是2980元一年</key_information><outcome>{outcome}</outcome>"
    )
    for end in range(len(answer) + 1):
        assert tell(answer).startswith(so_far(answer[:end])), answer[:end]


def test_a_tag_is_read_whatever_its_spaces() -> None:
    assert read("< request >a</ request >") == {"request": "a"}
