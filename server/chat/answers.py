"""Answering what was accepted: quickly by one model call, deeply by a run, or by what is under way already."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, cast
from uuid import UUID

import structlog
from langchain_core.runnables.config import set_config_context

from core.errors import ColloquyError, Conflict, ModelFailed, NotFound, TimedOut, Unavailable
from core.tasks import end
from db.database import acting_for
from nodes.common.resources import Resources, bind
from nodes.meta_workflow.quick import reply
from nodes.meta_workflow.state import Memory, PastTurn
from providers.usage import Usage, UsageCollector
from server.chat.errors import SessionExpired, no_pending_decision, session_busy
from server.chat.live import Live
from server.chat.outcomes import failure, stored_answer
from server.chat.repository import messages, quick, sessions
from server.chat.schemas import Answer, ChatAnswer, DeepAnswer, deep_answer
from server.chat.turns import Asked, Turn, Turns
from server.metrics import count_model_calls
from server.runs.model import RunRequest, RunResult, RunStatus
from server.runtime import Runtime

log = structlog.get_logger(__name__)

WORKFLOW: Final = "meta_workflow"
_RENEW_SECONDS: Final = sessions.LEASE_SECONDS / 4
# How long a cancelled run may take to write its end before the answer goes out without it.
_CANCEL_SECONDS: Final = 0.7
_LOOK_SECONDS: Final = 0.3
# Turns that are answered stay so long, so that a stream that broke just then can be taken up word by word.
_STAY_SECONDS: Final = 60.0
_MOST_STAYING: Final = 500
_STOP_SECONDS: Final = 5.0


class Answers:
    """Answers turns, each in a task of its own: a client that leaves does not end it (D043)."""

    def __init__(self, runtime: Runtime, turns: Turns) -> None:
        self._runtime = runtime
        self._turns = turns
        self._live: dict[UUID, Live] = {}

    async def begin(self, asked: Asked) -> Live:
        """Accept a message and begin to answer it.

        Raises:
            ColloquyError: it is refused (see `Turns.accept`).
        """
        return await asyncio.shield(asyncio.create_task(self._begin(asked), name="accept a message"))

    async def _begin(self, asked: Asked) -> Live:
        # Shielded: what is accepted has to begin, also when nobody waits for it any more.
        return self.follow(await self._turns.accept(asked))

    def follow(self, turn: Turn) -> Live:
        """Return a turn as it is answered in this process; one that is new, or another's, begins to be so."""
        if (known := self._live.get(turn.id)) is not None and turn.work == "follow":
            return known
        live = self._live[turn.id] = Live(turn)
        live.begin(asyncio.create_task(self._answer(live), name=f"turn {turn.id}"))
        return live

    async def stop(self) -> None:
        """Give quick answers under way a moment, and end what waits: runs go on elsewhere, and keep their answers."""
        tasks = {live.task: live.turn for live in self._live.values() if live.task is not None and not live.task.done()}
        if quick_ones := [task for task, turn in tasks.items() if turn.work == "reply"]:
            await asyncio.wait(quick_ones, timeout=_STOP_SECONDS)
        for task in tasks:
            await end(task)

    async def _answer(self, live: Live) -> Answer:
        turn = live.turn
        try:
            if turn.work == "follow":
                return await self._follow(live)
            async with self._renewed(turn):
                return await (self._deeply(live) if turn.is_deep else self._quickly(live))
        except ModelFailed as error:
            # 003 answers 500 where a model fails (D035, G67).
            raise ColloquyError(error.message) from error
        finally:
            asyncio.get_running_loop().call_later(_STAY_SECONDS, self._forget, live)
            for old in list(self._live)[: max(0, len(self._live) - _MOST_STAYING)]:
                if (task := self._live[old].task) is not None and task.done():
                    del self._live[old]

    def _forget(self, live: Live) -> None:
        if self._live.get(live.turn.id) is live:
            del self._live[live.turn.id]

    @asynccontextmanager
    async def _renewed(self, turn: Turn) -> AsyncIterator[None]:
        """Keep the session for the turn, however long it takes."""
        renewing = asyncio.create_task(self._renew(turn), name="lease")
        try:
            yield
        finally:
            await end(renewing)

    async def _release(self, turn: Turn) -> None:
        async with acting_for(self._runtime.database.pool, turn.session.owner_id) as connection:
            await sessions.release(connection, turn.session.id, turn.id)

    async def _renew(self, turn: Turn) -> None:
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            try:
                async with acting_for(self._runtime.database.pool, turn.session.owner_id) as connection:
                    await sessions.renew(connection, turn.session.id, turn.id)
            except Exception as error:  # noqa: BLE001 - the database may be restarting; the next time may do
                log.warning("lease_not_renewed", error=type(error).__name__)

    async def _quickly(self, live: Live) -> ChatAnswer:
        """Ask the fast model once, outside of any transaction (D015, D018)."""
        turn, runtime = live.turn, self._runtime
        collector = UsageCollector()
        bound = Resources(models=runtime.models, clock=runtime.clock, ids=runtime.ids)
        try:
            with bind(bound), set_config_context({"callbacks": [collector]}) as context:
                asking = asyncio.create_task(_reply(live), context=context)
                async with asyncio.timeout(runtime.settings.deep_timeout_seconds):
                    text = await asking
        except BaseException as error:
            await self._keep(turn, None, collector.drain())
            if isinstance(error, TimeoutError):
                raise TimedOut("请求处理超时，请稍后重试") from None
            raise
        if live.turn.streams and live.text_told() != text:
            live.tell("reset", {})
            live.tell("delta", {"text": text})
        await self._keep(turn, text, collector.drain())
        return ChatAnswer(response=text, session_id=str(turn.session.id))

    async def _keep(self, turn: Turn, text: str | None, calls: list[Usage]) -> None:
        count_model_calls(calls)
        now = self._runtime.clock.now()
        if not await quick.keep(self._runtime.database.pool, turn.session, turn.id, text, calls, now):
            raise SessionExpired

    async def _deeply(self, live: Live) -> DeepAnswer:
        """Run the workflow on the session's thread, within the budget (G41)."""
        try:
            return await self._run(live)
        except BaseException:
            await self._release(live.turn)
            raise

    async def _run(self, live: Live) -> DeepAnswer:
        turn = live.turn
        deadline = time.monotonic() + self._runtime.settings.deep_timeout_seconds
        if turn.work == "leave_draft":
            await self._leave_draft(turn, deadline)
        try:
            run_id = await self._start(turn)
        except Conflict as error:
            raise (no_pending_decision() if error.code == "NOT_INTERRUPTED" else session_busy()) from None
        except NotFound as error:
            # The lists of workflows that are served do not name it.
            raise Unavailable("深度思考暂不可用，请稍后重试") from error
        live.run_id.set_result(run_id)
        try:
            result = await self._runtime.engine.wait(turn.session.owner_id, run_id, deadline - time.monotonic())
        except NotFound:
            # Its thread was deleted meanwhile.
            raise SessionExpired from None
        return await self._settle(turn, result)

    async def _start(self, turn: Turn) -> UUID:
        engine, session = self._runtime.engine, turn.session
        request = self._request(turn)
        if turn.work == "decide":
            return await engine.resume(request, turn.decision)
        if turn.work == "go_on":
            state = await engine.state(session.owner_id, session.thread_id)
            if state.next:
                return await engine.start(request)
        return await engine.start(
            RunRequest(
                **{
                    **vars(request),
                    "input": {
                        "message": turn.message,
                        "tags": list(turn.tags),
                        "session_id": str(session.id),
                        "memory": session.memory,
                        "turns": turn.past,
                    },
                }
            )
        )

    def _request(self, turn: Turn) -> RunRequest:
        return RunRequest(
            thread_id=turn.session.thread_id,
            owner_id=turn.session.owner_id,
            workflow=WORKFLOW,
            metadata={"session_id": str(turn.session.id), "turn_id": str(turn.id)},
        )

    async def _leave_draft(self, turn: Turn, deadline: float) -> None:
        """Let the draft be compiled as it is, and then write the new message down (G34)."""
        engine, session = self._runtime.engine, turn.session
        request = self._request(turn)
        request.metadata.pop("turn_id")
        try:
            run_id = await engine.resume(request, "skip")
            result = await engine.wait(session.owner_id, run_id, deadline - time.monotonic())
            if not result.status.finished:
                raise failure(result)
        except Conflict:
            # It was answered by other means meanwhile.
            log.info("draft_left_by_others", thread_id=str(session.thread_id))
        async with acting_for(self._runtime.database.pool, session.owner_id) as connection:
            held = await sessions.find(connection, session.id, session.owner_id, lock=True)
            if held is None:
                raise SessionExpired
            await messages.insert_question(
                connection,
                session,
                turn.id,
                mode="deep",
                content=turn.message,
                tags=turn.tags,
                idempotency=turn.idempotency,
                at=self._runtime.clock.now(),
            )

    async def _settle(self, turn: Turn, result: RunResult) -> DeepAnswer:
        engine, session = self._runtime.engine, turn.session
        if not result.status.finished:
            await engine.cancel(session.owner_id, result.run_id)
            result = await engine.wait(session.owner_id, result.run_id, _CANCEL_SECONDS)
        # It may have come to its end between the deadline and the cancellation.
        if result.status != RunStatus.success or not result.output:
            raise failure(result)
        answer = deep_answer(str(session.id), result.output)
        async with acting_for(self._runtime.database.pool, session.owner_id) as connection:
            if await sessions.find(connection, session.id, session.owner_id, lock=True) is None:
                raise SessionExpired
            # The workflow has stored it already, unless it is one that keeps no records.
            await messages.insert_answer(
                connection,
                session,
                turn.id,
                mode="deep",
                content=answer.response,
                answer=result.output,
                at=self._runtime.clock.now(),
            )
            await sessions.release(connection, session.id, turn.id)
        return answer

    async def _follow(self, live: Live) -> Answer:
        """Wait for an answer that is stored already, or that another process is at."""
        turn, session = live.turn, live.turn.session
        deadline = time.monotonic() + self._runtime.settings.deep_timeout_seconds
        while True:
            async with acting_for(self._runtime.database.pool, session.owner_id) as connection:
                stored = await messages.turn(connection, session, turn.id)
                run = await messages.run_of(connection, session.thread_id, turn.id)
                now = await sessions.find(connection, session.id, session.owner_id)
            if run is not None and not live.run_id.done():
                live.run_id.set_result(run.id)
            if stored is not None and stored.is_answered:
                return stored_answer(stored)
            if run is not None and RunStatus(run.status).finished:
                return await self._settle(turn, await self._runtime.engine.result(session.owner_id, run.id))
            if run is None and (now is None or not now.is_leased):
                raise ColloquyError("上一条消息没有得到回答，请重新发送")
            if time.monotonic() >= deadline:
                raise TimedOut("请求处理超时，请稍后重试")
            await asyncio.sleep(_LOOK_SECONDS)


async def _reply(live: Live) -> str:
    turn = live.turn
    # Plain JSON, as the workflow itself has written it.
    memory, past = cast(Memory, turn.session.memory), cast(list[PastTurn], turn.past)
    if not turn.streams:
        return await reply(turn.message, memory, past)
    return await reply(
        turn.message,
        memory,
        past,
        on_text=lambda text: live.tell("delta", {"text": text}),
        on_restart=lambda: live.tell("reset", {}),
    )
