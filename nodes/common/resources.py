"""What a node may use: models by role, clock, ids, repositories. The run engine binds them, no client can.

Unbound (LangGraph Studio, a unit test) a set built from the environment serves, with in-memory repositories.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol, TypeVar, cast

from langchain_core.language_models import BaseChatModel

from core.clock import Clock, SystemClock
from core.ids import IdSource, RandomIds
from core.roles import Role
from core.settings import Settings
from providers.images.model import Cards, Painter
from providers.models import Models
from providers.speech.model import AudioInput
from tools.mcp.environment import EnvironmentHub
from tools.mcp.model import ToolHub
from tools.mcp.none import NoServers
from tools.mcp.policy import ToolPolicy

T = TypeVar("T")


class ChatModels(Protocol):
    """Chat models by role."""

    @property
    def max_attempts(self) -> int:
        """How often one model call may be tried in all."""
        ...

    def fallback(self, role: Role) -> Role | None:
        """Return the role to ask when this one's model gave no answer; None where there is none."""
        ...

    async def chat(self, role: Role) -> BaseChatModel:
        """Return the role's model with its limits (temperature, tokens, timeout) set."""
        ...

    def audio_input(self, role: Role) -> AudioInput | None:
        """Return how recordings are lent to the role's model; None where it cannot hear."""
        ...

    async def painter(self) -> Painter | Cards | None:
        """Return what paints pictures; None where nothing is configured for it (G11)."""
        ...


@dataclass(frozen=True)
class Resources:
    """One run's resources. `repositories` maps a Protocol to the object that serves it for the run's owner.

    `tools` are the plugged-in MCP servers, `tool_policy` is what their operator lets happen unconfirmed.
    """

    models: ChatModels
    tools: ToolHub = field(default_factory=NoServers)
    tool_policy: ToolPolicy = field(default_factory=ToolPolicy)
    clock: Clock = field(default_factory=SystemClock)
    ids: IdSource = field(default_factory=RandomIds)
    repositories: Mapping[type, object] = field(default_factory=dict)

    def repository(self, kind: type[T], in_memory: Callable[[], T]) -> T:
        """Return what was bound for `kind`; where nothing was, one shared `in_memory()` for this process."""
        if kind in self.repositories:
            return cast(T, self.repositories[kind])
        return cast(T, _shared(in_memory))


@cache
def _shared(factory: Callable[[], T]) -> T:
    return factory()


_bound: ContextVar[Resources | None] = ContextVar("resources", default=None)


def resources() -> Resources:
    """Return what is bound for this run, or the set built from the environment."""
    return _bound.get() or _from_environment()


@contextmanager
def bind(bound: Resources) -> Iterator[None]:
    """Bind a run's resources for the code within."""
    token = _bound.set(bound)
    try:
        yield
    finally:
        _bound.reset(token)


@cache
def _from_environment() -> Resources:
    # `langgraph dev` reads `.env` itself (langgraph.json, key `env`); reading it here would block its loop.
    settings = Settings.load(dotenv=None)
    policy = ToolPolicy(settings.execute_require_confirm, settings.interpret_read_only_unconfirmed)
    return Resources(models=Models(settings), tools=EnvironmentHub(settings), tool_policy=policy)
