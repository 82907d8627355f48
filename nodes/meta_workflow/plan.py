"""The plan that a model answers with, and what is made of it: steps, sections in order, lengths that add up (G33)."""

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import BaseModel, Field, field_validator

from nodes.common.fields import clamped, clipped, one_of, texts
from nodes.meta_workflow.state import LONGEST_OUTPUT, SHORTEST_OUTPUT, STEPS, Plan, Section, Step

MOST_SECTIONS: Final = 4
MOST_QUERIES: Final = 3
_USUAL_OUTPUT: Final = 750
_SHORTEST_SECTION: Final = 120


class PlannedStep(BaseModel):
    """A step that should run; one that we do not know counts as the writing, which runs anyway."""

    step: Annotated[Step, one_of(STEPS, default="content_generation")]
    focus: Annotated[str, clipped(300)] = ""


class PlannedSection(BaseModel):
    """A section as the model names it."""

    id: Annotated[str, clipped(40)] = ""
    title: Annotated[str, clipped(60)] = ""
    focus: Annotated[str, clipped(400)] = ""
    characters: Annotated[float, clamped(50, LONGEST_OUTPUT)] = 300
    depends_on: Annotated[list[str], texts(MOST_SECTIONS, 40)] = Field(default_factory=list)


class PlannedDocuments(BaseModel):
    """Whether the session's documents are needed, and what is looked for in them."""

    needed: bool = False
    queries: Annotated[list[str], texts(MOST_QUERIES, 200)] = Field(default_factory=list)


class Planned(BaseModel):
    """The model's plan (X028)."""

    goal: Annotated[str, clipped(400)] = Field(min_length=1)
    brand: Annotated[str, clipped(80)] = ""
    product: Annotated[str, clipped(120)] = ""
    steps: list[PlannedStep] = Field(default_factory=list)
    sections: list[PlannedSection] = Field(min_length=1)
    documents: PlannedDocuments = Field(default_factory=PlannedDocuments)

    @field_validator("sections")
    @classmethod
    def few(cls, sections: list[PlannedSection]) -> list[PlannedSection]:
        """Keep the first sections: a plan of twenty would be a book."""
        return sections[:MOST_SECTIONS]


def made(planned: Planned, *, has_documents: bool, asks_documents: bool, message: str) -> Plan:
    """Return the plan that is carried out.

    A plan without steps means all of them. Retrieval runs where there are documents and either the plan or the intent
    asks for it; the writing always runs.
    """
    focus: dict[Step, str] = {step.step: step.focus for step in planned.steps} or dict.fromkeys(STEPS, "")
    focus.setdefault("content_generation", "")
    queries = planned.documents.queries
    asks_documents = asks_documents or planned.documents.needed or any(s.step == "retrieval" for s in planned.steps)
    if has_documents and asks_documents:
        focus.setdefault("retrieval", "")
        queries = queries or [message[:200]]
    else:
        focus.pop("retrieval", None)
        queries = []
    return Plan(
        goal=planned.goal,
        brand=planned.brand,
        product=planned.product,
        focus={step: focus[step] for step in STEPS if step in focus},
        sections=_sections(planned.sections),
        queries=queries,
    )


def _sections(planned: Sequence[PlannedSection]) -> list[Section]:
    """Number the sections; what a section depends on comes before it, anything else is no dependency."""
    lengths = _lengths([section.characters for section in planned])
    numbers: dict[str, str] = {}
    made: list[Section] = []
    for place, section in enumerate(planned):
        number = str(place + 1)
        depends = sorted({numbers[name] for name in section.depends_on if name in numbers})
        made.append(
            Section(
                id=number,
                title=" ".join(section.title.lstrip("# ").split()),
                focus=section.focus,
                characters=lengths[place],
                depends_on=depends,
            )
        )
        numbers.setdefault(section.id or number, number)
    return made


def _lengths(asked: Sequence[float]) -> list[int]:
    """Bring the sections' lengths to a sum within the answer's limits, with room on both sides; none is tiny."""
    room = (LONGEST_OUTPUT - SHORTEST_OUTPUT) / 5
    total = sum(asked)
    fits = SHORTEST_OUTPUT + room <= total <= LONGEST_OUTPUT - room
    if fits and min(asked) >= _SHORTEST_SECTION:
        return [round(length) for length in asked]
    shared = (total if fits else _USUAL_OUTPUT) - len(asked) * _SHORTEST_SECTION
    return [round((_SHORTEST_SECTION + shared * length / total) / 10) * 10 for length in asked]


def ready(plan: Plan, written: dict[str, str]) -> list[Section]:
    """Return the sections that are not written, but all that they depend on is."""
    return [
        section
        for section in plan["sections"]
        if section["id"] not in written and all(name in written for name in section["depends_on"])
    ]
