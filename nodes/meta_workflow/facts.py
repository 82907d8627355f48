"""What can be counted about a text: given to the model that judges it, which cannot count (G34)."""

from collections.abc import Sequence

from typing_extensions import TypedDict

from nodes.meta_workflow.citations import cited, unknown
from nodes.meta_workflow.records import Passage
from nodes.meta_workflow.state import LONGEST_OUTPUT, SHORTEST_OUTPUT


class Facts(TypedDict):
    """Counts of a text: characters without white space, tags, citations, and whether there was anything to cite."""

    characters: int
    length_ok: bool
    tags_used: list[str]
    tags_unused: list[str]
    citations: list[str]
    unknown_citations: list[str]
    passages_given: int


def length_of(text: str) -> int:
    """Return a text's length in characters, white space not counted."""
    return len("".join(text.split()))


def facts_about(text: str, tags: Sequence[str], passages: Sequence[Passage]) -> Facts:
    """Count what a text holds; a tag counts as used where its word stands, in any case."""
    folded = text.casefold()
    length = length_of(text)
    return Facts(
        characters=length,
        length_ok=SHORTEST_OUTPUT <= length <= LONGEST_OUTPUT,
        tags_used=[tag for tag in tags if tag.casefold() in folded],
        tags_unused=[tag for tag in tags if tag.casefold() not in folded],
        citations=[str(citation) for citation in cited(text)],
        unknown_citations=[str(citation) for citation in unknown(text, passages)],
        passages_given=len(passages),
    )
