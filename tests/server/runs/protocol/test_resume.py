"""Answers through the real SDK: one, several, some of several; none twice (X011, X018). Forks. Commands."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.kit.cases import together
from tests.server.runs.protocol.conftest import NOBODY, Person, refusal

ANSWERS: list[Any] = [
    [{"type": "accept", "args": None}],
    {"decisions": [{"type": "approve"}]},
    {"decisions": [{"type": "edit", "edited_action": {"name": "send", "args": {"to": "我"}}}]},
    "yes",
    False,
    0,
    "",
    {"a" * 31: 1},
]


async def answer(me: Person, thread: str, **body: Any) -> httpx.Response:
    return await me.http.post(f"/threads/{thread}/runs/wait", json={"assistant_id": "approval"} | body)


async def interrupts_of(me: Person, thread: str) -> dict[str, Any]:
    """What the thread waits for: values by the interrupts' ids, in the order of their values."""
    found = (await me.sdk.threads.get(thread))["interrupts"].values()
    pairs = [(item["id"], item["value"]) for task in found for item in task]
    return dict(sorted(pairs, key=lambda pair: str(pair[1])))


class TestResume:
    @together("value", ANSWERS)
    async def test_the_only_one(self, me: Person, value: Any) -> None:
        thread = await me.run("approval")
        values = await me.sdk.runs.wait(thread, "approval", command={"resume": value})
        assert values == {"steps": ["first", "last"], "answer": value}
        found = await me.sdk.threads.get(thread)
        assert (found["status"], found["interrupts"]) == ("idle", {})

    async def test_by_its_id(self, me: Person) -> None:
        thread = await me.run("approval")
        [name] = await interrupts_of(me, thread)
        values = await me.sdk.runs.wait(thread, "approval", command={"resume": {name: "yes"}})
        assert values["answer"] == "yes"

    async def test_a_command_wins_over_an_input(self, me: Person) -> None:
        """What agent-chat-ui sends: an empty input, and the head's checkpoint without its thread."""
        thread = await me.run("approval")
        place = (await me.sdk.threads.get_state(thread))["checkpoint"]
        place = {key: place[key] for key in place if key != "thread_id"}
        response = await answer(me, thread, input={}, command={"resume": "yes"}, checkpoint=place)
        assert response.json() == {"steps": ["first", "last"], "answer": "yes"}
        again = await answer(me, thread, input={}, command={"resume": "yes"})
        assert refusal(again)[0] == 409

    async def test_several_at_once(self, me: Person) -> None:
        thread = await me.run("both")
        ids = list(await interrupts_of(me, thread))
        resume = dict(zip(ids, ("L", "R"), strict=True))
        values = await me.sdk.runs.wait(thread, "both", command={"resume": resume})
        assert sorted(values["steps"]) == ["left", "left L", "right R"]

    async def test_some_of_several(self, me: Person) -> None:
        thread = await me.run("both")
        left, right = await interrupts_of(me, thread)
        values = await me.sdk.runs.wait(thread, "both", command={"resume": {right: "R"}})
        assert [item["id"] for item in values["__interrupt__"]] == [left]
        assert await interrupts_of(me, thread) == {left: "left?"}
        values = await me.sdk.runs.wait(thread, "both", command={"resume": {left: "L"}})
        assert sorted(values["steps"]) == ["left", "left L", "right R"]

    async def test_several_need_their_ids(self, me: Person) -> None:
        thread = await me.run("both")
        for resume in ("yes", {"f" * 32: "yes"}):
            assert refusal(await answer(me, thread, assistant_id="both", command={"resume": resume}))[0] == 409
        assert len(await interrupts_of(me, thread)) == 2

    async def test_five_at_once_are_one(self, me: Person) -> None:
        thread = await me.run("approval")
        answers = await asyncio.gather(*(answer(me, thread, command={"resume": number}) for number in range(5)))
        statuses = [response.status_code for response in answers]
        assert sorted(statuses) == [200, 409, 409, 409, 409]
        assert (await me.sdk.threads.get(thread))["values"]["answer"] == statuses.index(200)

    async def test_nothing_waits(self, me: Person) -> None:
        finished, new = await me.run("steps"), (await me.sdk.threads.create())["thread_id"]
        for thread, graph in ((finished, "steps"), (new, "approval")):
            for tail in ("", "/stream", "/wait"):
                body = {"assistant_id": graph, "command": {"resume": 1}, "if_not_exists": "create"}
                assert refusal(await me.http.post(f"/threads/{thread}/runs{tail}", json=body))[0] == 409
        assert refusal(await answer(me, NOBODY, command={"resume": 1}, if_not_exists="create"))[0] == 404
        assert refusal(await me.http.post("/runs/wait", json={"assistant_id": "steps", "command": {"resume": 1}}))[
            0
        ] == (404)

    async def test_while_it_runs(self, me: Person) -> None:
        thread, run = await me.start(seconds=20)
        assert refusal(await answer(me, thread, assistant_id="steps", command={"resume": 1}))[0] == 409
        await me.sdk.runs.cancel(thread, str(run), wait=True)

    async def test_in_a_subgraph(self, me: Person) -> None:
        thread = await me.run("nested")
        values = await me.sdk.runs.wait(thread, "nested", command={"resume": "deep"})
        assert values["answer"] == "deep"


class TestCommand:
    async def test_update_and_resume(self, me: Person) -> None:
        thread = await me.run("approval")
        command = {"resume": "yes", "update": {"steps": ["told"]}}
        values = await me.sdk.runs.wait(thread, "approval", command=command)
        assert values == {"steps": ["first", "told", "last"], "answer": "yes"}

    @pytest.mark.parametrize("update", [{"steps": ["told"]}, [["steps", ["told"]]]])
    async def test_update_and_goto(self, me: Person, update: Any) -> None:
        thread = await me.run("steps")
        values = await me.sdk.runs.wait(thread, "steps", command={"update": update, "goto": "last"})
        assert values["steps"] == ["first", "slow", "last", "told", "last"]

    async def test_goto_a_node_with_its_own_input(self, me: Person) -> None:
        thread = await me.run("choice", steps=[])
        goto = [{"node": "right", "input": {"steps": []}}]
        values = await me.sdk.runs.wait(thread, "choice", command={"goto": goto})
        assert values["steps"] == ["left", "left", "right"]

    async def test_goto_the_end(self, me: Person) -> None:
        """What agent-chat-ui sends to mark a question as resolved."""
        thread = await me.run("approval")
        streamed = me.sdk.runs.stream(thread, "approval", input={}, command={"goto": "__end__"})
        parts = [(part.event, part.data) async for part in streamed]
        assert parts[1:] == [("values", {"steps": ["first"]})]
        found = await me.sdk.threads.get(thread)
        assert (found["status"], found["interrupts"]) == ("idle", {})
        assert (await me.sdk.threads.get_state(thread))["next"] == []
        others: list[dict[str, Any]] = [{"resume": 1}, {"update": {"steps": []}}, {"goto": ["__end__", "last"]}]
        for other in others:
            command = {"goto": ["__end__"]} | other
            assert refusal(await answer(me, thread, command=command))[0] == 422

    @together(
        "command",
        [{"goto": "nowhere"}, {"goto": [{"node": "nowhere"}]}, {"update": {"nothing": 1}}, {"graph": "__parent__"}],
    )
    async def test_what_the_graph_has_not(self, me: Person, command: Any) -> None:
        thread = await me.run("steps")
        assert refusal(await answer(me, thread, assistant_id="steps", command=command))[0] == 422


class TestFork:
    async def test_with_an_input(self, me: Person) -> None:
        """As a chat does when an answer is made again, or a question is edited."""
        thread = await me.run("steps")
        await me.run("steps", thread)
        states = await me.sdk.threads.get_history(thread, limit=50)
        once = next(state for state in states if state["values"]["steps"] == ["first", "slow", "last"])
        for place in ({"checkpoint": once["checkpoint"]}, {"checkpoint_id": once["checkpoint_id"]}):
            values = await me.sdk.runs.wait(thread, "steps", input={"steps": ["edited"]}, **place)
            assert values["steps"] == ["first", "slow", "last", "edited", "first", "slow", "last"]
            head = await me.sdk.threads.get_state(thread)
            assert head["values"] == values
        assert (await me.sdk.threads.get(thread))["values"] == values

    async def test_without_one(self, me: Person) -> None:
        thread = await me.run("steps")
        states = await me.sdk.threads.get_history(thread, limit=50)
        place = next(state["checkpoint"] for state in states if state["next"] == ["last"])
        streamed = me.sdk.runs.stream(thread, "steps", checkpoint=place, stream_mode="updates")
        nodes = [list(part.data) async for part in streamed if part.event == "updates"]
        assert nodes == [["last"]]

    async def test_an_old_question(self, me: Person) -> None:
        """It can be answered if it was not; to answer it anew, it is asked anew."""
        thread = await me.run("approval")
        place = (await me.sdk.threads.get_state(thread))["checkpoint"]
        await me.run("approval", thread)
        values = await me.sdk.runs.wait(thread, "approval", command={"resume": "yes"}, checkpoint=place)
        assert values == {"steps": ["first", "last"], "answer": "yes"}
        assert refusal(await answer(me, thread, command={"resume": "no"}, checkpoint=place))[0] == 409
        values = await me.sdk.runs.wait(thread, "approval", checkpoint=place)
        assert len(values["__interrupt__"]) == 1
        values = await me.sdk.runs.wait(thread, "approval", command={"resume": "no"})
        assert values == {"steps": ["first", "last"], "answer": "no"}
        first = (await me.sdk.threads.get_history(thread, limit=50))[-1]["checkpoint"]
        assert refusal(await answer(me, thread, command={"resume": 1}, checkpoint=first))[0] == 409

    async def test_of_a_subgraph(self, me: Person) -> None:
        thread = await me.run("nested")
        [task] = (await me.sdk.threads.get_state(thread, subgraphs=True))["tasks"]
        place = task["state"]["checkpoint"]
        await me.sdk.runs.wait(thread, "nested", command={"resume": "one"})
        values = await me.sdk.runs.wait(thread, "nested", command={"resume": "two"}, checkpoint=place)
        assert values["answer"] == "two"
        without = {key: place[key] for key in ("checkpoint_id", "checkpoint_ns")}
        assert refusal(await answer(me, thread, assistant_id="nested", checkpoint=without))[0] == 422

    async def test_there_is_no_such_checkpoint(self, me: Person, other: Person) -> None:
        thread, theirs = await me.run("approval"), await other.run("approval")
        foreign = (await other.sdk.threads.get_state(theirs))["checkpoint"]["checkpoint_id"]
        for place in ("1ef4a9b8-e6fb-67b1-8001-abd5184439d1", foreign):
            assert refusal(await answer(me, thread, input={}, checkpoint_id=place))[0] == 404
        elsewhere = {"thread_id": theirs, "checkpoint_id": foreign}
        assert refusal(await answer(me, thread, input={}, checkpoint=elsewhere))[0] == 422
        assert refusal(await answer(me, NOBODY, input={}, checkpoint_id=foreign, if_not_exists="create"))[0] == 404
