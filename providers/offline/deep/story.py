"""The turn's story in the first person, from the plan and from counts; and what a person could add next."""

import json
from collections.abc import Sequence
from typing import Final

from langchain_core.messages import BaseMessage

from providers.offline.deep.request import Request, clip

_LONGEST_GOAL: Final = 80


def tell(messages: Sequence[BaseMessage]) -> str:
    """Answer with the narrative and a suggestion."""
    request = Request.of(messages)
    told, suggestion = _chinese(request) if request.is_chinese else _english(request)
    return json.dumps({"thinking_narrative": told, "suggestion": suggestion}, ensure_ascii=False)


def _titles(request: Request) -> list[str]:
    sections = request.json("plan").get("sections", [])
    return [section["title"] for section in sections if section.get("title")]


def _chinese(request: Request) -> tuple[str, str]:
    goal = clip(str(request.json("plan").get("goal", "")) or request["message"], _LONGEST_GOAL).rstrip("。")
    said = [f"我先读了您的要求：{goal}。"]
    if request.tags:
        said.append(f"您给出的标签是{'、'.join(request.tags)}，我把它们当作读者的样子。")
    if request.sources:
        cited = "、".join(dict.fromkeys(source.citation for source in request.sources[:3]))
        said.append(f"我查了上传的文件，用到{cited}等 {len(request.sources)} 个段落。")
    else:
        said.append("没有文件可查，我只用了您说到的事实。")
    if titles := _titles(request):
        said.append(f"正文我分成{'、'.join(titles)}几个部分，先说清楚要做什么，再给依据和步骤。")
    said.append("我现在按离线规则工作，没有语言模型，所以给出的是填好的模板，而不是成文的稿件。")
    missing = "上传产品资料或数据" if not request.sources else "指定最想突出的一条事实"
    return "".join(said), f"可以{missing}，或补充读者、渠道和时间，我再写一版；配置语言模型后可以得到成文的版本。"


def _english(request: Request) -> tuple[str, str]:
    goal = clip(str(request.json("plan").get("goal", "")) or request["message"], _LONGEST_GOAL).rstrip(".")
    said = [f"I first read what you asked for: {goal}."]
    if request.tags:
        said.append(f"I took your tags, {', '.join(request.tags)}, as a picture of the readers.")
    said.append(f"I looked into your files and used {len(request.sources)} passages." if request.sources else "")
    said.append(
        "I work by offline rules without a language model, so this is a filled template and not finished prose."
    )
    return " ".join(filter(None, said)), "Upload material or name the fact that matters most, and I will write another."
