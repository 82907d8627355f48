"""The state of interpret and execute: plain JSON values (X022)."""

from typing import Annotated, Any, Literal, NotRequired

from langgraph.channels import EphemeralValue
from pydantic import Field
from typing_extensions import TypedDict

PLAN = "plan"
"""The action of an offer of several tools."""

Status = Literal["interpreting", "clarify", "awaiting_confirm", "executing", "done", "failed", "rejected"]
StepStatus = Literal["success", "error", "skipped", "rejected", "unknown"]
Kind = Literal["offer", "step", "changed", "uncertain", "input"]


class Step(TypedDict):
    """One tool call of a plan; `params` may name earlier results: `{"$from": "<step id>", "path": "a.b.0"}`."""

    id: str
    action: str
    params: dict[str, Any]
    after: list[str]


class Offer(TypedDict):
    """What a person is asked to confirm, or to say more about (B023, G15)."""

    type: Literal["confirm", "clarify"]
    action: str | None
    params: dict[str, Any]
    confirmText: str


class Failure(TypedDict):
    """Why a step gave no result; `status` is the HTTP status that says so (G18)."""

    code: str
    message: str
    status: int


class StepResult(TypedDict):
    """What became of a step. `unknown`: it was sent, and whether the tool did its work is not known."""

    action: str
    status: StepStatus
    data: Any
    error: Failure | None


class Exchange(TypedDict):
    """An earlier turn of the thread, as the model is reminded of it."""

    words: list[str]
    action: str | None
    status: str
    report: str


class DirectCall(TypedDict):
    """A call without an offer (G17), where the operator allows it."""

    action: str
    params: dict[str, Any]


class InterpretInput(TypedDict, total=False):
    """What a turn begins with: words, or a direct call."""

    # Read in the first step and gone after it: a later turn on the thread cannot inherit them (X020).
    text: Annotated[str, Field(title="Instruction"), EphemeralValue]
    direct: Annotated[DirectCall, Field(title="Direct call"), EphemeralValue]


class InterpretOutput(TypedDict):
    """The offer, and once it was confirmed what came of it.

    Attributes:
        results: by the id of the step; an offer of one tool has one step.
        data: the result of the one tool, or `{"steps": {id: result}}` of a plan.
        report: one sentence for people.
    """

    offer: Offer
    status: Status
    results: dict[str, StepResult]
    data: Any
    report: str


def merge_results(held: dict[str, StepResult], new: dict[str, StepResult] | None) -> dict[str, StepResult]:
    """Add results to those held; None forgets them, at the start of a turn (X020)."""
    return {} if new is None else {**held, **new}


class InterpretState(InterpretInput):
    """All that a thread keeps between its steps.

    Attributes:
        turn: the id of the turn; tool calls are keyed by it.
        words: what the person has said in this turn: the instruction, then answers in words.
        history: earlier turns, oldest first, a few.
        steps: of the offer, in an order in which they can be made.
        digests: the fingerprint of each tool's schema when it was offered, by the tool's name.
        problem: why the last answer to an offer could not be taken; None when there was none.
    """

    turn: str
    words: list[str]
    history: list[Exchange]
    offer: Offer
    steps: list[Step]
    digests: dict[str, str]
    problem: str | None
    status: Status
    results: Annotated[dict[str, StepResult], merge_results]
    data: Any
    report: str


class StepTask(TypedDict):
    """One step to be made, with its arguments resolved.

    Attributes:
        turn: the turn's id.
        step: the step, its `params` without references.
        digest: the fingerprint of the tool's schema when it was offered.
        alone: whether it is the whole offer, so that the person has confirmed exactly this call.
    """

    turn: str
    step: Step
    digest: str
    alone: bool


class StepState(StepTask):
    """What one step keeps while it is made.

    Attributes:
        stage: where it goes next.
        reason: why it is reviewed.
        attempt: raised when a person lets an uncertain call be sent again.
        asked: what the tool asks for (`requests`, `state`), until it is answered.
        answers: what the person answered (`responses`, `state`).
        problem: why the last answer could not be taken.
    """

    stage: NotRequired[Literal["review", "call", "uncertain", "elicit", "end"]]
    reason: NotRequired[Literal["step", "changed"]]
    attempt: NotRequired[int]
    asked: NotRequired[dict[str, Any] | None]
    answers: NotRequired[dict[str, Any] | None]
    problem: NotRequired[str | None]
    results: Annotated[dict[str, StepResult], merge_results]


class StepOutput(TypedDict):
    """What a step gives the plan."""

    results: dict[str, StepResult]
