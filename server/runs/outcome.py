"""How a run ended, in the words of its row: an exception becomes a code and a sentence that are safe to show."""

from dataclasses import dataclass, field
from typing import Any, Self

import structlog
from langgraph.errors import EmptyInputError, GraphRecursionError

from core.errors import ColloquyError
from server.runs.drive import Driven
from server.runs.model import RunStatus

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What is written when a run ends."""

    status: RunStatus
    output: dict[str, Any] | None = None
    values: dict[str, Any] | None = None
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

    def as_row(self, *, keeps_state: bool = True) -> dict[str, Any]:
        """Return the columns of `platform.runs` (and the thread's values, where they are kept, and interrupts)."""
        return {
            "status": self.status.value,
            "output": self.output,
            "values": self.values if keeps_state else None,
            "interrupts": self.interrupts,
            "stops": self.stops,
            "error_status": self.error_status,
            "error_code": self.error_code,
            "error_message": self.error_message,
        }
