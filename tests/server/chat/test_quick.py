"""Sessions and quick mode over HTTP: scenario T15, D001–D020, G36–G44."""

import asyncio
import io
import json
import re
from typing import Any
from uuid import UUID

import httpx
import pytest
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from core import logging
from db.database import acting_for
from server.chat.repository import messages, sessions
from server.chat.turns import REMEMBERED_TURNS
from tests.kit.app import Service
from tests.kit.cases import together
from tests.kit.model_faults import CutStream, Delay, Status
from tests.kit.model_server import ModelServer
from tests.kit.people import SetClock
from tests.server.chat.conftest import (
    CHAT,
    EXPIRED,
    INIT,
    NEW,
    SESSIONS,
    Person,
    events_of,
    refusal,
    somebody,
    text_of,
)


class TestInit:
    async def test_a_user_and_a_session(self, anonymous: httpx.AsyncClient) -> None:
        response = await anonymous.get(INIT)
        assert response.status_code == 200
        assert response.headers["cache-control"] == "no-store"
        body = response.json()
        assert list(body) == ["success", "user_id", "session_id", "thread_id"]
        assert body["success"] is True
        assert re.fullmatch(r"frontend_user_\d{10}_[0-9a-f]{6}", body["user_id"])
        assert UUID(body["session_id"]).version == 4
        assert UUID(body["thread_id"]).version == 5

    async def test_each_time_others(self, anonymous: httpx.AsyncClient) -> None:
        bodies = [(await anonymous.get(INIT)).json() for _ in range(3)]
        for name in ("user_id", "session_id", "thread_id"):
            assert len({body[name] for body in bodies}) == 3

    async def test_a_failure_has_the_seeds_sentence(
        self, anonymous: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def crash(*_: Any, **__: Any) -> None:
            raise RuntimeError("password=hunter2")

        monkeypatch.setattr("server.chat.repository.sessions.insert", crash)
        response = await anonymous.get(INIT)
        assert response.status_code == 500
        assert response.json() == {
            "success": False,
            "error": "初始化会话失败，请稍后重试。",
            "error_code": "INTERNAL_ERROR",
            "detail": response.headers["x-request-id"],
        }


class TestNew:
    async def test_another_conversation_of_the_same_user(self, person: Person, scripted: ModelServer) -> None:
        response = await person.client.post(NEW, json={"user_id": person.user_id})
        assert response.status_code == 200
        body = response.json()
        assert list(body) == ["success", "session_id", "thread_id"]
        assert person.session_id != body["session_id"]
        assert person.thread_id != body["thread_id"]
        await person.say("我卖茶")
        other = Person(person.client, person.user_id, body["session_id"], body["thread_id"])
        assert (await other.say("你好")).status_code == 200
        assert "我卖茶" not in scripted.requests("fast")[-1].user
        assert (await person.say("再说一次")).status_code == 200
        assert "我卖茶" in scripted.requests("fast")[-1].user

    async def test_a_user_never_seen(self, anonymous: httpx.AsyncClient, scripted: ModelServer) -> None:
        body = (await anonymous.post(NEW, json={"user_id": "老用户 1"})).json()
        person = Person(anonymous, "老用户 1", body["session_id"], body["thread_id"])
        assert (await person.say("你好")).status_code == 200

    @together("user_id", ["", "  ", "x" * 129, None, 1, "\0", "\ud800"])
    async def test_names_that_are_none(self, anonymous: httpx.AsyncClient, user_id: Any) -> None:
        body = f'{{"user_id": {"null" if user_id is None else ascii_json(user_id)}}}'
        response = await anonymous.post(NEW, content=body, headers={"content-type": "application/json"})
        assert refusal(response) == (400, "INVALID_PARAM")

    async def test_many_at_once_for_a_new_name(self, service: Service, anonymous: httpx.AsyncClient) -> None:
        answers = await asyncio.gather(*(anonymous.post(NEW, json={"user_id": "新来的"}) for _ in range(8)))
        assert {answer.status_code for answer in answers} == {200}
        async with service.runtime.system.pool.connection() as connection:
            cursor = await connection.execute("SELECT count(DISTINCT owner_id) AS n FROM chat.sessions")
            assert await cursor.fetchone() == {"n": 1}


def ascii_json(value: Any) -> str:
    return json.dumps(value)


class TestReply:
    async def test_exactly_five_keys(self, person: Person, scripted: ModelServer) -> None:
        response = await person.say("你好")
        assert response.status_code == 200
        body = response.json()
        assert list(body) == ["success", "response", "thinking_process", "session_id", "mode"]
        assert body == {
            "success": True,
            "response": "您好，有什么可以帮您？",
            "thinking_process": [],
            "session_id": person.session_id,
            "mode": "chat",
        }
        assert response.headers["x-colloquy-model"] == "openai:fast"
        assert scripted.calls("fast") == 1
        assert scripted.calls("planning") == scripted.calls("intent") == 0

    async def test_chat_is_the_default_mode(self, person: Person, scripted: ModelServer) -> None:
        body = {"message": "你好", "session_id": person.session_id, "user_id": person.user_id}
        response = await person.client.post(CHAT, json=body)
        assert response.json()["mode"] == "chat"

    async def test_tags_are_for_deep_mode(self, person: Person, scripted: ModelServer) -> None:
        await person.say("你好", tags=["机密标签"])
        request = scripted.requests("fast")[0]
        assert "机密标签" not in request.user + request.system

    @pytest.mark.parametrize("missing", [None, ""])
    async def test_without_a_session_one_is_made(
        self, person: Person, scripted: ModelServer, missing: str | None
    ) -> None:
        body = (await person.say("你好", session_id=missing)).json()
        assert body["session_id"] not in (None, "", person.session_id)
        again = Person(person.client, person.user_id, body["session_id"], "")
        assert (await again.history())["pagination"]["total"] == 2

    async def test_usage_is_recorded(self, service: Service, person: Person, scripted: ModelServer) -> None:
        await person.say("你好")
        async with service.runtime.system.pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT role, model, run_id, input_tokens > 0 AS used FROM platform.usage"
            )
            assert await cursor.fetchall() == [{"role": "fast", "model": "openai:fast", "run_id": None, "used": True}]

    async def test_the_last_turns_are_remembered_and_not_all(
        self, service: Service, person: Person, scripted: ModelServer
    ) -> None:
        for number in range(1, 24):
            await person.say(f"第{number}句。")
        prompt = scripted.requests("fast")[-1].user
        assert "第22句。" in prompt
        assert "第2句。" not in prompt
        async with service.runtime.system.pool.connection() as connection:
            cursor = await connection.execute("SELECT owner_id FROM chat.sessions")
            row = await cursor.fetchone() or {}
        async with acting_for(service.runtime.database.pool, row["owner_id"]) as connection:
            session = await sessions.find(connection, UUID(person.session_id), row["owner_id"])
            assert session is not None
            past = await messages.recent(connection, session, REMEMBERED_TURNS)
        assert [item["content"] for item in past if item["role"] == "user"] == [f"第{n}句。" for n in range(4, 24)]

    async def test_a_turn_of_a_long_conversation_reads_no_more_than_one_of_a_short(
        self, service: Service, person: Person, scripted: ModelServer
    ) -> None:
        """What decides is how many messages are looked at, whatever the planner knows of the table."""
        await person.say("你好")
        looked_at = [await self._looked_at(service, person, turns) for turns in (40, 400)]
        assert looked_at[0] == looked_at[1] < 10 * REMEMBERED_TURNS

    async def _looked_at(self, service: Service, person: Person, turns: int) -> int:
        """Make the conversation longer by so many turns; return how many messages a question looks at then."""
        async with service.runtime.system.pool.connection() as connection, connection.transaction():
            await connection.execute(
                """
                INSERT INTO chat.messages (session_id, owner_id, number, turn_id, role, content)
                SELECT s.id, s.owner_id, said.number + 2 * n + (role = 'assistant')::int - 1,
                       md5(said.number || ' ' || n)::uuid, role, n::text
                FROM chat.sessions AS s CROSS JOIN generate_series(1, %s) AS n
                CROSS JOIN unnest(ARRAY['user', 'assistant']) AS role
                CROSS JOIN (SELECT max(number) AS number FROM chat.messages) AS said
                """,
                (turns,),
            )
        async with (
            service.runtime.database.pool.connection() as connection,
            connection.transaction(force_rollback=True),
        ):
            # What the connection did before is counted too.
            before = await self._counted(connection)
            statement = "SELECT past FROM chat.ask(%s, NULL, %s, gen_random_uuid(), 'x', %s, 20, %s)"
            asked = (person.session_id, person.user_id, service.runtime.clock.now(), REMEMBERED_TURNS)
            [row] = await (await connection.execute(statement, asked)).fetchall()
            assert len(row["past"]) == 2 * REMEMBERED_TURNS
            return await self._counted(connection) - before

    async def _counted(self, connection: AsyncConnection[DictRow]) -> int:
        cursor = await connection.execute(
            "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) AS n FROM pg_stat_xact_user_tables"
            " WHERE relid = 'chat.messages'::regclass"
        )
        [seen] = await cursor.fetchall()
        return int(seen["n"])

    async def test_history(self, person: Person, scripted: ModelServer, clock: SetClock) -> None:
        await person.say("你好")
        history = await person.history()
        assert list(history) == ["success", "session_id", "status", "messages", "pagination"]
        assert history["status"] == "idle"
        assert history["messages"] == [
            {
                "number": 1,
                "role": "user",
                "content": "你好",
                "mode": "chat",
                "created_at": "2026-01-30T00:00:00Z",
            },
            {
                "number": 2,
                "role": "assistant",
                "content": "您好，有什么可以帮您？",
                "mode": "chat",
                "created_at": "2026-01-30T00:00:00Z",
            },
        ]


class TestRefusals:
    @together(
        "change",
        [
            {"message": ""},
            {"message": "  \n"},
            {"message": None},
            {"message": "x" * 20_001},
            {"message": "a\0b"},
            {"mode": "fast"},
            {"mode": None},
            {"user_id": ""},
            {"user_id": None},
            {"user_id": "x" * 129},
            {"session_id": 5},
            {"tags": "科技"},
            {"tags": ["x" * 51]},
            {"tags": ["x"] * 21},
            {"colour": "red"},
        ],
    )
    async def test_bad_input(self, person: Person, scripted: ModelServer, change: dict[str, Any]) -> None:
        response = (
            await person.say("你好", **{"mode": "chat"} | change)
            if "message" not in change
            else (
                await person.client.post(
                    CHAT,
                    json={"message": "", "session_id": person.session_id, "user_id": person.user_id} | change,
                )
            )
        )
        assert refusal(response) == (400, "INVALID_PARAM")
        assert scripted.calls("fast") == 0

    async def test_the_values_of_a_field_are_listed_in_chinese(self, person: Person) -> None:
        response = await person.say("你好", mode="fast")
        assert response.json()["error"] == "参数错误：mode：应为 'chat'、'deep'"

    @together("session_id", ["550e8400-e29b-41d4-a716-446655440000", "nonsense", "x" * 100])
    async def test_unknown_sessions(self, person: Person, scripted: ModelServer, session_id: str) -> None:
        response = await person.say("你好", session_id=session_id)
        assert (response.status_code, response.json()) == (440, EXPIRED)
        assert list(response.json()) == list(EXPIRED)

    async def test_strangers(self, person: Person, service: Service, scripted: ModelServer) -> None:
        stranger = await somebody(service.client)
        for user_id in (stranger.user_id, "never seen"):
            response = await person.say("你好", user_id=user_id)
            assert (response.status_code, response.json()) == (440, EXPIRED)
        assert (await person.history())["messages"] == []

    async def test_expired(self, person: Person, scripted: ModelServer, clock: SetClock) -> None:
        clock.move(seconds=3599)
        assert (await person.say("你好")).status_code == 200
        clock.move(seconds=3599)
        assert (await person.say("还在")).status_code == 200
        clock.move(seconds=3600)
        response = await person.say("你好")
        assert (response.status_code, response.json()) == (440, EXPIRED)
        # W27: the right reaction keeps the user.
        assert (await person.client.post(NEW, json={"user_id": person.user_id})).status_code == 200

    async def test_two_at_once(self, person: Person, scripted: ModelServer) -> None:
        scripted.script("fast", Delay(0.5, "好的。"))
        answers = await asyncio.gather(*(person.say(f"第{number}句") for number in range(5)))
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409]
        assert {refusal(answer) for answer in answers if answer.status_code == 409} == {(409, "SESSION_BUSY")}
        assert scripted.calls("fast") == 1
        assert (await person.say("现在呢")).status_code == 200

    @pytest.mark.parametrize("fault", [Status(500), Status(401), "", "  "])
    async def test_a_model_that_fails(self, person: Person, scripted: ModelServer, fault: Any) -> None:
        scripted.script("fast", fault)
        assert refusal(await person.say("你好")) == (500, "INTERNAL_ERROR")
        scripted.script("fast", "好了。")
        assert (await person.say("你好")).json()["response"] == "好了。"
        # Said once, though it was sent twice.
        assert [item["number"] for item in (await person.history())["messages"]] == [1, 2]

    async def test_a_crash_shows_nothing_of_itself(self, person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
        async def crash(*_: Any, **__: Any) -> None:
            raise RuntimeError("password=hunter2")

        monkeypatch.setattr("server.chat.answers.reply", crash)
        response = await person.say("你好")
        assert refusal(response) == (500, "INTERNAL_ERROR")
        assert "hunter2" not in response.text


class TestAskingTwice:
    async def test_a_key_gives_the_same_answer(self, person: Person, scripted: ModelServer) -> None:
        scripted.script("fast", Delay(0.4, "一次。"), "两次。")
        headers = {"idempotency-key": "k-1"}
        answers = await asyncio.gather(*(person.say("你好", headers=headers) for _ in range(3)))
        answers.append(await person.say("你好", headers=headers))
        assert {answer.json()["response"] for answer in answers} == {"一次。"}
        assert scripted.calls("fast") == 1
        assert (await person.history())["pagination"]["total"] == 2

    async def test_a_key_keeps_the_session_that_was_made_for_it(self, person: Person, scripted: ModelServer) -> None:
        headers = {"idempotency-key": "k-1"}
        first = await person.say("你好", session_id="", headers=headers)
        second = await person.say("你好", session_id="", headers=headers)
        assert first.json() == second.json()

    async def test_at_once_and_without_a_session(self, person: Person, scripted: ModelServer) -> None:
        scripted.script("fast", Delay(0.3, "一次。"), "两次。")
        headers = {"idempotency-key": "k-1"}
        answers = await asyncio.gather(*(person.say("你好", session_id=None, headers=headers) for _ in range(5)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 1
        assert scripted.calls("fast") == 1

    async def test_a_key_is_one_requests(self, person: Person, scripted: ModelServer) -> None:
        headers = {"idempotency-key": "k-1"}
        await person.say("你好", headers=headers)
        assert refusal(await person.say("再见", headers=headers)) == (400, "IDEMPOTENCY_KEY_REUSED")

    async def test_a_keys_day_ends(self, person: Person, scripted: ModelServer, clock: SetClock) -> None:
        headers = {"idempotency-key": "k-1"}
        body = {"message": "你好", "user_id": person.user_id}
        first = await person.client.post(CHAT, json=body, headers=headers)
        clock.move(hours=25)
        second = await person.client.post(CHAT, json=body, headers=headers)
        assert second.status_code in (200, 440)
        assert first.status_code == 200


async def test_nothing_that_was_said_and_no_session_is_logged(
    person: Person, scripted: ModelServer, log: io.StringIO
) -> None:
    secret = "机密内容4417"
    scripted.script("fast", f"{secret}，好的。")
    scripted.script("content_generation", secret)
    scripted.script("planning", secret, Status(500))
    await person.upload(f"{secret}.txt", secret.encode())
    for mode in ("chat", "deep", "deep"):
        await person.say(secret, mode, tags=[secret])
    await person.say(secret, mode=secret)
    await person.history()
    await asyncio.to_thread(logging.flush)
    written = log.getvalue()
    assert "run_finished" in written
    assert secret not in written
    assert person.session_id not in written


class TestStream:
    async def test_tokens_and_at_last_the_answer(self, person: Person, scripted: ModelServer) -> None:
        response = await person.say("你好", headers={"accept": "text/event-stream"})
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        events = events_of(response.text)
        assert [event for event, _, _ in events[:-1]] == ["delta"] * (len(events) - 1)
        assert len(events) > 2
        assert text_of(events) == "您好，有什么可以帮您？"
        event, _, data = events[-1]
        assert event == "result"
        assert list(data) == ["success", "response", "thinking_process", "session_id", "mode"]
        assert data["response"] == "您好，有什么可以帮您？"
        assert all(event_id for _, event_id, _ in events[:-1])

    async def test_by_query(self, person: Person, scripted: ModelServer) -> None:
        response = await person.say("你好", params={"stream": "true"})
        assert events_of(response.text)[-1][0] == "result"

    async def test_a_stream_that_breaks_in_the_model_begins_again(self, person: Person, scripted: ModelServer) -> None:
        scripted.script("fast", CutStream(), "这次说完了。")
        events = events_of((await person.say("你好", params={"stream": "1"})).text)
        assert "reset" in [event for event, _, _ in events]
        assert text_of(events) == events[-1][2]["response"] == "这次说完了。"

    async def test_a_failure_is_the_last_event(self, person: Person, scripted: ModelServer) -> None:
        scripted.script("fast", Status(500))
        [(event, _, data)] = events_of((await person.say("你好", params={"stream": "1"})).text)
        assert (event, list(data)) == ("error", ["success", "error", "error_code", "detail"])
        assert data["error_code"] == "INTERNAL_ERROR"

    async def test_refusals_are_plain_answers(self, person: Person) -> None:
        response = await person.say("你好", session_id="nonsense", params={"stream": "1"})
        assert (response.status_code, response.json()) == (440, EXPIRED)

    async def test_taken_up_after_each_event(self, person: Person, scripted: ModelServer) -> None:
        whole = events_of((await person.say("你好", params={"stream": "1"})).text)
        for place, (_, event_id, _) in enumerate(whole[:-1]):
            headers = {"last-event-id": str(event_id)}
            rest = events_of((await person.say("你好", params={"stream": "1"}, headers=headers)).text)
            assert rest == whole[place + 1 :]
        assert scripted.calls("fast") == 1
        url = f"{SESSIONS}/{person.session_id}/stream"
        again = await person.client.get(url, params={"user_id": person.user_id}, headers={"last-event-id": "nonsense"})
        assert events_of(again.text) == whole

    async def test_nothing_to_take_up(self, person: Person) -> None:
        url = f"{SESSIONS}/{person.session_id}/stream"
        assert refusal(await person.client.get(url, params={"user_id": person.user_id})) == (404, "NO_MESSAGES")
        response = await person.client.get(url, params={"user_id": "stranger"})
        assert (response.status_code, response.json()) == (440, EXPIRED)
