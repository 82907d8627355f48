"""The states of the counseling workflows: plain JSON values (X022)."""

from typing import Annotated, Any, Literal

from langgraph.channels import EphemeralValue
from pydantic import Field
from typing_extensions import TypedDict

from nodes.counseling.records import Finalized, Homework, Memory

Stage = Literal["diary", "activity", "ltm"]
Step = Literal["diary", "activity", "memory", "finish", "done"]


class FinalizeInput(TypedDict, total=False):
    """A session to finalise, and the homework given to the visitor (E017)."""

    # Read in the first step and gone after it: a later run on the thread cannot inherit them (X020).
    session_id: Annotated[str, Field(title="Session id"), EphemeralValue]
    assignment: Annotated[str, Field(title="Homework"), EphemeralValue]


class FinalizeOutput(TypedDict):
    """What a session leaves (E018).

    Attributes:
        diary: `<diary>…</diary>`.
        fallbacks: where no attempt was valid (G51): `diary`, `activity`, `ltm`, and `ltm.<slot>` for each slot that
            keeps its earlier value, or "无" where it had none.
        attempts: how many model calls each stage took; none when the session was finalised before.
    """

    diary: str
    activity: dict[str, Any]
    ltm: Memory
    fallbacks: list[str]
    attempts: dict[Stage, int]


class FinalizeState(FinalizeInput, FinalizeOutput):
    """All that a run keeps between its steps.

    Attributes:
        session: the id of the session.
        digest: of what was said in it: whether finished stages of an unfinished run still fit.
        step: the next one to do.
        transcript: as the models read it, bounded.
        persona: the visitor's core persona.
        previous: the memory before this session. Kept, because a repeated stage would read its own write.
        last_activity: JSON of the report before this session; empty when there is none.
        homework: given in this session.
        left: by an earlier finalize, where this one is to mend its fallbacks; else None.
    """

    session: str
    digest: str
    step: Step
    transcript: str
    visitor_name: str
    persona: str
    previous: Memory
    last_activity: str
    homework: list[Homework]
    left: Finalized | None


class ReplyInput(TypedDict, total=False):
    """The session whose visitor is to answer (G47)."""

    session_id: Annotated[str, Field(title="Session id"), EphemeralValue]


class ReplyOutput(TypedDict):
    """What the visitor says."""

    reply: str


class ReplyState(ReplyInput, ReplyOutput):
    """All that a run keeps between its steps.

    Attributes:
        session: the id of the session.
        key: of the answer: a second run on the same messages appends nothing twice.
        question: the data part of what the model is asked.
        persona: the visitor's core persona.
    """

    session: str
    key: str
    visitor_name: str
    persona: str
    question: str
