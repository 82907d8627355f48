"""How a run ended, in the words of its row: an exception becomes a code and a sentence that are safe to show."""

from dataclasses import dataclass, field
from typing import Any, Final, Self
from uuid import UUID

import orjson
import structlog
from langgraph.errors import EmptyInputError, GraphRecursionError

from core.errors import ColloquyError
from server.runs.drive import Driven
from server.runs.jsonb import jsonb_text, without_nul
from server.runs.model import Ending, RunResult, RunStatus
from server.runs.snapshots import shown

# Longer states have no copy on their thread's row: it would be written anew at each turn.
COPIED_CHARACTERS: Final = 8192

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What is written when a run ends; `output` and `values` (the whole state) as JSON."""

    status: RunStatus
    output: str | None = None
    values: str | None = None
    interrupts: dict[str, Any] = field(default_factory=dict)
    stops: bool = False
    """Whether the graph has steps to do, and waits: for an answer, or at a node where it was told to stop."""
    error_status: int | None = None
    error_code: str | None = None
    error_message: str | None = None

    @classmethod
    def success(cls, driven: Driven) -> Self:
        """The graph came to its end, or to an interrupt."""
        return cls(
            status=RunStatus.success,
            output=driven.output(),
            values=driven.values(),
            interrupts=driven.interrupts,
            stops=driven.stopped,
        )

    @classmethod
    def interrupted(cls, driven: Driven) -> Self:
        """Somebody asked for the run's end."""
        return cls(status=RunStatus.interrupted, values=driven.values())

    @classmethod
    def failure(cls, error: Exception, driven: Driven) -> Self:
        """The graph raised; only an error of our own shows its text."""
        if isinstance(error, ColloquyError):
            log.warning("run_failed", error_code=error.code)
            return cls._error(driven, error.status, error.code, error.message)
        if isinstance(error, GraphRecursionError):
            log.warning("run_failed", error_code="RECURSION_LIMIT")
            return cls._error(driven, 500, "RECURSION_LIMIT", "The workflow took more steps than its limit allows.")
        if isinstance(error, EmptyInputError):
            log.warning("run_failed", error_code="EMPTY_INPUT")
            return cls._error(driven, 422, "EMPTY_INPUT", "The run has no input, and its thread nothing to go on with.")
        log.error("run_crashed", exc_info=error)
        return cls._error(driven, 500, "INTERNAL", "The run failed because of an internal error.")

    @classmethod
    def _error(cls, driven: Driven, status: int, code: str, message: str) -> Self:
        return cls(
            status=RunStatus.error,
            values=driven.values(),
            error_status=status,
            error_code=code,
            error_message=message,
        )

    def as_result(self, run_id: UUID, thread_id: UUID) -> RunResult:
        """Return what the database will say of the run."""
        return RunResult(
            run_id=run_id,
            thread_id=thread_id,
            status=self.status,
            output=None if self.output is None else orjson.loads(self.output),
            interrupts=shown(self.interrupts),
            error_status=self.error_status,
            error_code=self.error_code,
            error_message=self.error_message,
        )

    def as_row(self, *, keeps_state: bool = True) -> Ending:
        """Return what `platform.finish_run` takes."""
        copied = keeps_state and self.values is not None and len(self.values) <= COPIED_CHARACTERS
        return Ending(
            row={
                "status": self.status.value,
                "has_values": self.values is not None,
                "interrupts": orjson.Fragment(jsonb_text(self.interrupts)),
                "error_status": self.error_status,
                "error_code": self.error_code,
                "error_message": self.error_message,
                "stops": self.stops,
            },
            output=self.output,
            values=without_nul(self.values) if copied and self.values else None,
        )


GIVEN_BACK: Final = Ending(row={"status": RunStatus.pending.value}, output=None, values=None)
"""What stands for an end where the run is to go on elsewhere."""
