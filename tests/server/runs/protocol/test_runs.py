"""Runs through the real SDK: started on a thread, waited for, found, cancelled, deleted; each by its owner only."""

import asyncio
import base64
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from langgraph_sdk.errors import ConflictError, NotFoundError

from tests.kit.cases import together
from tests.server.runs.conftest import until_next
from tests.server.runs.protocol.conftest import NOBODY, Person, refusal

RUN_KEYS = {
    *("run_id", "thread_id", "assistant_id", "created_at", "updated_at", "status", "metadata", "kwargs"),
    "multitask_strategy",
}
BODY = {"assistant_id": "steps", "input": {}}
STARTS = ["", "/stream", "/wait"]
OTHERS: list[tuple[str, str]] = [
    ("GET", ""),
    ("GET", "/{run}"),
    ("DELETE", "/{run}"),
    ("GET", "/{run}/join"),
    ("GET", "/{run}/stream"),
    ("POST", "/{run}/cancel"),
]
STEPS = {"steps": ["first", "slow", "last"]}


async def thread_of(me: Person) -> str:
    return str((await me.sdk.threads.create())["thread_id"])


class TestAccess:
    @together("tail", STARTS)
    async def test_starting_needs_a_caller(self, anonymous: httpx.AsyncClient, tail: str) -> None:
        assert refusal(await anonymous.post(f"/threads/{NOBODY}/runs{tail}", json=BODY))[0] == 401
        assert refusal(await anonymous.post(f"/runs{tail}", json=BODY))[0] == 401

    @together(("method", "tail"), OTHERS)
    async def test_the_rest_too(self, anonymous: httpx.AsyncClient, method: str, tail: str) -> None:
        path = f"/threads/{NOBODY}/runs{tail.format(run=NOBODY)}"
        assert refusal(await anonymous.request(method, path))[0] == 401

    @together("tail", STARTS)
    async def test_a_stranger_starts_nothing(self, me: Person, other: Person, tail: str) -> None:
        thread = await me.run()
        for body in (BODY, BODY | {"if_not_exists": "create"}, {"assistant_id": "steps", "command": {"resume": 1}}):
            theirs = refusal(await other.http.post(f"/threads/{thread}/runs{tail}", json=body))
            assert theirs == (404, "There is no such thread.")
        assert len(await me.sdk.runs.list(thread)) == 1

    @together(("method", "tail"), OTHERS)
    async def test_a_stranger_finds_nothing(self, me: Person, other: Person, method: str, tail: str) -> None:
        thread, run = await me.start(seconds=20)
        theirs = refusal(await other.http.request(method, f"/threads/{thread}/runs{tail.format(run=run)}"))
        nobodys = refusal(await other.http.request(method, f"/threads/{NOBODY}/runs{tail.format(run=NOBODY)}"))
        assert theirs == nobodys
        assert theirs[0] == 404
        assert (await me.sdk.runs.get(thread, str(run)))["status"] == "running"
        await me.sdk.runs.cancel(thread, str(run), wait=True)

    @together(("method", "tail"), OTHERS[1:])
    async def test_a_run_is_found_on_its_own_thread_only(self, me: Person, method: str, tail: str) -> None:
        _, run = await me.start()
        await me.wait(run)
        path = f"/threads/{await thread_of(me)}/runs{tail.format(run=run)}"
        assert refusal(await me.http.request(method, path))[0] == 404


class TestStart:
    async def test_wait_gives_the_state(self, me: Person) -> None:
        thread = await thread_of(me)
        assert await me.sdk.runs.wait(thread, "steps", input={"seconds": 0}) == STEPS | {"seconds": 0}
        found = await me.sdk.threads.get(thread)
        assert (found["status"], found["values"]["steps"]) == ("idle", STEPS["steps"])
        assert found["metadata"]["graph_id"] == "steps"
        assert found["metadata"]["assistant_id"] == (await me.sdk.assistants.get("steps"))["assistant_id"]

    async def test_wait_gives_the_interrupt(self, me: Person) -> None:
        thread = await thread_of(me)
        values = await me.sdk.runs.wait(thread, "approval", input={})
        [interrupt] = values.pop("__interrupt__")
        assert values == {"steps": ["first"]}
        assert set(interrupt) == {"id", "value"}
        found = await me.sdk.threads.get(thread)
        assert found["status"] == "interrupted"
        assert next(iter(found["interrupts"].values())) == [interrupt]

    async def test_wait_gives_the_error_without_its_text(self, me: Person) -> None:
        thread = await thread_of(me)
        response = await me.http.post(
            f"/threads/{thread}/runs/wait", json={"assistant_id": "steps", "input": {"fail": True}}
        )
        assert response.status_code == 200
        assert response.json() == {
            "__error__": {"error": "INTERNAL", "message": "The run failed because of an internal error."}
        }
        assert (await me.sdk.threads.get(thread))["status"] == "error"

    async def test_wait_gives_what_its_own_run_left(self, me: Person) -> None:
        """Not what the thread's next run has made of it."""
        thread = await thread_of(me)
        answers = await asyncio.gather(
            *(me.sdk.runs.wait(thread, "steps", input={"steps": [str(number)]}) for number in range(3))
        )
        lengths = sorted(len(answer["steps"]) for answer in answers)
        assert lengths == [4, 8, 12]

    async def test_headers_name_the_run(self, me: Person) -> None:
        thread = await thread_of(me)
        for tail, location in (("", ""), ("/stream", "/stream"), ("/wait", "/join")):
            response = await me.http.post(f"/threads/{thread}/runs{tail}", json=BODY)
            run = response.headers["content-location"]
            assert run.startswith(f"/threads/{thread}/runs/")
            assert response.headers["location"] == run + location
            assert (await me.http.get(run)).json()["thread_id"] == thread
            assert (await me.http.get(response.headers["location"])).status_code == 200

    async def test_create_gives_the_run(self, me: Person) -> None:
        thread = await thread_of(me)
        created = await me.sdk.runs.create(thread, "steps", input={"seconds": 0.5}, metadata={"who": "me"})
        assert set(created) == RUN_KEYS
        assert created["status"] in ("pending", "running")
        assert created["metadata"] == {"who": "me"}
        assert created["kwargs"]["input"] == {"seconds": 0.5}
        assert created["multitask_strategy"] == "enqueue"
        assert await me.sdk.runs.join(thread, created["run_id"]) == STEPS | {"seconds": 0.5}
        found = await me.sdk.runs.get(thread, created["run_id"])
        assert found == created | {"status": "success", "updated_at": found["updated_at"]}

    async def test_the_threads_graph_stays(self, me: Person) -> None:
        thread = await me.run("steps")
        with pytest.raises(httpx.HTTPStatusError, match="409"):
            await me.sdk.runs.wait(thread, "approval", input={})

    @together("tail", STARTS)
    async def test_what_is_not_there(self, me: Person, tail: str) -> None:
        thread = await thread_of(me)
        for path, body in (
            (f"/threads/{NOBODY}/runs{tail}", BODY),
            (f"/threads/{thread}/runs{tail}", BODY | {"assistant_id": "nothing"}),
            (f"/threads/{thread}/runs{tail}", BODY | {"assistant_id": NOBODY}),
        ):
            assert refusal(await me.http.post(path, json=body))[0] == 404

    @together("body", ["", "{", "[]", "null", "{}", '{"assistant_id": "steps", "extra": 1}', '{"assistant_id": null}'])
    async def test_a_malformed_request(self, me: Person, body: str) -> None:
        thread = await thread_of(me)
        for path in ("/runs", f"/threads/{thread}/runs/stream", f"/threads/{thread}/runs/wait", "/threads/x/runs"):
            assert refusal(await me.http.post(path, content=body))[0] == 422

    async def test_asking_twice(self, me: Person) -> None:
        thread = await thread_of(me)
        for path in (f"/threads/{thread}/runs", "/runs"):
            key = {"Idempotency-Key": str(uuid4())}
            first = await me.http.post(path, json=BODY | {"after_seconds": 60}, headers=key)
            again = await me.http.post(path, json=BODY | {"after_seconds": 60}, headers=key)
            assert first.json() == again.json()
            assert first.headers["content-location"] == again.headers["content-location"]
            assert refusal(await me.http.post(path, json=BODY, headers=key))[0] == 422


class TestFind:
    async def test_list(self, me: Person) -> None:
        thread = await thread_of(me)
        runs = [(await me.sdk.runs.create(thread, "steps", input={}))["run_id"] for _ in range(3)]
        for run in runs:
            await me.sdk.runs.join(thread, run)
        listed = await me.sdk.runs.list(thread)
        assert [run["run_id"] for run in listed] == runs[::-1]
        assert all(set(run) == RUN_KEYS for run in listed)
        page = await me.sdk.runs.list(thread, limit=1, offset=1, status="success", select=["run_id", "status"])
        assert page == [{"run_id": runs[1], "status": "success"}]
        assert await me.sdk.runs.list(thread, status="pending") == []
        assert refusal(await me.http.get(f"/threads/{thread}/runs?limit=0"))[0] == 422

    async def test_there_is_none(self, me: Person) -> None:
        thread = await thread_of(me)
        assert await me.sdk.runs.list(thread) == []
        for call in (me.sdk.runs.get, me.sdk.runs.cancel, me.sdk.runs.delete):
            with pytest.raises(NotFoundError):
                await call(thread, NOBODY)


class TestCancel:
    async def test_it_ends(self, me: Person) -> None:
        thread, run = await me.start(seconds=20)
        await me.sdk.runs.cancel(thread, str(run), wait=True)
        assert (await me.sdk.runs.get(thread, str(run)))["status"] == "interrupted"
        assert (await me.sdk.threads.get(thread))["status"] == "interrupted"
        with pytest.raises(ConflictError):
            await me.sdk.runs.cancel(thread, str(run))

    async def test_it_is_taken_back(self, me: Person) -> None:
        thread = await me.run()
        _, run = await me.start(thread_id=thread, seconds=20)
        joined = asyncio.create_task(me.sdk.runs.join(thread, str(run)))
        await me.sdk.runs.cancel(thread, str(run), wait=True, action="rollback")
        with pytest.raises(NotFoundError):
            await me.sdk.runs.get(thread, str(run))
        assert (await joined)["__error__"]["error"] == "RUN_DELETED"
        assert (await me.sdk.threads.get_state(thread))["values"] == STEPS

    async def test_without_waiting(self, me: Person) -> None:
        thread, run = await me.start(seconds=20)
        response = await me.http.post(f"/threads/{thread}/runs/{run}/cancel?wait=0&action=interrupt")
        assert (response.status_code, response.content) == (202, b"")
        await me.sdk.runs.join(thread, str(run))
        bad = await me.http.post(f"/threads/{thread}/runs/{run}/cancel?action=explode")
        assert refusal(bad)[0] == 422


class TestDelete:
    async def test_a_finished_one(self, me: Person) -> None:
        thread, run = await me.start()
        await me.wait(run)
        await me.sdk.runs.delete(thread, str(run))
        with pytest.raises(NotFoundError):
            await me.sdk.runs.get(thread, str(run))
        assert (await me.sdk.threads.get_state(thread))["values"] == STEPS

    async def test_one_that_runs(self, me: Person) -> None:
        thread, run = await me.start(seconds=20)
        with pytest.raises(ConflictError):
            await me.sdk.runs.delete(thread, str(run))
        await me.sdk.runs.cancel(thread, str(run), wait=True)


class TestDoubleTexting:
    async def second(self, me: Person, strategy: str | None) -> tuple[str, UUID, Any]:
        thread, run = await me.start(seconds=1)
        await until_next(me.runtime, me.asked(thread), "slow")
        return thread, run, await me.sdk.runs.wait(thread, "steps", input={}, multitask_strategy=strategy)

    @pytest.mark.parametrize("strategy", [None, "enqueue"])
    async def test_enqueue(self, me: Person, strategy: str | None) -> None:
        _, run, values = await self.second(me, strategy)
        assert values["steps"] == STEPS["steps"] * 2
        assert (await me.wait(run)).status == "success"

    async def test_reject(self, me: Person) -> None:
        with pytest.raises(httpx.HTTPStatusError, match="409"):
            await self.second(me, "reject")

    async def test_interrupt(self, me: Person) -> None:
        _, run, values = await self.second(me, "interrupt")
        assert values["steps"] == ["first", *STEPS["steps"]]
        assert (await me.wait(run)).status == "interrupted"

    async def test_rollback(self, me: Person) -> None:
        thread, run, values = await self.second(me, "rollback")
        assert values["steps"] == STEPS["steps"]
        assert [item["run_id"] for item in await me.sdk.runs.list(thread)] != [str(run)]
        assert len(await me.sdk.runs.list(thread)) == 1


class TestEndings:
    """What a run left is told after its process, or its thread, has gone on."""

    async def check(self, me: Person) -> None:
        thread = await thread_of(me)
        runs = [(await me.sdk.runs.create(thread, "steps", input={}))["run_id"] for _ in range(2)]
        await me.sdk.runs.join(thread, runs[1])
        assert await me.sdk.runs.join(thread, runs[0]) == STEPS
        assert await me.sdk.runs.join(thread, runs[1]) == {"steps": STEPS["steps"] * 2}

        asked = await thread_of(me)
        waiting = await me.sdk.runs.create(asked, "approval", input={})
        first = await me.sdk.runs.join(asked, waiting["run_id"])
        assert await me.sdk.runs.wait(asked, "approval", command={"resume": "yes"}) == {
            "steps": ["first", "last"],
            "answer": "yes",
        }
        again = await me.sdk.runs.join(asked, waiting["run_id"])
        assert again["steps"] == first["steps"] == ["first"]
        assert [item["value"] for item in first["__interrupt__"]] == [{"question": "go on?"}]

    async def test_each_has_its_own(self, me: Person) -> None:
        await self.check(me)


class TestEncrypted(TestEndings):
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return environ | {"CHECKPOINT_KEY": f"k:{base64.b64encode(bytes(32)).decode()}"}
