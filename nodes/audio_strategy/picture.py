"""Step 8: one picture is made and put into the storage. A picture that fails never fails the strategy (G11)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import structlog
from langgraph.types import StreamWriter

from core.errors import ColloquyError
from nodes.audio_strategy.progress import records
from nodes.audio_strategy.records import Visual
from nodes.audio_strategy.state import PictureTask
from nodes.common.attempts import paint
from nodes.common.resources import resources
from nodes.common.storage import storage
from providers.images.model import MOST_BYTES, Cards
from tools.pictures.card import Card, draw
from tools.pictures.kind import NotAPicture, kind_of

# Seconds for one picture, all attempts counted in.
PICTURE_SECONDS: Final = 240.0
_PIECE: Final = 64 * 1024

log = structlog.get_logger(__name__)


async def picture(state: PictureTask, *, writer: StreamWriter) -> dict[str, Any]:
    """Make one picture and store what became of it.

    One that was stored before the process died is not made, nor paid for, again.
    """
    index = state["visual"]["image_index"]
    settled = await records().visual(state["session_id"], state["strategy_id"], index)
    if settled is None or settled["status"] != "completed":
        settled = await _settled(state)
        await records().save_visual(state["session_id"], state["strategy_id"], settled)
    writer({"type": "step", "step": "picture", "image_index": index, "status": settled["status"]})
    # Keys of a JSON object are strings.
    return {"painted": {str(index): settled}}


async def _settled(task: PictureTask) -> Visual:
    index, prompt = task["visual"]["image_index"], task["visual"]["prompt"]
    try:
        async with asyncio.timeout(PICTURE_SECONDS):
            key = await _stored(task)
    except (ColloquyError, NotAPicture, TimeoutError) as error:
        log.warning("picture_failed", image_index=index, error=type(error).__name__)
        return Visual(image_index=index, prompt=prompt, status="failed", image_url=None)
    address = f"/api/v1/images/{task['session_id']}/{index}"
    return Visual(image_index=index, prompt=prompt, status="completed", image_url=address, key=key)


async def _stored(task: PictureTask) -> str:
    content = await _made(task)
    kind = await kind_of(content)
    stored = await storage().put("pictures", kind, _pieces(content), most_bytes=MOST_BYTES)
    return stored.key


async def _made(task: PictureTask) -> bytes:
    painter = await resources().models.painter()
    match painter:
        case None:
            # It was there when the strategy was stored; somebody has changed the configuration since.
            raise NotAPicture("nothing is configured that paints")
        case Cards():
            return await draw(Card(task["title"], task["lines"], task["visual"]["image_index"]))
    return await paint(painter, task["visual"]["prompt"])


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), _PIECE):
        yield content[start : start + _PIECE]
