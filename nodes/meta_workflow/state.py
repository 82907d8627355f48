"""The state of a deep turn: plain JSON values (X022), of this turn only, each of bounded size (X020)."""

from typing import Annotated, Final, Literal, NotRequired, get_args

from langgraph.channels import EphemeralValue
from pydantic import Field
from typing_extensions import TypedDict

from nodes.meta_workflow.records import DocumentOutline, Passage

Intent = Literal["free_discussion", "casual_chat", "structured_request", "document_query", "command"]
INTENTS: Final[tuple[Intent, ...]] = get_args(Intent)
Step = Literal["retrieval", "analysis", "content_generation", "evaluation"]
STEPS: Final[tuple[Step, ...]] = get_args(Step)
# A turn is running until its answer, or its draft, is complete.
Status = Literal["running", "done", "awaiting_decision"]

PASSING_SCORE: Final = 7
MOST_REVISIONS: Final = 2
# Characters of the answer's text (D022).
SHORTEST_OUTPUT: Final = 500
LONGEST_OUTPUT: Final = 1000


class PastTurn(TypedDict):
    """A message of the conversation so far; role is user or assistant."""

    role: str
    content: str


class Memory(TypedDict, total=False):
    """What a session remembers (G36): the newest text, and up to five suggestions, the newest last."""

    brand: str
    product: str
    content: str
    suggestions: list[str]


class Phase(TypedDict):
    """An item of the thinking process (D024)."""

    phase: str
    content: str


class ContentSections(TypedDict):
    """The four parts of an answer (D025); any of them may be empty."""

    thinking_narrative: str
    output: str
    evaluation: str
    suggestion: str


class Turn(TypedDict):
    """What the turn is about, as it was given, in bounds; `id` is made when the turn begins."""

    id: str
    session_id: str
    message: str
    tags: list[str]
    turns: list[PastTurn]


class Section(TypedDict):
    """A part of the text to be written. Ids are "1", "2" … in the text's order; it depends on earlier ones only."""

    id: str
    title: str
    focus: str
    characters: int
    depends_on: list[str]


class Plan(TypedDict):
    """What is to be done: `focus` has the steps that run, and what each looks at; `queries` are for documents."""

    goal: str
    brand: str
    product: str
    focus: dict[Step, str]
    sections: list[Section]
    queries: list[str]


class Evaluation(TypedDict):
    """A judgement: `score` from 0 to 10, `text` in the sample's format (D026)."""

    score: float
    text: str


class Narrative(TypedDict):
    """The first-person narrative, and what could be done next."""

    thinking_narrative: str
    suggestion: str


class SectionTask(TypedDict):
    """One section to be written, with all that its writer is told."""

    turn: Turn
    memory: Memory
    plan: Plan
    section: Section
    analysis: str
    passages: list[Passage]
    before: list[str]
    index: int


def added(held: list[Phase], new: list[Phase] | None) -> list[Phase]:
    """Add phases to those held; None forgets them, at the start of a turn (X020)."""
    return [] if new is None else [*held, *new]


def merged(held: dict[str, str], new: dict[str, str] | None) -> dict[str, str]:
    """Add drafts to those held, by the section's id; None forgets them."""
    return {} if new is None else {**held, **new}


class MetaInput(TypedDict, total=False):
    """A message in a session, with the last turns of it and what it remembers (both as stored by the caller)."""

    # Read in the first step and gone after it: a later turn on the thread cannot inherit them (X020).
    message: Annotated[str, Field(title="Message"), EphemeralValue]
    tags: Annotated[list[str], Field(title="Interests of the user"), EphemeralValue]
    session_id: Annotated[str, Field(title="Session id (UUID); empty where nothing is stored"), EphemeralValue]
    turns: Annotated[list[PastTurn], Field(title="The last turns, oldest first"), EphemeralValue]
    # Kept: where a caller stores no memory (Studio), the thread's own goes on.
    memory: Memory


class MetaOutput(TypedDict):
    """The answer (D023); while the status is `awaiting_decision` it is a draft and `suggestion` a question (G34)."""

    response: str
    thinking_process: Annotated[list[Phase], added]
    content_sections: ContentSections
    intent: Intent
    memory: NotRequired[Memory]
    status: Status


class MetaState(MetaInput, MetaOutput):
    """All that a turn keeps between its steps.

    Attributes:
        turn: what the turn is about.
        outline: the session's documents.
        plan: what is to be done.
        passages: what was found in the documents.
        analysis: what was thought before the writing.
        drafts: the sections' texts, by id.
        output: the text, joined in the plan's order; after a revision, the revised one.
        revisions: how many revisions were made.
        evaluation: the newest one; None where there is none.
        narrative: the newest one; None where there is none.
        decision: what was decided about the draft: revise, skip, or empty while there is none.
    """

    turn: Turn
    outline: list[DocumentOutline]
    plan: Plan
    passages: list[Passage]
    analysis: str
    drafts: Annotated[dict[str, str], merged]
    output: str
    revisions: int
    evaluation: Evaluation | None
    narrative: Narrative | None
    decision: str
