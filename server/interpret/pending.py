"""What a session's thread waits for: offers, steps, and tools that ask for input."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from core.errors import NotFound
from nodes.interpret_execute.state import Kind
from server.runtime import Runtime


@dataclass(frozen=True, kw_only=True)
class Pending:
    """One interrupt of the workflow.

    `offer` has the seed's four keys, `allowed` are the decisions that are taken, `schema` is that of the arguments
    where the interrupt names one, `problem` says why the last answer was not taken.
    """

    interrupt_id: str
    kind: Kind
    offer: dict[str, Any]
    allowed: tuple[str, ...]
    schema: dict[str, Any] | None
    problem: str | None

    @property
    def action(self) -> str:
        """The offered tool, or `plan`."""
        return str(self.offer["action"])

    @property
    def params(self) -> dict[str, Any]:
        """The offered arguments."""
        return dict(self.offer["params"])

    def shown(self) -> dict[str, Any]:
        """Return the four keys, and the schema of what a tool asks for."""
        return self.offer if self.kind != "input" else {**self.offer, "schema": self.schema}

    def is_offered(self, params: Mapping[str, Any]) -> bool:
        """Tell whether these arguments are the offered ones; to ask for input offers none."""
        return self.kind != "input" and _canonical(params) == _canonical(self.params)


def all_of(interrupts: Iterable[Mapping[str, Any]]) -> tuple[Pending, ...]:
    """Read interrupts as the engine shows them."""
    return tuple(_read(str(item["id"]), item["value"]) for item in interrupts)


def _read(interrupt_id: str, value: Mapping[str, Any]) -> Pending:
    [review] = value["review_configs"]
    return Pending(
        interrupt_id=interrupt_id,
        kind=value["kind"],
        offer=value["offer"],
        allowed=tuple(review["allowed_decisions"]),
        schema=review.get("args_schema"),
        problem=value["problem"],
    )


async def of_thread(runtime: Runtime, user_id: UUID, thread_id: UUID) -> tuple[Pending, ...]:
    """Return all that a thread waits for now; nothing where it has not begun."""
    try:
        state = await runtime.engine.state(user_id, thread_id)
    except NotFound:
        return ()
    return all_of(state.interrupts)


def chosen(pending: Sequence[Pending], action: str, params: Mapping[str, Any]) -> Pending | None:
    """Return the one that an answer is for: of several of the same action the one with these arguments."""
    fitting = [one for one in pending if one.action == action]
    return next((one for one in fitting if one.is_offered(params)), fitting[0] if fitting else None)


def _canonical(params: Mapping[str, Any]) -> bytes:
    # Python takes 1 for True; a tool does not.
    return orjson.dumps(params, option=orjson.OPT_SORT_KEYS)
