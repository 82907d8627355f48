"""One call of a tool, over all its attempts: what may be repeated, and what the answers mean (G21)."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import structlog
from mcp.types import CallToolResult, ElicitRequest, ElicitResult, InputRequiredResult, InputResponses
from pydantic import ValidationError

from tools.mcp import results
from tools.mcp.arguments import problems
from tools.mcp.catalogue import Catalogue
from tools.mcp.clean import clean
from tools.mcp.connection import Request
from tools.mcp.model import (
    Answers,
    InputNeeded,
    InvalidArguments,
    Tool,
    ToolResult,
    ToolTimedOut,
    ToolUnreachable,
)
from tools.mcp.server import PluggedServer, Refused, ToolBusy

log = structlog.get_logger(__name__)

_UNUSABLE: Final = "The tool's answer breaks its own output schema or the protocol. It may have done its work."
_NO_END: Final = "The tool asked to be called again and again."
# A server that sheds load may ask to be called once more, with a state.
_ROUNDS: Final = 10
_ROUND_SECONDS: Final = 0.2
_NOT_OFFERED: Final = "The tool asks for something that this service does not offer."


class Attempts:
    """The attempts of one call; each looks the tool up anew, so that a changed schema is seen before it is sent."""

    def __init__(
        self,
        catalogue: Catalogue,
        servers: Mapping[str, PluggedServer],
        name: str,
        arguments: Mapping[str, Any],
        *,
        call_id: str,
        answers: Answers | None,
        output_limit: int,
    ) -> None:
        self._catalogue = catalogue
        self._servers = servers
        self._name = name
        self._arguments = dict(arguments)
        self._call_id = call_id
        self._responses = _responses(answers)
        self._state = answers.state if answers else None
        self._output_limit = output_limit
        self.tool: Tool | None = None
        self.sent = False

    async def make(self) -> ToolResult | InputNeeded:
        """Make one attempt.

        Raises:
            UnknownTool, InvalidArguments, ToolUnreachable, ToolTimedOut: as `ToolHub.call` says.
        """
        self.tool = tool = await self._catalogue.find(self._name)
        if found := problems(tool.input_schema, self._arguments):
            raise InvalidArguments(found)
        try:
            answer = await self._send(tool)
        except Refused as error:
            return results.failure(str(error))
        except (RuntimeError, ValidationError) as error:
            # What the library raises where an answer came and does not fit.
            log.warning("mcp_unusable_answer", server=tool.server, tool=tool.own_name, error=type(error).__name__)
            return results.failure(_UNUSABLE)
        if isinstance(answer, InputRequiredResult):
            return _input_needed(answer)
        return results.render(answer, limit=self._output_limit)

    async def _send(self, tool: Tool) -> CallToolResult | InputRequiredResult:
        """Send the request, again where the server asks for nothing but that (SEP-2322: a state, and no questions)."""
        for _round in range(_ROUNDS):
            answer = await self._servers[tool.server].call(
                Request(
                    tool=tool.own_name,
                    arguments=self._arguments,
                    call_id=self._call_id,
                    responses=self._responses,
                    state=self._state,
                )
            )
            if not isinstance(answer, InputRequiredResult) or answer.input_requests:
                return answer
            self._state = answer.request_state
            await asyncio.sleep(_ROUND_SECONDS)
        raise Refused(_NO_END)

    def may_be_repeated(self, error: BaseException) -> bool:
        """Tell whether the call may be sent again after this error without asking anybody."""
        repeatable = self.tool is not None and self.tool.repeatable
        match error:
            case ToolBusy():
                return False
            case ToolUnreachable(sent=sent):
                self.sent = self.sent or sent
                return not self._is_open() and (repeatable or not self.sent)
            case ToolTimedOut():
                self.sent = True
                return repeatable
        return False

    def _is_open(self) -> bool:
        known = self._catalogue.server_of(self._name)
        return known is not None and self._servers[known].breaker.state == "open"


def _responses(answers: Answers | None) -> InputResponses | None:
    if answers is None:
        return None
    try:
        return {key: ElicitResult.model_validate(value) for key, value in answers.responses.items()}
    except ValidationError:
        raise InvalidArguments(("answers: each has an action (accept, decline, cancel) and simple content",)) from None


def _input_needed(answer: InputRequiredResult) -> ToolResult | InputNeeded:
    requests = answer.input_requests or {}
    if not all(isinstance(request, ElicitRequest) for request in requests.values()):
        return results.failure(_NOT_OFFERED)
    plain = {key: asked.model_dump(by_alias=True, mode="json", exclude_none=True) for key, asked in requests.items()}
    return InputNeeded(requests=clean(plain), state=answer.request_state)
