"""What outlasts a request: answers without a client, expiry, the purge, processes that die (D043, G37, G42, G71)."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from server.chat.repository import sessions as session_rows
from server.chat.retention import ChatRetention
from tests.kit.app import Service
from tests.kit.listening import listening
from tests.kit.model_faults import SlowTokens
from tests.kit.model_server import ModelServer
from tests.kit.people import SetClock
from tests.server.chat.conftest import (
    CHAT,
    SESSIONS,
    Person,
    events_of,
    refusal,
    somebody,
    text_of,
)

WISH = "我想推广一款新的降噪耳机"
LONG = "这是一段说得很慢的话，客户端早就离开了，可是它还是要说完。"


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


async def count(service: Service, table: str) -> int:
    async with service.runtime.system.pool.connection() as connection:
        cursor = await connection.execute(f"SELECT count(*) AS n FROM {table}".encode())
        row = await cursor.fetchone()
    return int(row["n"]) if row else -1


async def answered(person: Person, number: int) -> str:
    while True:
        messages = (await person.history())["messages"]
        if len(messages) >= number:
            return str(messages[-1]["content"])
        await asyncio.sleep(0.05)


class TestAClientThatLeaves:
    @pytest.mark.parametrize(("mode", "role"), [("chat", "fast"), ("deep", "content_generation")])
    async def test_it_finds_its_answer(
        self, service: Service, person: Person, scripted: ModelServer, mode: str, role: str
    ) -> None:
        scripted.script(role, SlowTokens(LONG, 0.1))
        body = {"message": WISH, "session_id": person.session_id, "user_id": person.user_id, "mode": mode}
        heard: list[str] = []
        async with (
            listening(service) as address,
            httpx.AsyncClient(base_url=address) as client,
            client.stream("POST", CHAT, json=body, params={"stream": "true"}) as response,
        ):
            async for line in response.aiter_lines():
                heard.append(line)
                if sum(said.startswith("event: delta") for said in heard) == 2:
                    break
        assert (await person.history())["status"] == "answering"
        assert LONG in await answered(person, 2)
        assert scripted.calls(role) == 1

    async def test_it_comes_back_in_the_middle_and_misses_nothing(
        self, service: Service, person: Person, scripted: ModelServer
    ) -> None:
        for mode, role in (("chat", "fast"), ("deep", "content_generation")):
            scripted.script(role, SlowTokens(LONG, 0.05))
            body = {"message": WISH, "session_id": person.session_id, "user_id": person.user_id, "mode": mode}
            text = ""
            async with listening(service) as address, httpx.AsyncClient(base_url=address) as client:
                async with client.stream("POST", CHAT, json=body, params={"stream": "true"}) as response:
                    async for line in response.aiter_lines():
                        text += line + "\n"
                        if text.count("event: delta") == 3 and not line:
                            break
                before = events_of(text)
                headers = {"last-event-id": str(before[-1][1])}
                url = f"{SESSIONS}/{person.session_id}/stream"
                rest = await client.get(url, params={"user_id": person.user_id}, headers=headers, timeout=20)
            events = [*before, *events_of(rest.text)]
            assert text_of(events) == LONG
            assert len({event_id for _, event_id, _ in events[:-1]}) == len(events) - 1
            assert events[-1][0] == "result"
            assert scripted.calls(role) == 1

    async def test_a_plain_request_that_is_given_up(
        self, service: Service, person: Person, scripted: ModelServer
    ) -> None:
        scripted.script("fast", SlowTokens(LONG, 0.05))
        asking = asyncio.create_task(person.say("你好"))
        await until(lambda: scripted.calls("fast") == 1)
        asking.cancel()
        assert LONG in await answered(person, 2)


class TestProcessesThatDie:
    async def test_a_lease_that_nobody_renews_ends(
        self, service: Service, person: Person, scripted: ModelServer
    ) -> None:
        async with service.runtime.system.pool.connection() as connection:
            await connection.execute(
                "UPDATE chat.sessions SET leased_by = gen_random_uuid(), leased_until = now() + interval '1.5 seconds'"
            )
        assert refusal(await person.say("你好")) == (409, "SESSION_BUSY")
        await asyncio.sleep(1.6)
        assert (await person.say("你好")).status_code == 200

    async def test_a_lease_is_renewed_while_it_is_needed(
        self, service: Service, person: Person, scripted: ModelServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(session_rows, "LEASE_SECONDS", 0.6)
        monkeypatch.setattr("server.chat.answers._RENEW_SECONDS", 0.1)
        scripted.script("fast", SlowTokens(LONG, 0.25))
        asking = asyncio.create_task(person.say("你好", params={"stream": "1"}))
        await until(lambda: scripted.calls("fast") == 1)
        await asyncio.sleep(1)
        assert refusal(await person.say("再说")) == (409, "SESSION_BUSY")
        assert (await asking).status_code == 200

    async def test_a_draft_that_nobody_kept_is_kept_by_the_next_request(
        self, service: Service, person: Person, scripted: ModelServer
    ) -> None:
        scripted.script("evaluation", "5", "8")
        await person.say(WISH, "deep")
        async with service.runtime.system.pool.connection() as connection:
            await connection.execute("DELETE FROM chat.messages WHERE role = 'assistant'")
        await person.say("你是谁", "chat")
        messages = (await person.history())["messages"]
        assert [(m["number"], m["role"], m["mode"]) for m in messages] == [
            (1, "user", "deep"),
            (2, "assistant", "deep"),
            (3, "user", "chat"),
            (4, "assistant", "chat"),
        ]
        assert "是否需要修订" in messages[1]["content"]


class TestPurge:
    TABLES = (
        "chat.sessions",
        "chat.messages",
        "chat.documents",
        "chat.document_chunks",
        "platform.threads",
        "platform.runs",
        "platform.run_events",
        "checkpoints.checkpoints",
        "checkpoints.checkpoint_blobs",
        "checkpoints.checkpoint_writes",
    )

    async def test_a_day_after_expiry_all_of_it_goes(
        self, service: Service, person: Person, scripted: ModelServer, clock: SetClock
    ) -> None:
        await person.say(WISH, "deep")
        await person.upload("a.txt", b"a")
        retention = ChatRetention(service.runtime.system.pool, clock, 1000)
        clock.move(hours=24)
        other = await somebody(service.client)
        await other.say("你好")
        clock.move(seconds=3599)
        assert await retention.sweep() == 0
        assert await count(service, "chat.sessions") == 2
        clock.move(seconds=1)
        assert await retention.sweep() == 1
        left = {table: await count(service, table) for table in self.TABLES}
        assert left == dict.fromkeys(self.TABLES, 0) | {"chat.sessions": 1, "chat.messages": 2}
        assert (await person.say("你好")).status_code == 440

    async def test_many_are_purged_in_parts(self, service: Service, person: Person, clock: SetClock) -> None:
        for _ in range(120):
            await person.client.post("/api/v1/chat/new", json={"user_id": person.user_id})
        clock.move(hours=26)
        retention = ChatRetention(service.runtime.system.pool, clock, 1000)
        assert sum(await asyncio.gather(retention.sweep(), retention.sweep())) == 121
        assert await count(service, "chat.sessions") == 0

    async def test_what_has_expired_stays_so(self, service: Service, person: Person, clock: SetClock) -> None:
        clock.move(hours=2)
        await ChatRetention(service.runtime.system.pool, clock, 1000).sweep()
        clock.move(hours=-2)
        assert (await person.say("你好")).status_code == 440
