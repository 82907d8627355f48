"""`/api/v1/agents`: the voice agents that calls belong to (G23)."""

from server.calls import service
from server.calls.endpoints.router import calls_router
from server.calls.schemas import AgentCreate, AgentDetail, AgentList, Answer
from server.paging import PageNumber, PageSize
from server.runtime import CurrentRuntime
from server.security import CurrentPrincipal

router = calls_router("/agents")


@router.post("")
async def create(body: AgentCreate, principal: CurrentPrincipal, runtime: CurrentRuntime) -> Answer[AgentDetail]:
    """Make an agent of one's own."""
    return Answer(data=await service.create_agent(runtime.database, principal.user_id, body))


@router.get("")
async def list_page(
    principal: CurrentPrincipal, runtime: CurrentRuntime, page: PageNumber = 1, page_size: PageSize = 20
) -> Answer[AgentList]:
    """List one's own and the shared agents."""
    agents = await service.list_agents(runtime.database, principal.user_id, page=page, page_size=page_size)
    return Answer(data=agents)
