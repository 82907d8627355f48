"""An answer as it comes: server-sent events whose last one is the one-shot answer, or the family's error (D043, G72).

Events carry ids: a deep turn's are its run's, a quick one's `<turn>:<number>`. Who comes back with the last one that he
has, gets what followed it.
"""

from collections.abc import AsyncIterator
from typing import Any, Final

from pydantic import BaseModel
from sse_starlette import ServerSentEvent

from server.chat.live import Live
from server.errors import translate
from server.families import CHAT
from server.runs.model import FIRST, EventId
from server.runtime import Runtime
from server.sse import frame

_TOLD: Final = frozenset({"phase", "delta", "reset"})


async def stream(
    runtime: Runtime, live: Live, after: str | None = None, *, debug: bool = False
) -> AsyncIterator[ServerSentEvent]:
    """Yield a turn's events that come after `after`, and at last its answer."""
    try:
        told = _deep(runtime, live, after) if live.turn.is_deep else _quick(live, after)
        async for event in told:
            yield event
        answer = await live.answer()
    except Exception as error:  # noqa: BLE001 - the answer has begun: here all of them are rendered
        shown: BaseModel = CHAT.body.of(translate(error, CHAT, debug=debug))
        yield frame("error", shown.model_dump(exclude_none=True))
    else:
        yield frame("result", answer.model_dump(mode="json"))


async def _deep(runtime: Runtime, live: Live, after: str | None) -> AsyncIterator[ServerSentEvent]:
    owner_id = live.turn.session.owner_id
    run_id = await live.started()
    if run_id is None:
        return
    async for event in runtime.engine.stream(owner_id, run_id, after=_event_id(after)):
        if event.event == "custom":
            data: dict[str, Any] = event.data
            if (kind := data.pop("type", None)) in _TOLD:
                yield frame(kind, data, str(event.id))
        elif event.event == "metadata" and event.data["attempt"] > 1:
            # The run goes on in another process: what the step in flight told is told again.
            yield frame("reset", {}, str(event.id))


def _event_id(text: str | None) -> EventId:
    try:
        return EventId.parse(text) if text else FIRST
    except ValueError:
        return FIRST


async def _quick(live: Live, after: str | None) -> AsyncIterator[ServerSentEvent]:
    turn, _colon, number = (after or "").partition(":")
    known = int(number) if turn == str(live.turn.id) and number.isdecimal() else 0
    if live.turn.work == "follow" or not live.turn.streams:
        # Word by word it was told elsewhere: here it comes whole.
        answer = await live.answer()
        yield frame("reset", {}, f"{live.turn.id}:0")
        yield frame("delta", {"text": answer.response}, f"{live.turn.id}:0")
        return
    async for place, event, data in live.events(known):
        yield frame(event, data, f"{live.turn.id}:{place}")
