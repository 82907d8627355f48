import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nodes.common.generation import Unusable
from nodes.counseling.records import SLOTS, memory_from, no_memory
from nodes.counseling.tags import (
    LONGEST_ACTIVITY,
    LONGEST_DIARY,
    LONGEST_SLOT,
    read_activity,
    read_diary,
    read_memory,
    says_nothing,
    slots_in,
)

HELD = memory_from(dict.fromkeys(SLOTS, "以前的事"))
FULL = memory_from({slot: f"新的{slot}" for slot in SLOTS})
INSIDE = "".join(f"<{slot}>新的{slot}</{slot}>" for slot in SLOTS)
MEMORY = f"<longterm_memory>{INSIDE}</longterm_memory>"
DEEP = '{"a":' * 7 + "1" + "}" * 7

bits = st.sampled_from(
    [
        *'<>/{}[]":,`\n \0\ud800无。a1',
        *("<diary>", "</diary>", "< Diary >", "</diary", "<activity>", "</activity>", "```json", '{"summary":"周二"}'),
        *("<longterm_memory>", "</longterm_memory>", "<think>", "</think>", "今天我很累", '"a":', "NaN", "1e999"),
        *(f"<{slot}>" for slot in SLOTS),
        *(f"</{slot}>" for slot in SLOTS),
    ]
)
answers = st.lists(bits, max_size=40).map("".join)


@pytest.mark.parametrize("text", ["", " ", "无", "（无）", "暂无。", "None", "N/A", "未提及", "……", "“无”", "—"])
def test_what_says_nothing(text: str) -> None:
    assert says_nothing(text)


@pytest.mark.parametrize("text", ["无论如何", "没有睡好", "a", "7", "无" * 41])
def test_what_says_something(text: str) -> None:
    assert not says_nothing(text)


class TestDiary:
    @pytest.mark.parametrize(
        "answer",
        [
            "<diary>今天很累</diary>",
            "好的：\n```xml\n<diary>\n今天很累\n</diary>\n```",
            "< Diary >今天很累</ DIARY >",
            "<think>写 <diary>草稿</diary></think><diary>今天很累</diary>",
            "写在 <diary> 标签里：<diary>今天很累</diary>",
            "<diary>今天很\x00累</diary><diary> </diary>",
        ],
    )
    def test_it_is_found(self, answer: str) -> None:
        assert read_diary(answer) == "<diary>今天很累</diary>"

    @pytest.mark.parametrize(
        "answer",
        ["", "今天很累", "<diary>", "<diary>今天很累", "<diary></diary>", "<diary>无</diary>", "<diary>。</diary>"],
    )
    def test_it_is_missing(self, answer: str) -> None:
        with pytest.raises(Unusable, match="diary"):
            read_diary(answer)

    def test_it_is_too_long(self) -> None:
        with pytest.raises(Unusable, match="太长"):
            read_diary(f"<diary>{'长' * (LONGEST_DIARY + 1)}</diary>")

    @given(answers)
    def test_any_answer_is_a_diary_or_unusable(self, answer: str) -> None:
        try:
            found = read_diary(answer)
        except Unusable:
            return
        inside = found.removeprefix("<diary>").removesuffix("</diary>")
        assert len(found) == len(inside) + len("<diary></diary>")
        assert inside.strip() == inside != ""
        found.encode()
        assert "\0" not in found
        assert read_diary(found) == found


class TestActivity:
    @pytest.mark.parametrize(
        ("answer", "report"),
        [
            ('<activity>{"summary":"周二"}</activity>', {"summary": "周二"}),
            ('<activity>\n```json\n{"summary":"周二"}\n```\n</activity>', {"summary": "周二"}),
            ('<activity>{"summary":"</activity>"}</activity>', {"summary": "</activity>"}),
            ('<activity>{"summary":"周二"}', {"summary": "周二"}),
            ('<activity>{"a":1}</activity><activity>{"a":2}</activity>', {"a": 2}),
            ('<activity>{"a":1}</activity><activity>…</activity>', {"a": 1}),
            ('<activity>{"a":"","b":[" "],"c":{"d":null}}</activity>', {"a": "无", "b": ["无"], "c": {"d": None}}),
            ('<activity>{"a":NaN,"b":1e999,"c":"\\ud800x\\u0000"}</activity>', {"a": None, "b": None, "c": "x"}),
        ],
    )
    def test_it_is_found(self, answer: str, report: dict[str, Any]) -> None:
        assert read_activity(answer) == report

    @pytest.mark.parametrize(
        ("answer", "wrong"),
        [
            ('{"summary":"周二"}', "没有找到"),
            ("<activity></activity>", "不是完整合法的 JSON"),
            ("<activity>{'a':1}</activity>", "不是完整合法的 JSON"),
            ('<activity>{"a":1,}</activity>', "第 1 行"),
            ("<activity>{}</activity>", "不为空的 JSON 对象"),
            ("<activity>[1]</activity>", "不为空的 JSON 对象"),
            ("<activity>null</activity>", "不为空的 JSON 对象"),
            (f"<activity>{DEEP}</activity>", "嵌套太深"),
            ('<activity>{"a":' * 50_000, "JSON"),
            (f"<activity>{'[' * 50_000}", "JSON"),
            (f"<activity>{json.dumps({'a': '长' * LONGEST_ACTIVITY})}</activity>", "太长"),
        ],
    )
    def test_it_is_unusable(self, answer: str, wrong: str) -> None:
        with pytest.raises(Unusable, match=wrong):
            read_activity(answer)

    @given(answers)
    @example('<activity>{"a":{"b":' + "9" * 5000)
    def test_any_answer_is_a_report_or_unusable(self, answer: str) -> None:
        try:
            found = read_activity(answer)
        except Unusable:
            return
        assert found
        assert json.loads(json.dumps(found, allow_nan=False)) == found
        json.dumps(found, ensure_ascii=False).encode()

    @given(st.dictionaries(st.text(max_size=9), st.text(max_size=9) | st.integers() | st.none(), min_size=1))
    def test_any_object_is_read(self, report: dict[str, Any]) -> None:
        found = read_activity(f"<activity>{json.dumps(report)}</activity>")
        assert len(found) <= len(report)
        assert "" not in found.values()


class TestMemory:
    @pytest.mark.parametrize(
        "answer",
        [
            MEMORY,
            f"```\n{MEMORY}\n```",
            f"<longterm_memory>{INSIDE}",
            f"<longterm_memory></longterm_memory>{MEMORY}",
            MEMORY.upper().replace("新的", "新的").lower(),
            MEMORY.replace("</milestones>", "</milestones><milestones> </milestones>"),
        ],
    )
    def test_it_is_found(self, answer: str) -> None:
        assert read_memory(answer, HELD) == FULL

    @pytest.mark.parametrize("slot", SLOTS)
    @pytest.mark.parametrize("inside", [None, "", " \n"])
    def test_each_slot_must_be_there_and_say_something(self, slot: str, inside: str | None) -> None:
        tag = "" if inside is None else f"<{slot}>{inside}</{slot}>"
        with pytest.raises(Unusable, match=f"缺少 <{slot}>"):
            read_memory(MEMORY.replace(f"<{slot}>新的{slot}</{slot}>", tag), HELD)

    @pytest.mark.parametrize("slot", SLOTS)
    def test_what_was_established_is_not_nothing_any_more(self, slot: str) -> None:
        answer = MEMORY.replace(f">新的{slot}<", ">（无）<")
        with pytest.raises(Unusable, match=f"<{slot}> 原来有内容"):
            read_memory(answer, HELD)
        assert read_memory(answer, no_memory()) == {**FULL, slot: "（无）"}

    def test_all_that_is_wrong_is_told_at_once(self) -> None:
        with pytest.raises(Unusable) as wrong:
            read_memory("<longterm_memory><milestones>走了一步</milestones></longterm_memory>", HELD)
        assert str(wrong.value).count("缺少") == 4

    def test_the_outer_tag_must_be_there(self) -> None:
        with pytest.raises(Unusable, match="longterm_memory"):
            read_memory(INSIDE, HELD)

    def test_a_slot_is_too_long(self) -> None:
        long = "长" * (LONGEST_SLOT + 1)
        answer = MEMORY.replace("新的milestones", long)
        with pytest.raises(Unusable, match="milestones 太长"):
            read_memory(answer, HELD)
        assert slots_in(answer)["milestones"] == long[:-1]

    def test_slots_of_a_bad_answer(self) -> None:
        answer = "<milestones>走了一步</milestones><discussed_topics>无</discussed_topics><thisweek_focus>作业"
        assert slots_in(answer) == {"milestones": "走了一步"}

    @given(answers)
    def test_any_answer_is_a_memory_or_unusable(self, answer: str) -> None:
        found = slots_in(answer)
        assert all(text.strip() and len(text) <= LONGEST_SLOT for text in found.values())
        try:
            memory = read_memory(answer, HELD)
        except Unusable:
            return
        assert list(memory) == list(SLOTS)
        assert not any(says_nothing(str(text)) for text in memory.values())


@pytest.mark.parametrize(
    "opening", ["<diary>", "<activity>", "<milestones>", "<longterm_memory>", "<think>", "<", "<" + " " * 60_000]
)
@pytest.mark.timeout(5)
def test_tags_that_nobody_closes_cost_no_second_look(opening: str) -> None:
    for read in (read_diary, read_activity, lambda answer: read_memory(answer, HELD)):
        with pytest.raises(Unusable):
            read(opening * (200_000 // len(opening)))
