"""A text from a model, told while it comes, with one repair of what a rule finds (D022, G39)."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from langchain_core.messages import BaseMessage

from core.errors import ModelFailed
from nodes.common.attempts import ask
from nodes.meta_workflow.citations import cited, unknown, without_unknown
from nodes.meta_workflow.events import Telling
from nodes.meta_workflow.facts import length_of
from nodes.meta_workflow.prompting import about_answer
from nodes.meta_workflow.prose import shortened
from nodes.meta_workflow.records import Passage


class Demand(NamedTuple):
    """What a text must keep to: its length in characters, white space not counted, and what it may cite."""

    shortest: int
    longest: int
    passages: Sequence[Passage]
    must_cite: bool = False


# A text so much longer than it may be was not going to end; it is cut.
_RUNAWAY: Final = 1.5


async def write(asked: Sequence[BaseMessage], demand: Demand, telling: Telling) -> str:
    """Ask for a text; when a rule finds something wrong, ask once more, and keep the better of both.

    Returns:
        the text as it was told, its heading included.

    Raises:
        ModelFailed: the model wrote nothing.
    """
    text = await _written(asked, telling)
    if wrong := _wrong(text, demand):
        telling.begin_again()
        repaired = await _written(about_answer(asked, text, wrong), telling)
        text = min(repaired, text, key=lambda each: (not each, len(_wrong(each, demand)), _distance(each, demand)))
    text = without_unknown(shortened(text, round(demand.longest * _RUNAWAY)), demand.passages)
    if not text:
        raise ModelFailed("模型没有给出可用的内容，请稍后再试")
    return telling.end(text)


async def _written(asked: Sequence[BaseMessage], telling: Telling) -> str:
    answer = await ask("content_generation", asked, on_text=telling.hear, on_restart=telling.begin_again)
    return telling.text_of(answer.text)


def _wrong(text: str, demand: Demand) -> list[str]:
    """Name what a reader would miss, in words for the model."""
    if not text:
        return ["内容是空的"]
    wrong = []
    length = length_of(text)
    if not demand.shortest <= length <= demand.longest:
        wrong.append(f"有 {length} 个字符（不计空白），要求 {demand.shortest}–{demand.longest} 个")
    if strange := unknown(text, demand.passages):
        wrong.append(f"引用了资料里没有的出处 {'、'.join(str(citation) for citation in strange[:5])}")
    if demand.must_cite and demand.passages and not cited(text):
        wrong.append("没有注明资料的出处，形式为（《文件名》第n段）")
    return wrong


def _distance(text: str, demand: Demand) -> int:
    length = length_of(text)
    return max(demand.shortest - length, length - demand.longest, 0)
