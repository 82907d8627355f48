"""An upload: stored while it arrives, decoded, and given to the analysis (A021, A022, G05, X034)."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from fastapi import Request

from core.clock import BEIJING
from core.errors import ColloquyError, InvalidInput
from db.models.recordings import AudioTask
from server.audio import analysing, files
from server.audio.repository import files as file_repository
from server.audio.repository import sessions
from server.audio.schemas import UploadedSession
from server.idempotency import key_of, key_reused
from server.multipart import Part, parts
from server.runtime import Runtime
from tools.audio.model import AudioInfo, AudioRefused
from tools.documents.detect import safe_name
from tools.transcripts import read as transcripts
from tools.transcripts.model import MOST_BYTES, Segment

# What a form takes beside the recording: a transcript, a title, and the lines between them.
FORM_BYTES: Final = MOST_BYTES + 64 * 1024
_LONGEST_TITLE: Final = 200
_MEDIA_TYPES: Final = {
    "wav": "audio/wav",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "mp4": "audio/mp4",
    "aac": "audio/aac",
    "ogg": "audio/ogg",
    "webm": "audio/webm",
}


@dataclass
class _Form:
    """What came in so far."""

    key: str | None = None
    size: int = 0
    sha256: str = ""
    filename: str = ""
    title: str | None = None
    transcript: bytes | None = None
    seen: set[str] = field(default_factory=set)


async def upload(runtime: Runtime, user_id: UUID, request: Request) -> UploadedSession:
    """Take in a recording, and begin its analysis.

    The same request again under its Idempotency-Key gives the same session.

    Raises:
        InvalidInput: the form, the recording or the transcript cannot be used; or the key belongs to another request.
        TooLarge: the recording is over the limit.
        Unavailable: there is no room.
    """
    request_key = key_of(request)
    form = _Form()
    try:
        key = await _receive(runtime, user_id, request, form)
        async with runtime.storage.file(key) as path:
            info = await runtime.audio_tools.probe(path)
        said = await _transcript(form, info)
        task, is_new = await _keep(runtime, user_id, _values(runtime, form, info, said), request_key, form)
        if not is_new:
            await files.discard(runtime, user_id, key)
    except BaseException:
        if form.key is not None:
            await asyncio.shield(files.discard(runtime, user_id, form.key))
        raise
    await _begin(runtime, task, is_new=is_new)
    return UploadedSession(session_id=task.id, title=task.title, status="pending", created_at=task.created_at)


async def _receive(runtime: Runtime, user_id: UUID, request: Request, form: _Form) -> str:
    """Read the form; each field may be there once, in any order. Returns the key of the stored recording."""
    async with aclosing(parts(request)) as received:
        async for part in received:
            if part.name in form.seen:
                raise InvalidInput(f"字段 {part.name[:50]} 只能有一个")
            form.seen.add(part.name)
            match part.name:
                case "file":
                    await _store(runtime, user_id, part, form)
                case "transcript":
                    form.transcript = await part.read(MOST_BYTES + 1)
                case "title":
                    form.title = _title(await part.read(4 * _LONGEST_TITLE))
                case _:
                    raise InvalidInput(f"参数错误：{part.name[:50]}：没有这一项")
    if form.key is None:
        raise InvalidInput("请上传一个文件（字段 file）")
    return form.key


async def _store(runtime: Runtime, user_id: UUID, part: Part, form: _Form) -> None:
    digest = hashlib.sha256()

    async def counted() -> AsyncIterator[bytes]:
        async for block in part.content:
            digest.update(block)
            yield block

    # Its name says nothing about what it is: that is found by decoding it.
    most = runtime.settings.max_recording_bytes
    stored = await files.put(runtime, user_id, "recordings", "audio", counted(), most_bytes=most)
    form.key, form.size, form.sha256 = stored.key, stored.size, digest.hexdigest()
    form.filename = part.filename or ""
    if stored.size == 0:
        raise AudioRefused("empty")


def _title(content: bytes) -> str | None:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise InvalidInput("参数错误：title：应为 UTF-8 编码") from None
    title = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(title) > _LONGEST_TITLE:
        raise InvalidInput(f"参数错误：title：不能超过{_LONGEST_TITLE}字")
    return title or None


async def _transcript(form: _Form, info: AudioInfo) -> list[Segment] | None:
    if not form.transcript:
        return None
    return await asyncio.to_thread(transcripts.read, form.transcript, info.duration)


def _values(runtime: Runtime, form: _Form, info: AudioInfo, said: list[Segment] | None) -> dict[str, Any]:
    session_id = runtime.ids.uuid()
    stem, _dot, _suffix = safe_name(form.filename).rpartition(".")
    made = runtime.clock.now().astimezone(BEIJING).strftime("录音 %Y-%m-%d %H:%M")
    return {
        "id": session_id,
        "title": form.title or stem[:_LONGEST_TITLE].strip(" .") or made,
        "duration": info.duration,
        "audio_path": form.key,
        "audio_url": f"/api/v1/tasks/sessions/{session_id}/audio",
        "media_type": _MEDIA_TYPES[info.container],
        "size_bytes": form.size,
        "brought_transcript": said,
        "analysis_thread_id": runtime.ids.uuid(),
    }


async def _keep(
    runtime: Runtime, user_id: UUID, values: dict[str, Any], request_key: str | None, form: _Form
) -> tuple[AudioTask, bool]:
    """Write the session, or find the one that this request has made before."""
    digest = _digest(form)
    async with runtime.database.transaction(user_id) as session:
        keyed = values | {"request_key": request_key, "request_sha256": digest if request_key else None}
        task = await sessions.add(session, user_id, keyed)
        if task is not None:
            await file_repository.keep(session, values["audio_path"])
            return task, True
        known = await sessions.by_key(session, user_id, request_key or "")
    if known is None or known.request_sha256 != digest:
        raise key_reused()
    return known, False


def _digest(form: _Form) -> bytes:
    asked = (form.sha256, form.title or "", form.filename, hashlib.sha256(form.transcript or b"").hexdigest())
    return hashlib.sha256("\n".join(asked).encode()).digest()


async def _begin(runtime: Runtime, task: AudioTask, *, is_new: bool) -> None:
    if not is_new and await runtime.engine.newest(task.user_id, task.analysis_thread_id) is not None:
        return
    try:
        await analysing.begin(runtime, task.user_id, task.id, task.analysis_thread_id)
    except ColloquyError:
        # Nothing is left of an upload that was refused.
        async with runtime.database.transaction(task.user_id) as session:
            await sessions.remove(session, task.user_id, task.id)
        await files.sweep(runtime.database, runtime.storage, task.user_id)
        raise
