"""SQL of Alibaba configurations and of the token that is kept with each. Every statement names the owner.

Who fetches a token claims the row for some seconds (`fetch_id`, `fetch_until`): no lock and no transaction is held
while Alibaba is asked. `fetches` counts the fetches that have ended, so that those who waited know that theirs is over.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.models.calls import AliyunConfig

# Between processes the database's own clock counts.
_NOW = func.clock_timestamp()


async def replace_config(session: AsyncSession, user_id: UUID, values: dict[str, Any]) -> None:
    """Write a new active configuration; the old one stays, inactive, without its token (G30)."""
    # One at a time for each user, or the second of two would not see the first's row, and break the index (W17).
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"aliyun_configs:{user_id}", 0))))
    await session.execute(
        update(AliyunConfig)
        .where(AliyunConfig.user_id == user_id, AliyunConfig.is_active)
        .values(is_active=False, updated_at=func.now(), token=None, token_issued_at=None, token_expires_at=None)
    )
    session.add(AliyunConfig(user_id=user_id, **values))
    await session.flush()


async def find_config(session: AsyncSession, user_id: UUID) -> AliyunConfig | None:
    """Read the active configuration."""
    statement = select(AliyunConfig).where(AliyunConfig.user_id == user_id, AliyunConfig.is_active)
    return await session.scalar(statement)


async def claim_fetch(session: AsyncSession, config: AliyunConfig, fetch_id: UUID, seconds: float) -> bool:
    """Claim the right to fetch a token; False when another process has it, or a fetch has ended since it was read."""
    claimed = await session.execute(
        update(AliyunConfig)
        .where(
            AliyunConfig.id == config.id,
            AliyunConfig.user_id == config.user_id,
            AliyunConfig.is_active,
            AliyunConfig.fetches == config.fetches,
            or_(AliyunConfig.fetch_id.is_(None), AliyunConfig.fetch_until < _NOW),
        )
        .values(
            fetch_id=fetch_id, fetch_until=_NOW + text("make_interval(secs => :seconds)").bindparams(seconds=seconds)
        )
        .returning(AliyunConfig.id)
        .execution_options(synchronize_session=False)
    )
    return claimed.first() is not None


async def end_fetch(
    session: AsyncSession, user_id: UUID, config_id: UUID, fetch_id: UUID, values: dict[str, Any]
) -> bool:
    """Store how a fetch ended; False when the claim is lost: it took too long, or the configuration was replaced."""
    ended = await session.execute(
        update(AliyunConfig)
        .where(
            AliyunConfig.id == config_id,
            AliyunConfig.user_id == user_id,
            AliyunConfig.is_active,
            AliyunConfig.fetch_id == fetch_id,
        )
        .values(fetch_id=None, fetch_until=None, fetches=AliyunConfig.fetches + 1, **values)
        .returning(AliyunConfig.id)
    )
    return ended.first() is not None


async def give_back(session: AsyncSession, user_id: UUID, config_id: UUID, fetch_id: UUID) -> None:
    """Let go of a claim without a result, so that nobody has to wait until it runs out."""
    await session.execute(
        update(AliyunConfig)
        .where(AliyunConfig.id == config_id, AliyunConfig.user_id == user_id, AliyunConfig.fetch_id == fetch_id)
        .values(fetch_id=None, fetch_until=None)
    )
