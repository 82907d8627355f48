"""`documents/upload`: one document a request, five a session (D030, D031, G39)."""

from typing import Annotated, Final

from fastapi import Depends

from server.chat.access import CurrentCaller
from server.chat.documents import Upload, uploaded
from server.chat.endpoints.router import chat_router
from server.chat.schemas import Uploaded
from server.chat.service import CurrentChat
from server.forms import form
from server.limits import limited

router = chat_router("/documents")

_FORM: Final = form(
    {"file": "txt, md, csv, json, docx or pdf"}, {"session_id": "", "user_id": ""}, required=("file", "session_id")
)


# The count of requests first: a form may be ten megabytes.
@router.post("/upload", dependencies=[Depends(limited("uploads"))], openapi_extra=_FORM)
async def upload(caller: CurrentCaller, chat: CurrentChat, document: Annotated[Upload, Depends(uploaded)]) -> Uploaded:
    """Add a txt, md, csv, json, docx or pdf file to a session."""
    return await chat.documents.add(caller, document)
