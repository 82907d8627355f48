"""The offline rules of strategies: real quotes, a skill's own phrases, and nothing made up."""

import json
import time
import timeit
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from providers.offline.model import OfflineChatModel
from skills.catalog import SKILLS, load_all
from skills.document import Skill

SKILL = """# 教练

- 听到“延期”“delay”：「〔对方〕，〔事〕先交核心部分。」——给出选择。
- 听到“加班”：「今晚先交最急的。」——先问清楚。

## 不要这样

- 不拿别人比较。
- 不说“随便”。
"""
OURS = list(load_all(SKILLS).skills.values())


def asked(transcript: str, skill: str = SKILL) -> list[BaseMessage]:
    rules = SystemMessage(f"规则\n<skill>\n{skill}\n</skill>")
    return [rules, HumanMessage(f"<transcript>\n{transcript}\n</transcript>\n请作答")]


def advice_for(transcript: str, skill: str = SKILL) -> list[dict[str, Any]]:
    found = json.loads(OfflineChatModel(role="strategy").invoke(asked(transcript, skill)).text)
    return list(found["advices"])


def fused(*given: dict[str, Any]) -> list[dict[str, Any]]:
    data = json.dumps(list(given), ensure_ascii=False)
    answer = OfflineChatModel(role="fuse").invoke([HumanMessage(f"<advices>\n{data}\n</advices>")])
    return list(json.loads(answer.text)["advices"])


def test_a_phrase_whose_cue_is_said() -> None:
    [one] = advice_for("[00:05] 小何: 可能要延期两天。\n[00:09] 李经理: 嗯")
    assert one["quotes"] == ["可能要延期两天。"]
    assert one["script"] == "小何，这件事先交核心部分。"
    assert one["advice"] == "给出选择。"
    assert "00:05 小何" in one["insight"]
    assert "离线规则" in one["insight"]


def test_each_line_and_each_phrase_once() -> None:
    said = "[00:01] a: 延期还要加班\n[00:02] b: 加班\n[00:03] c: 延期"
    assert [one["quotes"] for one in advice_for(said)] == [["延期还要加班"], ["加班"]]


def test_pictures_of_one_skill_differ() -> None:
    found = advice_for("[00:01] a: 延期\n[00:02] b: 加班")
    assert found[0]["picture"] != found[1]["picture"]


def test_without_a_cue_the_skills_first_warning() -> None:
    [one] = advice_for("[00:01] a: 早\n[00:02] b: 吃了吗？")
    assert (one["advice"], one["script"], one["quotes"]) == ("不拿别人比较。", "", ["吃了吗？"])
    assert "离线规则" in one["insight"]


def test_the_newest_transcript_after_a_repair() -> None:
    messages = [*asked("[00:01] a: 延期"), AIMessage("x"), HumanMessage("请重新作答")]
    [one] = json.loads(OfflineChatModel(role="strategy").invoke(messages).text)["advices"]
    assert one["quotes"] == ["延期"]


@pytest.mark.parametrize("skill", OURS, ids=lambda skill: skill.id)
def test_each_of_our_skills_has_phrases_and_a_warning(skill: Skill) -> None:
    line = next(line for line in skill.body.splitlines() if line.startswith("- 听到“"))
    cue = line.split("“")[1].split("”")[0]
    [one] = advice_for(f"[00:01] 小何: 我说{cue}。", skill.body)
    assert cue in one["title"]
    assert one["script"]
    assert "〔" not in one["script"]
    [warned] = advice_for("[00:01] 小何: xyz", skill.body)
    assert f"- {warned['advice']}" in skill.body


def one_of(skill: str, *advices: tuple[str, str]) -> dict[str, Any]:
    given = [{"title": a, "insight": "", "advice": a, "script": s, "quotes": [a], "picture": ""} for a, s in advices]
    return {"skill": skill, "advices": given}


def test_fusing_takes_turns_and_says_the_same_once() -> None:
    answer = fused(one_of("a", ("一", "同一句"), ("二", "")), one_of("b", ("三", "同一句"), ("四", "")))
    assert [(one["advice"], one["skills"]) for one in answer] == [("一", ["a", "b"]), ("二", ["a"]), ("四", ["b"])]
    assert answer[0]["quotes"] == ["一", "三"]


def test_six_at_most() -> None:
    many = [(str(number), "") for number in range(9)]
    assert len(fused(one_of("a", *many), one_of("b", ("x", "")))) == 6


@given(st.text())
def test_whatever_is_said_the_answer_is_an_object(said: str) -> None:
    assert advice_for(said)


def test_long_transcripts_take_no_longer_than_they_must() -> None:
    for said in ("[00:01] a: 延期\n" * 20_000, "[" * 100_000, "[00:01] " * 20_000):
        spent = timeit.timeit(lambda said=said: advice_for(said), timer=time.thread_time, number=1)  # type: ignore[misc]
        assert spent < 3
