import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nodes.call_summary.prose import render
from nodes.common.telling import Telling

TAGGED = (
    "<request>客户咨询产品价格和购买流程</request>\n<key_information>询问了基础版和专业版的价格差异。</key_information>\n"
    "<outcome>客户表示需要考虑后再联系</outcome>"
)
PROSE = "客户咨询产品价格和购买流程。询问了基础版和专业版的价格差异。客户表示需要考虑后再联系。"
ENGLISH = (
    "<request>The customer wants a refund</request><key_information>Order 17, 24.90 dollars.</key_information>"
    "<outcome>Refunded by card</outcome>"
)

bits = st.sampled_from(
    [
        *"<>/*-•`\n \0:：，。.5a",
        "request",
        "<request>",
        "</request>",
        "<Key Information>",
        "</key_information>",
        "<outcome>",
        "</outcome>",
        "<b>",
        "<br/>",
        "<think>",
        "</think>",
        "未提及",
        "not stated",
        "Outcome: ",
        "主要诉求：",
        "**",
        "客户要退款",
        "the customer wants a refund of 24.90",
        "已经登记，明天下午三点前回电话给客户，地址不变",
        "```xml\n",
        "\n- ",
    ]
)
answers = st.lists(bits, max_size=30).map("".join)


def final(raw: str) -> str:
    return render(raw, complete=True)


class TestFinal:
    @pytest.mark.parametrize(
        ("raw", "prose"),
        [
            (TAGGED, PROSE),
            (f"好的，以下是摘要：\n```xml\n{TAGGED}\n```", PROSE),
            (TAGGED.replace("key_information", "Key Information").replace("<", "< "), PROSE),
            (f"<think>I draft <request>x</request></think>{TAGGED}", PROSE),
            (ENGLISH, "The customer wants a refund. Order 17, 24.90 dollars. Refunded by card."),
            ("<request>主要诉求：退货</request><outcome>最终结果：已登记</outcome>", "退货。已登记。"),
            ("<request>a **bold** <b>word</b></request>", "a bold word."),
            ("<request>客户要：\n- 退货\n- 换货，</request>", "客户要：退货换货。"),
            ("<request>价格 <100 元，误差< 5%</request>", "价格 <100 元，误差< 5%。"),
            ("<request>他说“好的。”</request><outcome>Done!</outcome>", "他说“好的。”Done!"),
            ("<request>a\0b</request>", "ab."),
        ],
    )
    def test_tagged(self, raw: str, prose: str) -> None:
        assert final(raw) == prose

    @pytest.mark.parametrize(
        ("tail", "prose"),
        [
            ("<outcome>客户考虑后再联系。</outc", "退货。客户考虑后再联系。"),
            ("<outcome>客户考虑后再联系</", "退货。客户考虑后再联系。"),
            ("<outcome>客户考虑后再", "退货。客户考虑后再…"),
            ("<outcome>客户考虑后再联系。", "退货。客户考虑后再联系。"),
            ("<outc", "退货。"),
        ],
    )
    def test_cut_off(self, tail: str, prose: str) -> None:
        assert final(f"<request>退货</request>{tail}") == prose

    @pytest.mark.parametrize(
        "absent", ["未提及", "未提及。", "无", "not stated.", "N/A", "通话中未明确提及", "结果：未提及"]
    )
    def test_what_is_not_in_the_call_is_left_out(self, absent: str) -> None:
        assert final(f"<request>退货</request><outcome>{absent}</outcome>") == "退货。"

    def test_it_is_told_when_there_is_nothing_else(self) -> None:
        assert final("<request>未提及</request><outcome>未提及</outcome>") == "通话没有说到诉求、关键信息和结果。"
        assert final("<request>Not stated</request>") == "The call states no request, key information or outcome."

    def test_not_mentioning_one_thing_is_no_absence(self) -> None:
        assert final("<request>未提及订单号，客户要求退款</request>") == "未提及订单号，客户要求退款。"

    @pytest.mark.parametrize(
        ("raw", "prose"),
        [
            ("客户咨询产品价格…", "客户咨询产品价格…"),
            ("  A plain\nanswer without end ", "A plain answer without end"),
            ("```\n第一行\n第二行\n```", "第一行第二行"),
            ("客户退货</outcome>", "客户退货"),
            ("<think>hm", ""),
            ("", ""),
            ("<request></request>", ""),
        ],
    )
    def test_plain_and_empty(self, raw: str, prose: str) -> None:
        assert final(raw) == prose

    @given(answers)
    def test_no_tags_no_controls_one_line(self, raw: str) -> None:
        prose = final(raw)
        assert not re.search(r"<\s*/?\s*[A-Za-z]", prose)
        assert not re.search(r"[\0\n]|  ", prose)
        assert prose == prose.strip()


class TestAsItComes:
    @settings(max_examples=400)
    @given(answers)
    @example("<request><<b>5")
    @example("<request>the customer wants a refund of 24.90<5")
    def test_every_beginning_has_a_beginning_of_the_prose(self, raw: str) -> None:
        whole = final(raw)
        told = ""
        for end in range(len(raw) + 1):
            so_far = render(raw[:end], complete=False)
            assert so_far.startswith(told)
            told = so_far
        assert whole.startswith(told)

    @given(answers, st.lists(st.integers(1, 9), min_size=1))
    def test_the_deltas_are_the_summary_however_the_answer_is_cut(self, raw: str, sizes: list[int]) -> None:
        events: list[dict[str, str]] = []
        telling = Telling(events.append, render)
        start = 0
        for turn in range(len(raw)):
            telling.hear(raw[start : start + sizes[turn % len(sizes)]])
            start += sizes[turn % len(sizes)]
        telling.end(raw)
        assert all(event["type"] == "delta" and event["text"] for event in events)
        assert "".join(event["text"] for event in events) == final(raw)

    def test_text_comes_before_its_point_ends(self) -> None:
        assert (
            render("<request>客户想把周三上午的入职体检改到本周末，最好", complete=False)
            == "客户想把周三上午的入职体检改到本周末，最好"
        )

    def test_plain_text_waits_for_its_end(self) -> None:
        assert render("客户咨询产品价格", complete=False) == ""

    def test_an_endless_answer_is_told_at_its_end(self) -> None:
        events: list[dict[str, str]] = []
        telling = Telling(events.append, render)
        raw = "<request>" + "很长" * 3000
        for piece in re.findall(".{1,100}", raw):
            telling.hear(piece)
        telling.end(raw)
        assert "".join(event["text"] for event in events) == final(raw)
        assert len(events) < 50
