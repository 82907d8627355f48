"""Checks of an answer of deep chat against its brief: countable, so that they need no second model."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from nodes.meta_workflow.answer import joined
from nodes.meta_workflow.citations import cited
from nodes.meta_workflow.facts import length_of
from nodes.meta_workflow.state import LONGEST_OUTPUT, SHORTEST_OUTPUT
from server.evaluation.briefs import Brief

Answer = Mapping[str, Any]
_SCORE: Final = re.compile(r"\A- 综合分：(\d+(?:\.\d+)?)/10(?:\n|\Z)")
_LENGTH_CLAIMED: Final = re.compile(r"(\d{2,5})\s*个?字")
_PHASES: Final = ("planning", "content_generation")
_TOLERANCE: Final = 0.15
# A text of such a length cannot deserve a good score.
_HARDLY_A_TEXT: Final = 300
_GOOD: Final = 7
_PERFECT: Final = 10


def structure(brief: Brief, answer: Answer) -> bool:
    """All four sections, joined in their order; thinking that begins with the plan; an intent that fits."""
    sections = answer["content_sections"]
    phases = [item["phase"] for item in answer["thinking_process"]]
    return (
        all(sections.values())
        and answer["response"] == joined(sections)
        and phases[:1] == ["planning"]
        and all(phase in phases for phase in _PHASES)
        and score_of(answer) is not None
        and answer["intent"] in brief.labels.intents
        and answer["status"] == "done"
    )


def length(_brief: Brief, answer: Answer) -> bool:
    """The text has 500 to 1,000 characters (D022), white space not counted."""
    return SHORTEST_OUTPUT <= length_of(_text(answer)) <= LONGEST_OUTPUT


def tags(brief: Brief, answer: Answer) -> bool:
    """The word of each tag stands in the text."""
    return all(_holds(_text(answer), tag) for tag in brief.tags)


def documents(brief: Brief, answer: Answer) -> bool:
    """Every document that is needed is cited, and nothing that there is not."""
    names = {citation.name for citation in cited(_text(answer))}
    return set(brief.labels.cites) <= names <= {document.filename for document in brief.documents}


def words(brief: Brief, answer: Answer) -> bool:
    """What must be mentioned is, and what must not is not, anywhere in the answer."""
    mentioned = all(_holds(_text(answer), word) for word in brief.labels.mentions)
    return mentioned and not any(_holds(answer["response"], word) for word in brief.labels.absent)


def agreement(brief: Brief, answer: Answer) -> bool:
    """The evaluation says of the text what is so: its length, and no good score for what can be seen to be bad."""
    score, found = score_of(answer), length_of(_text(answer))
    if score is None:
        return False
    limits = (SHORTEST_OUTPUT, LONGEST_OUTPUT)
    claimed = [int(number) for number in _LENGTH_CLAIMED.findall(answer["content_sections"]["evaluation"])]
    honest = all(abs(number - found) <= found * _TOLERANCE for number in claimed if number not in limits)
    if score >= _GOOD and (found < _HARDLY_A_TEXT or not documents(brief, answer)):
        return False
    return honest and (score < _PERFECT or (length(brief, answer) and tags(brief, answer)))


CHECKS: Final[dict[str, Callable[[Brief, Answer], bool]]] = {
    "structure": structure,
    "length": length,
    "tags": tags,
    "documents": documents,
    "words": words,
    "agreement": agreement,
}


def score_of(answer: Answer) -> float | None:
    """Return the score that the answer shows; None where it shows none in the sample's form."""
    found = _SCORE.match(answer["content_sections"]["evaluation"])
    return float(found[1]) if found else None


def _text(answer: Answer) -> str:
    return str(answer["content_sections"]["output"])


def _holds(text: str, word: str) -> bool:
    return "".join(word.split()).casefold() in "".join(text.split()).casefold()
