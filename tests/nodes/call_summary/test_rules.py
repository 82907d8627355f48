import pytest

from nodes.call_summary.rules import LENGTH_LIMIT, covered, problems, usable

GOOD = "<request>退货</request><key_information>订单17</key_information><outcome>已登记</outcome>"


@pytest.mark.parametrize(
    ("raw", "wrong"),
    [
        (GOOD, []),
        (GOOD.replace("已登记", "未提及"), []),
        (GOOD.removesuffix("</outcome>"), []),
        (GOOD.removesuffix("come>"), []),
        (GOOD.replace("退货", " "), ["request"]),
        ("<request>退货</request>", ["key_information", "outcome"]),
        ("客户咨询产品价格…", ["request", "key_information", "outcome"]),
        (GOOD + GOOD, ["tags"]),
        (GOOD.replace("退货", "<b>退货</b>"), ["tags"]),
        (GOOD.replace("退货", "退" * (LENGTH_LIMIT + 1)), ["length"]),
        ("", ["empty"]),
        ("<request></request><outcome>。</outcome>", ["empty"]),
        ("抱歉，我无法协助处理该请求。", ["refusal"]),
        ("I'm sorry, but I can't help with that.", ["refusal"]),
        ("I can’t assist with this.", ["refusal"]),
        ("As an AI language model, I do not summarise.", ["refusal"]),
    ],
)
def test_problems(raw: str, wrong: list[str]) -> None:
    assert problems(raw) == wrong


@pytest.mark.parametrize("summary", ["客服表示抱歉，无法退款。", "The agent was sorry, the customer cannot return it."])
def test_a_summary_that_tells_of_a_refusal_is_none(summary: str) -> None:
    assert usable(summary)


def test_covered() -> None:
    assert covered("<request>未提及</request><outcome> </outcome>") == {
        "request": True,
        "key_information": False,
        "outcome": False,
    }


def test_what_a_customer_cannot_do_is_no_refusal() -> None:
    request, rest = "我无法完成付款，怎么办？", "<key_information>订单7</key_information><outcome>未提及</outcome>"
    said = f"<request>{request}</request>{rest}"
    assert usable(said)
    assert problems(said) == []
    assert not usable("我无法提供帮助。")
