"""`GET /v1/api/sessions/…`: one's own sessions and their logs; `GET /v1/api/tools` (B018, B019, B031, G19)."""

import json

import httpx
import pytest

from tests.kit.app import Service
from tests.kit.cases import together
from tests.server.interpret.conftest import API, GatedHub, Person, message, rows, thread_of


class TestTools:
    async def test_each_has_four_keys(self, me: Person, hub: GatedHub) -> None:
        response = await me.client.get(f"{API}/tools")
        body = response.json()
        assert list(body) == ["success", "data"]
        assert body["success"] is True
        assert body["data"][0] == {
            "name": "add",
            "description": "add things",
            "inputSchema": {
                "type": "object",
                "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
                "required": ["a", "b"],
            },
            "server": "fake",
        }
        assert list(json.loads(response.text)["data"][0]) == ["name", "description", "inputSchema", "server"]
        assert [tool["name"] for tool in body["data"]] == [tool.name for tool in await hub.tools()]

    async def test_anonymous(self, anonymous: httpx.AsyncClient) -> None:
        assert message(await anonymous.get(f"{API}/tools"))[:2] == (401, "UNAUTHORIZED")

    async def test_no_servers(self, me: Person, hub: GatedHub) -> None:
        for tool in await hub.tools():
            hub.remove(tool.name)
        assert (await me.client.get(f"{API}/tools")).json() == {"success": True, "data": []}


class TestSession:
    async def test_how_it_stands(self, me: Person) -> None:
        await me.interpret()
        view = await me.session()
        assert list(view) == ["sessionId", "status", "pending", "result", "createdAt", "updatedAt"]
        assert (view["sessionId"], view["status"], view["result"]) == ("s1", "awaiting_confirm", None)
        assert view["pending"] == {
            "type": "confirm",
            "action": "add",
            "params": {"a": 2, "b": 3},
            "confirmText": "计算 2 + 3，确认吗？",
        }
        await me.execute()
        view = await me.session()
        assert (view["status"], view["pending"], view["result"]["data"]) == ("done", None, {"result": 5})
        assert list(view["result"]) == ["report", "data"]

    @pytest.mark.parametrize("path", ["sessions/s1", "sessions/s1/logs"])
    async def test_it_is_its_users_only(
        self, anonymous: httpx.AsyncClient, me: Person, them: Person, path: str
    ) -> None:
        await me.interpret()
        assert (await me.client.get(f"{API}/{path}")).status_code == 200
        assert message(await them.client.get(f"{API}/{path}"))[:2] == (404, "NOT_FOUND")
        assert message(await anonymous.get(f"{API}/{path}"))[:2] == (401, "UNAUTHORIZED")

    @together("path", [f"sessions/{'x' * 129}", "sessions/s1/logs?page=0", "sessions/s1/logs?page_size=101"])
    async def test_a_broken_rule(self, me: Person, path: str) -> None:
        await me.interpret()
        assert message(await me.client.get(f"{API}/{path}"))[:2] == (400, "INVALID_PARAM")

    async def test_its_log_comes_in_pages(self, me: Person) -> None:
        await me.interpret()
        await me.execute()
        whole = (await me.client.get(f"{API}/sessions/s1/logs")).json()["data"]
        assert list(whole["logs"][0]) == ["step", "status", "message", "createdAt"]
        assert whole["pagination"] == {"page": 1, "page_size": 20, "total": 4, "total_pages": 1}
        second = (await me.client.get(f"{API}/sessions/s1/logs?page=2&page_size=3")).json()["data"]
        assert second["logs"] == whole["logs"][3:]
        assert second["pagination"]["total_pages"] == 2


class TestProtocol:
    async def test_the_same_thread_is_there_for_clients_of_the_protocol(
        self, service: Service, me: Person, hub: GatedHub
    ) -> None:
        """What is offered over HTTP can be confirmed with the SDK, and the session says so."""
        await me.interpret()
        thread = await thread_of(service)
        state = (await me.client.get(f"/threads/{thread}/state")).json()
        [interrupt] = state["interrupts"]
        assert interrupt["value"]["action_requests"][0]["name"] == "add"
        body = {
            "assistant_id": "interpret_execute",
            "command": {"resume": {interrupt["id"]: {"decisions": [{"type": "approve"}]}}},
        }
        response = await me.client.post(f"/threads/{thread}/runs/wait", json=body)
        assert response.status_code == 200
        assert hub.names == ["add"]
        assert (await me.session())["status"] == "done"
        assert (await me.execute()).status_code == 409

    async def test_a_stranger_does_not_reach_the_thread(self, service: Service, me: Person, them: Person) -> None:
        await me.interpret()
        assert (await them.client.get(f"/threads/{await thread_of(service)}/state")).status_code == 404

    async def test_a_deleted_thread_takes_its_session_along(self, service: Service, me: Person) -> None:
        await me.interpret()
        await me.execute()
        thread = await thread_of(service)
        assert (await me.client.delete(f"/threads/{thread}")).status_code == 204
        for table in ("sessions", "logs", "tool_calls"):
            assert await rows(service, f"SELECT FROM interpret.{table}") == []
        assert (await me.client.get(f"{API}/sessions/s1")).status_code == 404
        assert (await me.interpret()).status_code == 200
        assert await thread_of(service) != thread
