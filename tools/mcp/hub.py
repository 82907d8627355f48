"""The plugged-in servers as one catalogue and one way to call (issue 5; G18–G21)."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final, Self

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, stop_after_delay, wait_random_exponential

from tools.mcp.attempt import Attempts
from tools.mcp.catalogue import Catalogue
from tools.mcp.configuration import ServerConfig
from tools.mcp.limits import Limits
from tools.mcp.model import (
    Answers,
    Disabled,
    InputNeeded,
    Observer,
    Outcome,
    ServerHealth,
    Tool,
    ToolResult,
    ToolTimedOut,
    ToolUnreachable,
    none_disabled,
)
from tools.mcp.server import PluggedServer

_FIRST_WAIT_SECONDS: Final = 0.1
_LONGEST_WAIT_SECONDS: Final = 2.0
# No attempt begins after so many times the limit of one.
_PATIENCE: Final = 2


class McpHub:
    """Implements `OpenToolHub` on real servers. `start` does not wait for any of them."""

    def __init__(
        self,
        servers: Mapping[str, ServerConfig],
        *,
        limits: Limits | None = None,
        disabled: Disabled = none_disabled,
        observer: Observer | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._servers = {name: PluggedServer(name, config, self._limits) for name, config in servers.items()}
        self._catalogue = Catalogue(self._servers, disabled)
        self._observer = observer

    def start(self) -> None:
        """Begin to connect to all servers, in the background."""
        for server in self._servers.values():
            server.nudge()

    async def close(self) -> None:
        """End all connections and child processes."""
        await asyncio.gather(*(server.close() for server in self._servers.values()))

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    def health(self) -> tuple[ServerHealth, ...]:
        """Tell how each server is, as far as is known; asks none of them."""
        return tuple(server.health() for server in self._servers.values())

    async def tools(self) -> tuple[Tool, ...]:
        """See `ToolHub.tools`."""
        return await self._catalogue.tools()

    async def find(self, name: str) -> Tool:
        """See `ToolHub.find`; `server.tool` finds a tool also where its name needs no prefix."""
        return await self._catalogue.find(name)

    async def call(
        self, name: str, arguments: Mapping[str, Any], *, call_id: str, answers: Answers | None = None
    ) -> ToolResult | InputNeeded:
        """See `ToolHub.call`."""
        attempts = Attempts(
            self._catalogue,
            self._servers,
            name,
            arguments,
            call_id=call_id,
            answers=answers,
            output_limit=self._limits.output_bytes,
        )
        began = time.monotonic()
        try:
            result = await self._repeat(attempts)
        except ToolUnreachable as error:
            # An earlier attempt may have arrived where the last one surely did not.
            error.sent = attempts.sent
            self._tell(attempts, "unreachable", began)
            raise
        except ToolTimedOut:
            self._tell(attempts, "timed_out", began)
            raise
        self._tell(attempts, _outcome(result), began)
        return result

    async def _repeat(self, attempts: Attempts) -> ToolResult | InputNeeded:
        retrying = AsyncRetrying(
            stop=stop_after_attempt(self._limits.retries + 1) | stop_after_delay(_PATIENCE * self._limits.call),
            wait=wait_random_exponential(multiplier=_FIRST_WAIT_SECONDS, max=_LONGEST_WAIT_SECONDS),
            retry=retry_if_exception(attempts.may_be_repeated),
            reraise=True,
        )
        return await retrying(attempts.make)

    def _tell(self, attempts: Attempts, outcome: Outcome, began: float) -> None:
        if self._observer is not None and attempts.tool is not None:
            self._observer(attempts.tool.server, attempts.tool.own_name, outcome, time.monotonic() - began)


def _outcome(result: ToolResult | InputNeeded) -> Outcome:
    if isinstance(result, InputNeeded):
        return "input_needed"
    return "tool_error" if result.is_error else "ok"
