"""`POST /v1/api/interpret`: the seed's body to the last key, its failures, its session (B021–B026, G15, K21)."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.graphs.interpret_setting import ADD_2_3, clarify
from tests.kit.app import Service
from tests.kit.cases import together
from tests.kit.model_faults import Delay, Status
from tests.kit.model_server import ModelServer
from tests.server.interpret.conftest import API, APPEND, GatedHub, Person, msg, rows, thread_of, until

PATH = f"{API}/interpret"


class TestContract:
    async def test_an_offer_is_answered_to_the_last_key(
        self, service: Service, me: Person, hub: GatedHub, models: ModelServer
    ) -> None:
        response = await me.interpret()
        assert response.status_code == 200
        # As text: the order of the keys is part of the contract.
        assert response.text == (
            '{"type":"confirm","action":"add","params":{"a":2,"b":3},"confirmText":"计算 2 + 3，确认吗？"}'
        )
        assert response.headers["x-colloquy-model"] == "openai:interpret"
        assert (await me.session())["status"] == "awaiting_confirm"
        assert await me.logs() == [("interpret", "success", "计算 2 + 3，确认吗？")]
        assert hub.called == []
        assert models.calls("interpret") == 1

    async def test_a_question_leaves_nothing_pending(self, me: Person, models: ModelServer) -> None:
        models.script("interpret", clarify("要把哪两个数相加？"))
        response = await me.interpret("加一下")
        assert response.text == '{"type":"clarify","action":null,"params":{},"confirmText":"要把哪两个数相加？"}'
        assert (await me.session())["pending"] is None
        assert (await me.execute()).status_code == 409

    async def test_a_new_offer_replaces_the_pending_one(self, me: Person, models: ModelServer, hub: GatedHub) -> None:
        await me.interpret()
        models.script("interpret", APPEND)
        assert (await me.interpret("追加一行")).json()["action"] == "append"
        assert (await me.execute()).status_code == 400
        assert (await me.execute("append", {"text": "第一行"})).status_code == 200
        assert hub.names == ["append"]

    async def test_sessions_of_one_user_are_threads_of_their_own(self, service: Service, me: Person) -> None:
        await me.interpret(session="s1")
        await me.interpret(session="s2")
        assert await thread_of(service, "s1") != await thread_of(service, "s2")
        assert len(await rows(service, "SELECT FROM interpret.users")) == 1

    async def test_the_user_gets_his_row_at_the_first_request(self, service: Service, me: Person) -> None:
        assert await rows(service, "SELECT FROM interpret.users") == []
        await me.interpret()
        [row] = await rows(service, "SELECT username, auth_user_id::text, contacts FROM interpret.users")
        assert row == {"username": me.id, "auth_user_id": me.id, "contacts": None}

    async def test_the_username_is_the_phone_of_who_logs_in_by_phone(self, service: Service, me: Person) -> None:
        async with service.runtime.system.pool.connection() as connection:
            await connection.execute(
                "INSERT INTO audio.users (auth_user_id, phone) VALUES (%s, '13800000001')", (me.id,)
            )
        await me.interpret()
        assert await rows(service, "SELECT username FROM interpret.users") == [{"username": "13800000001"}]

    async def test_a_username_that_is_taken_becomes_the_users_id(
        self, service: Service, me: Person, them: Person
    ) -> None:
        """A phone may have been somebody else's before."""
        async with service.runtime.system.pool.connection() as connection:
            await connection.execute(
                "INSERT INTO interpret.users (username, auth_user_id) VALUES ('13800000001', %s)", (them.id,)
            )
            await connection.execute(
                "INSERT INTO audio.users (auth_user_id, phone) VALUES (%s, '13800000001')", (me.id,)
            )
        assert (await me.interpret()).status_code == 200
        assert {row["username"] for row in await rows(service, "SELECT username FROM interpret.users")} == {
            "13800000001",
            me.id,
        }

    async def test_many_first_requests_at_once_make_one_session(
        self, service: Service, me: Person, models: ModelServer
    ) -> None:
        models.script("interpret", Delay(1, ADD_2_3))
        answers = await asyncio.gather(*(me.interpret() for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409]
        assert len(await rows(service, "SELECT FROM interpret.sessions")) == 1
        assert (await me.session())["status"] == "awaiting_confirm"


class TestRefusals:
    async def test_anonymous(self, anonymous: httpx.AsyncClient, me: Person) -> None:
        response = await anonymous.post(PATH, json={"sessionId": "s1", "userId": me.id, "text": "加"})
        assert msg(response) == (401, "UNAUTHORIZED")

    async def test_who_names_somebody_else(self, service: Service, me: Person, them: Person) -> None:
        response = await me.client.post(PATH, json={"sessionId": "s1", "userId": them.id, "text": "加"})
        assert msg(response) == (403, "FORBIDDEN")
        assert await rows(service, "SELECT FROM interpret.sessions") == []

    @together(
        "change",
        [
            {"text": ""},
            {"text": " \n\t　"},
            {"text": "长" * 8001},
            {"text": None},
            {"text": 5},
            {"text": "a\0b"},
            {"sessionId": ""},
            {"sessionId": "x" * 129},
            {"sessionId": None},
            {"userId": ""},
            {"more": 1},
            {"model": "gpt"},
        ],
    )
    async def test_a_broken_rule(self, service: Service, me: Person, models: ModelServer, change: Any) -> None:
        body = {"sessionId": "s1", "userId": me.id, "text": "加"} | change
        assert msg(await me.client.post(PATH, json=body)) == (400, "INVALID_PARAM")
        assert models.calls("interpret") == 0
        assert await rows(service, "SELECT FROM interpret.sessions") == []

    @together("content", [b"{", b"[]", b"\xff", b'"x"', b'{"text": "\\ud800"}'])
    async def test_what_is_no_request(self, me: Person, content: bytes) -> None:
        response = await me.client.post(PATH, content=content, headers={"content-type": "application/json"})
        assert msg(response) == (400, "INVALID_PARAM")

    async def test_the_longest_words_and_names_will_do(self, me: Person) -> None:
        assert (await me.interpret("长" * 8000, session="会" * 128)).status_code == 200
        assert (await me.session("会" * 128))["sessionId"] == "会" * 128

    async def test_a_stranger_with_the_same_session_id_has_another_session(
        self, service: Service, me: Person, them: Person, models: ModelServer
    ) -> None:
        await me.interpret()
        models.script("interpret", APPEND)
        assert (await them.interpret("追加")).json()["action"] == "append"
        assert (await me.session())["pending"]["action"] == "add"
        assert len(await rows(service, "SELECT FROM interpret.sessions")) == 2
        assert len(await rows(service, "SELECT FROM interpret.users")) == 2
        assert (await me.execute()).json() == {"success": True, "data": {"result": 5}}
        assert (await them.session())["status"] == "awaiting_confirm"


class TestFailures:
    async def test_a_model_that_fails(self, me: Person, models: ModelServer) -> None:
        models.script("interpret", Status(400))
        assert msg(await me.interpret()) == (502, "MODEL_FAIL")
        assert (await me.session())["status"] == "failed"
        assert await me.logs() == [("interpret", "failed", "MODEL_FAIL")]
        models.script("interpret", ADD_2_3)
        assert (await me.interpret()).json()["action"] == "add"

    @pytest.mark.parametrize("settings", [{"INTERPRET_TIMEOUT_SECONDS": "0.3"}])
    async def test_a_model_that_hangs(self, service: Service, me: Person, models: ModelServer) -> None:
        models.script("interpret", Delay(20, ADD_2_3))
        assert msg(await me.interpret()) == (504, "TIMEOUT")
        assert await rows(service, "SELECT status FROM platform.runs") == [{"status": "interrupted"}]
        assert (await me.session())["status"] == "failed"
        assert await me.logs() == [("run", "failed", "TIMEOUT")]

    @pytest.mark.parametrize("settings", [{"INTERPRET_TIMEOUT_SECONDS": "0.5"}])
    async def test_a_pending_offer_is_given_up_by_words_that_came_to_nothing(
        self, me: Person, models: ModelServer, hub: GatedHub
    ) -> None:
        await me.interpret()
        models.script("interpret", Delay(20, ADD_2_3))
        assert (await me.interpret("算了，换一个")).status_code == 504
        assert (await me.execute()).status_code == 409
        assert hub.called == []

    async def test_one_at_a_time_on_a_session(self, service: Service, me: Person, models: ModelServer) -> None:
        models.script("interpret", Delay(1, ADD_2_3))
        first = asyncio.create_task(me.interpret())
        await until(lambda: models.calls("interpret") > 0)
        assert msg(await me.interpret("再来")) == (409, "SESSION_BUSY")
        assert (await first).json()["action"] == "add"
        assert (await me.session())["status"] == "awaiting_confirm"
        assert len(await me.logs()) == 1

    async def test_a_refused_request_leaves_the_sessions_status(self, me: Person, hub: GatedHub) -> None:
        await me.interpret()
        hub.gate.clear()
        executed = asyncio.create_task(me.execute())
        await me.until("executing")
        assert msg(await me.interpret("再来")) == (409, "SESSION_BUSY")
        assert (await me.session())["status"] == "executing"
        hub.gate.set()
        assert (await executed).status_code == 200
        assert (await me.session())["status"] == "done"


class TestIdempotency:
    async def test_asking_twice_gives_the_same_answer(self, me: Person, models: ModelServer) -> None:
        first = await me.interpret(**{"idempotency-key": "k1"})
        again = await me.interpret(**{"idempotency-key": "k1"})
        assert again.text == first.text
        assert models.calls("interpret") == 1
        assert (await me.session())["status"] == "awaiting_confirm"

    async def test_a_repeat_after_execution_changes_nothing(self, me: Person, models: ModelServer) -> None:
        first = await me.interpret(**{"idempotency-key": "k1"})
        await me.execute()
        assert (await me.interpret(**{"idempotency-key": "k1"})).text == first.text
        assert (await me.session())["status"] == "done"

    async def test_a_key_is_for_one_request(self, me: Person) -> None:
        await me.interpret(**{"idempotency-key": "k1"})
        assert msg(await me.interpret("别的", **{"idempotency-key": "k1"})) == (400, "IDEMPOTENCY_KEY_REUSED")
        assert (await me.session())["status"] == "awaiting_confirm"


@pytest.mark.parametrize("settings", [{"INTERPRET_READ_ONLY_UNCONFIRMED": "1"}])
class TestUnconfirmed:
    async def test_read_only_tools_run_at_once_where_the_operator_lets_them(self, me: Person, hub: GatedHub) -> None:
        answer = (await me.interpret()).json()
        assert list(answer) == ["type", "action", "params", "confirmText"]
        assert (answer["type"], answer["action"], answer["params"]) == ("executed", "add", {"a": 2, "b": 3})
        assert "5" in answer["confirmText"]
        assert hub.names == ["add"]
        assert (await me.execute()).status_code == 409
        assert (await me.session())["result"]["data"] == {"result": 5}

    async def test_others_do_not(self, me: Person, models: ModelServer, hub: GatedHub) -> None:
        models.script("interpret", APPEND)
        assert (await me.interpret("追加")).json()["type"] == "confirm"
        assert hub.called == []
