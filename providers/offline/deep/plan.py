"""A fixed plan of three sections, filled with what the message names."""

import json
from collections.abc import Sequence
from typing import Final

from langchain_core.messages import BaseMessage

from providers.offline.deep.request import Request, clip

# Titles by which the writing rule knows what each section holds; characters as planned.
GOAL: Final = ("需求与目标", "What this is for")
POINTS: Final = ("重点与依据", "Points and evidence")
STEPS: Final = ("执行步骤", "Next steps")
_SECTIONS: Final = (
    (GOAL, ("复述需求、读者和目标，不写步骤", "The request, its readers and its aim; no steps"), 240),
    (POINTS, ("列出可用的事实和写作重点，注明出处", "Facts that can be used, with their sources"), 340),
    (STEPS, ("按先后列出可以执行的步骤", "What to do, in order"), 260),
)
_LONGEST_GOAL: Final = 100
_LONGEST_QUERY: Final = 200


def plan(messages: Sequence[BaseMessage]) -> str:
    """Answer with the plan; documents are needed where there are any."""
    request = Request.of(messages)
    language = 0 if request.is_chinese else 1
    sections = [
        {"id": f"s{number}", "title": title[language], "focus": focus[language], "characters": characters}
        for number, (title, focus, characters) in enumerate(_SECTIONS, 1)
    ]
    queries = [clip(clause, _LONGEST_QUERY) for clause in request.clauses[:2]] + request.filenames[:1]
    planned = {
        "goal": clip(" ".join(request.clauses) or request["message"], _LONGEST_GOAL),
        "brand": request.brand,
        "product": request.product,
        "steps": [],
        "sections": sections,
        "documents": {"needed": bool(request["documents"]), "queries": queries if request["documents"] else []},
    }
    return json.dumps(planned, ensure_ascii=False)
