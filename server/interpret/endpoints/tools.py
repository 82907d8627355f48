"""`GET /v1/api/tools`: the registered tools (B031, G19)."""

from fastapi import Depends

from server.interpret import service
from server.interpret.endpoints.router import execute_router
from server.interpret.schemas import Answer, ToolBody
from server.runtime import CurrentRuntime
from server.security import current_principal

router = execute_router()


@router.get("/tools", dependencies=[Depends(current_principal)])
async def list_tools(runtime: CurrentRuntime) -> Answer[list[ToolBody]]:
    """List the tools of all servers that can be reached."""
    return Answer(data=await service.list_tools(runtime))
