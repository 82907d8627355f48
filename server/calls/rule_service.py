"""What can be done with answer rules (C043–C048, G32)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import Conflict, NotFound
from db.database import Database
from db.models.calls import CallAnswerRule
from server.calls import repository, rule_matching, rule_repository
from server.calls.rule_matching import Call
from server.calls.rule_schemas import Evaluation, IncomingCall, Rule, RuleBody


def _no_such_rule() -> NotFound:
    return NotFound("接听规则不存在")


async def create(database: Database, user_id: UUID, body: RuleBody) -> CallAnswerRule:
    """Make a rule.

    Raises:
        NotFound: the action's agent does not exist, or is another user's.
        Conflict: the user has as many rules as one may have (RULE_LIMIT).
    """
    async with database.transaction(user_id) as session:
        await _check_agent(session, user_id, body.agent_id)
        rule = await rule_repository.insert_rule(session, user_id, body.model_dump())
    if rule is None:
        raise Conflict(f"最多可以有{rule_repository.MOST_RULES}条接听规则", code="RULE_LIMIT")
    return rule


async def list_all(database: Database, user_id: UUID) -> list[Rule]:
    """Return all of a user's rules in the order in which they are tried."""
    async with database.transaction(user_id) as session:
        rules = await rule_repository.list_rules(session, user_id)
    return [Rule.model_validate(rule) for rule in rules]


async def read(database: Database, user_id: UUID, rule_id: UUID) -> CallAnswerRule:
    """Return one rule.

    Raises:
        NotFound: it does not exist, or is another user's.
    """
    async with database.transaction(user_id) as session:
        rule = await rule_repository.find_rule(session, user_id, rule_id)
    if rule is None:
        raise _no_such_rule()
    return rule


async def replace(database: Database, user_id: UUID, rule_id: UUID, body: RuleBody) -> CallAnswerRule:
    """Put another rule in the place of one, under its id.

    Raises:
        NotFound: the rule, or the action's agent, does not exist or is another user's.
    """
    async with database.transaction(user_id) as session:
        rule = await rule_repository.replace_rule(session, user_id, rule_id, body.model_dump())
        if rule is None:
            raise _no_such_rule()
        await _check_agent(session, user_id, body.agent_id)
    return rule


async def delete(database: Database, user_id: UUID, rule_id: UUID) -> None:
    """Delete a rule.

    Raises:
        NotFound: it does not exist, or is another user's.
    """
    async with database.transaction(user_id) as session:
        if not await rule_repository.delete_rule(session, user_id, rule_id):
            raise _no_such_rule()


async def evaluate(database: Database, user_id: UUID, body: IncomingCall, now: datetime) -> Evaluation:
    """Return which rule would fire for a call, and why."""
    call = Call(body.caller_app, body.caller_phone, body.time or now)
    fired, considered = rule_matching.fires(await list_all(database, user_id), call)
    return Evaluation(rule=fired, time=call.at, considered=considered)


async def _check_agent(session: AsyncSession, user_id: UUID, agent_id: UUID | None) -> None:
    if agent_id is not None and not await repository.may_use_agent(session, user_id, agent_id):
        raise NotFound("智能体不存在", code="AGENT_NOT_FOUND")
