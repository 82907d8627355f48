"""`/api/v1/skills`: what coaches know; administrators change it (A034–A038, G03, G04, K23)."""

from typing import Annotated

from fastapi import Query

from server.audio import skill_views
from server.audio.endpoints.router import audio_router
from server.audio.skill_schemas import ExecutionStatistics, NewSkill, SkillChanges, SkillDetail, SkillList
from server.auth.schemas import Envelope
from server.runtime import CurrentRuntime
from server.security import AdminPrincipal, PhonePrincipal

router = audio_router("/skills")


@router.get("")
async def listed(
    principal: PhonePrincipal,
    runtime: CurrentRuntime,
    enabled: Annotated[bool | None, Query(description="Only those that are switched on, or off")] = None,
) -> Envelope[SkillList]:
    """List skills; administrators also see those that cannot be used, and why."""
    rows = await runtime.shelf.rows()
    return Envelope(data=skill_views.listed(rows, enabled=enabled, is_admin=principal.is_admin))


@router.get("/{skill_id}")
async def read(skill_id: str, principal: PhonePrincipal, runtime: CurrentRuntime) -> Envelope[SkillDetail]:
    """Read one skill with its prompt."""
    return Envelope(data=skill_views.detail(await runtime.shelf.row(skill_id), is_admin=principal.is_admin))


@router.post("")
async def create(body: NewSkill, _admin: AdminPrincipal, runtime: CurrentRuntime) -> Envelope[SkillDetail]:
    """Make a skill: its file is written where the directory allows it."""
    return Envelope(data=skill_views.detail(await runtime.shelf.create(body.skill_id, body.values()), is_admin=True))


@router.put("/{skill_id}")
async def change(
    skill_id: str, body: SkillChanges, _admin: AdminPrincipal, runtime: CurrentRuntime
) -> Envelope[SkillDetail]:
    """Change a skill beside its file; that survives restarts, until it is reloaded."""
    return Envelope(data=skill_views.detail(await runtime.shelf.change(skill_id, body.values()), is_admin=True))


@router.post("/{skill_id}/reload")
async def reload(skill_id: str, _admin: AdminPrincipal, runtime: CurrentRuntime) -> Envelope[SkillDetail]:
    """Read a skill's file again, and drop what was changed beside it."""
    return Envelope(data=skill_views.detail(await runtime.shelf.reload(skill_id), is_admin=True))


@router.get("/{skill_id}/executions")
async def executions(
    skill_id: str,
    principal: PhonePrincipal,
    runtime: CurrentRuntime,
    days: Annotated[int, Query(ge=1, le=365, description="How far back")] = 30,
) -> Envelope[ExecutionStatistics]:
    """Tell how a skill did: with one's own recordings, and for administrators with everybody's."""
    return Envelope(data=await skill_views.executions(runtime, principal, skill_id, days))
