"""`/ok` and `/info`: whether the server is there, and what it can do. Public, as LangGraph Server's are."""

from importlib.metadata import version
from typing import Final

import structlog
from fastapi import Depends
from pydantic import BaseModel

from core.errors import Unavailable
from server.runs.protocol.routing import protocol_router
from server.runtime import CurrentRuntime
from server.security import anybody

log = structlog.get_logger(__name__)
router = protocol_router("", secured=False)

_PATIENCE_SECONDS: Final = 2.0


class Ok(BaseModel):
    """The server answers."""

    ok: bool = True


class Flags(BaseModel):
    """What of the protocol there is."""

    assistants: bool = True
    crons: bool = False
    langsmith: bool = False


class Host(BaseModel):
    """Where the server runs."""

    kind: str = "self-hosted"


class Info(BaseModel):
    """Versions and abilities."""

    version: str
    langgraph_py_version: str
    flags: Flags
    host: Host


# Read once: it looks into files.
_INFO: Final = Info(version=version("colloquy"), langgraph_py_version=version("langgraph"), flags=Flags(), host=Host())


@router.get("/ok", dependencies=[Depends(anybody)])
async def ok(runtime: CurrentRuntime, *, check_db: bool = False) -> Ok:
    """Tell that the server answers; with `check_db`, that its database does too."""
    if check_db:
        try:
            async with runtime.database.pool.connection(timeout=_PATIENCE_SECONDS) as connection:
                await connection.execute("SELECT 1")
        except Exception as error:
            log.warning("ok_database_down", error=type(error).__name__)
            raise Unavailable("The database does not answer.") from error
    return Ok()


@router.get("/info", dependencies=[Depends(anybody)])
async def info() -> Info:
    """Tell versions and abilities."""
    return _INFO
