"""The families of endpoints: each with its paths, its error shape, and its way to fail (K01–K03, K09, G67)."""

from dataclasses import dataclass, field
from typing import Final

from core.errors import ColloquyError, InvalidInput, ModelFailed
from server.error_bodies import DetailBody, ErrorBody, FlatBody, KindBody, MsgBody, NestedBody


class Unprocessable(InvalidInput):
    """FastAPI's own status for a request that breaks a rule, where a family keeps it (K03)."""

    status = 422


class InterpretModelFailed(ModelFailed):
    """001's code for a model that failed (G67)."""

    default_code = "MODEL_FAIL"


@dataclass(frozen=True, kw_only=True)
class Family:
    """One family of endpoints.

    `prefixes` are whole path segments; they tell the family of what fails before a route is found. `malformed` is
    what a request that breaks a rule becomes, `model_failed` what a model's failure becomes that no service caught.
    """

    name: str
    body: type[ErrorBody]
    prefixes: tuple[str, ...] = ()
    malformed: type[InvalidInput] = InvalidInput
    model_failed: type[ColloquyError] = field(default=ModelFailed)

    def owns(self, path: str) -> bool:
        """Tell whether a path is one of the family's: `/assistants` is not `/assistant`'s."""
        return any(path == prefix or path.startswith(prefix + "/") for prefix in self.prefixes)


AUDIO: Final = Family(
    name="audio",
    body=DetailBody,
    prefixes=tuple(
        f"/api/v1/{segment}" for segment in ("auth", "audio", "tasks", "images", "files", "skills", "profiles", "admin")
    ),
    malformed=Unprocessable,
)
INTERPRET: Final = Family(
    name="interpret",
    body=MsgBody,
    prefixes=("/v1/api/interpret", "/v1/api/confirm"),
    model_failed=InterpretModelFailed,
)
EXECUTE: Final = Family(name="execute", body=NestedBody, prefixes=("/v1/api",))
CALLS: Final = Family(
    name="calls",
    body=NestedBody,
    prefixes=tuple(f"/api/v1/{segment}" for segment in ("call-records", "agents", "call-answer-rules", "aliyun")),
)
CHAT: Final = Family(
    name="chat",
    body=FlatBody,
    prefixes=tuple(f"/api/v1/{segment}" for segment in ("frontend", "chat", "documents", "analyze-deep")),
    model_failed=ColloquyError,
)
COUNSELING: Final = Family(
    name="counseling",
    body=KindBody,
    prefixes=(
        *("/sessions", "/auth", "/me", "/assistant", "/assistant-class", "/admin"),
        *("/questions", "/thought-records", "/assignments"),
    ),
)
# Paths of no family, and the LangGraph protocol's.
PLATFORM: Final = Family(name="platform", body=DetailBody)

FAMILIES: Final = (AUDIO, INTERPRET, EXECUTE, CALLS, CHAT, COUNSELING)


def family_of(path: str) -> Family:
    """Return the family that a path belongs to."""
    return next((family for family in FAMILIES if family.owns(path)), PLATFORM)
