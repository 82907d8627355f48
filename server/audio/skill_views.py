"""Skills as clients see them (A034, A035, A054)."""

from collections.abc import Sequence
from typing import Any, Final

from db.models.skills import SkillRow
from server.audio.repository import skills as repository
from server.audio.shelf import no_such_skill
from server.audio.skill_schemas import ExecutionStatistics, SkillDetail, SkillFailure, SkillItem, SkillList
from server.auth.principal import Principal
from server.runtime import Runtime

_FAILURES: Final = 10


def listed(rows: Sequence[SkillRow], *, enabled: bool | None, is_admin: bool) -> SkillList:
    """Return the list for a caller: what cannot be used is shown to administrators only."""
    shown = [row for row in rows if is_admin or row.problem is None]
    wanted = [row for row in shown if enabled is None or (row.enabled and row.problem is None) is enabled]
    return SkillList(skills=[SkillItem(**_item(row)) for row in wanted])


def detail(row: SkillRow, *, is_admin: bool) -> SkillDetail:
    """Return one skill for a caller.

    Raises:
        NotFound: it cannot be used, and the caller is no administrator.
    """
    if row.problem is not None and not is_admin:
        raise no_such_skill()
    return SkillDetail(
        **_item(row),
        skill_path=row.skill_path,
        keywords=row.details.get("keywords", []),
        references=row.details.get("references", []),
        overrides=row.details.get("overrides", {}),
        prompt_template=row.prompt_template,
        created_at=row.created_at,
    )


async def executions(runtime: Runtime, principal: Principal, skill_id: str, days: int) -> ExecutionStatistics:
    """Count how a skill did: for the caller, or for everybody where he is an administrator.

    Raises:
        NotFound: there is no such skill.
    """
    detail(await runtime.shelf.row(skill_id), is_admin=principal.is_admin)
    database, user_id = (runtime.system, None) if principal.is_admin else (runtime.database, principal.user_id)
    async with database.transaction(user_id) as session:
        found = await repository.statistics(session, skill_id, user_id, days)
        failed = await repository.failures(session, skill_id, user_id, days, _FAILURES)
    return ExecutionStatistics(
        skill_id=skill_id,
        days=days,
        scope="all" if user_id is None else "own",
        executions=found["executions"],
        successes=found["successes"],
        success_rate=found["successes"] / found["executions"] if found["executions"] else None,
        mean_confidence=found["mean_confidence"],
        p50_ms=found["p50"],
        p95_ms=found["p95"],
        last_at=found["last_at"],
        recent_failures=[
            SkillFailure(session_id=row.session_id, error_message=row.error_message, created_at=row.created_at)
            for row in failed
        ],
    )


def _item(row: SkillRow) -> dict[str, Any]:
    names = ("skill_id", "name", "description", "category", "priority", "enabled", "version", "updated_at", "problem")
    return {name: getattr(row, name) for name in names}
