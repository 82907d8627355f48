"""Uploads: checked, read in a process of their own, kept in chunks (D030–D032, G39, X034)."""

from typing import Final
from uuid import UUID

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from core.errors import InvalidInput
from server.chat.access import Caller
from server.chat.embedding import EMBED_JOB
from server.chat.errors import (
    MOST_DOCUMENTS,
    SessionExpired,
    document_refused,
    document_too_large,
    too_many_documents,
)
from server.chat.repository import documents, sessions
from server.chat.schemas import SessionId, Uploaded, UserId
from server.chat.sessions import SessionManager, parsed
from server.runtime import Runtime, runtime_of
from tools.documents.detect import safe_name
from tools.documents.model import DocumentRefused
from tools.documents.parse import Parser

_FIELDS: Final = frozenset({"file", "session_id", "user_id"})
# What the parts of a form take beside the file.
FORM_BYTES: Final = 64 * 1024


class _Form(BaseModel):
    session_id: SessionId | None = None
    user_id: UserId | None = None


class Upload(BaseModel):
    """A file that was sent for a session."""

    filename: str
    content: bytes
    session_id: str | None
    user_id: str | None


async def uploaded(request: Request) -> Upload:
    """Read the form: one file, with the session and the user.

    By hand, because FastAPI takes the last of several files and drops the others.

    Raises:
        InvalidInput: no file, several, or a field that is not known.
        TooLarge: the file is over the limit.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise InvalidInput("请求体应为 multipart/form-data")
    async with request.form(max_files=2, max_fields=8, max_part_size=FORM_BYTES) as form:
        if unknown := set(form) - _FIELDS:
            raise InvalidInput(f"参数错误：{min(unknown)[:50]}：没有这一项")
        files = form.getlist("file")
        if len(files) != 1 or not isinstance(files[0], UploadFile):
            raise InvalidInput("每次请上传一个文件（字段 file）")
        most = runtime_of(request).settings.max_document_bytes
        if (files[0].size or 0) > most:
            raise document_too_large(most)
        try:
            fields = _Form.model_validate({name: form[name] for name in ("session_id", "user_id") if name in form})
        except ValidationError:
            raise InvalidInput("参数错误：session_id 或 user_id 不符合要求") from None
        return Upload(filename=files[0].filename or "", content=await files[0].read(), **fields.model_dump())


class DocumentService:
    """The documents of sessions."""

    def __init__(self, runtime: Runtime, manager: SessionManager) -> None:
        self._runtime = runtime
        self._manager = manager
        self._parser = Parser()

    async def add(self, caller: Caller, upload: Upload) -> Uploaded:
        """Read a document and add it to a session.

        Raises:
            SessionExpired: the caller has no such session.
            InvalidInput: the document cannot be read, or the session has all that it may have (DOCUMENT_LIMIT).
        """
        owner_id = await caller.owner(self._runtime.database.pool, upload.user_id)
        if upload.session_id is None:
            raise SessionExpired
        session_id = parsed(upload.session_id)
        # Before the work, and again when the document is kept.
        await self._check(owner_id, session_id)
        filename = safe_name(upload.filename)
        try:
            document = await self._parser.parse(filename, upload.content)
        except DocumentRefused as refusal:
            raise document_refused(refusal.reason) from None
        document_id = self._runtime.ids.uuid()
        async with self._manager.opened(owner_id, session_id) as (connection, session):
            # A long document takes a while to be written; only then the session is held, and the documents counted.
            await documents.insert(
                connection,
                session,
                document_id,
                filename=filename,
                document=document,
                size_bytes=len(upload.content),
                at=self._runtime.clock.now(),
            )
            await self._manager.hold(connection, session)
            count = await documents.count(connection, session_id)
            if count > MOST_DOCUMENTS:
                raise too_many_documents()
            await sessions.slide(connection, session, self._runtime.clock.now())
            if self._runtime.embedder is not None:
                await self._runtime.jobs.enqueue(connection, EMBED_JOB)
        return Uploaded(
            document_id=str(document_id), filename=filename, session_id=str(session_id), document_count=count
        )

    async def _check(self, owner_id: UUID | None, session_id: UUID) -> None:
        async with self._manager.opened(owner_id, session_id) as (connection, _session):
            if await documents.count(connection, session_id) >= MOST_DOCUMENTS:
                raise too_many_documents()
