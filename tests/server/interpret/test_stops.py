"""Where an execution stops again: destructive steps, tools that ask, that have changed, or whose outcome is unknown."""

from typing import Any
from uuid import UUID

import pytest
from langchain_core.runnables import RunnableConfig

from nodes.interpret_execute.state import StepState
from nodes.interpret_execute.step.call import _planned
from server.interpret.records import CallJournal
from server.runs.model import RunRequest
from tests.graphs.interpret_setting import act, step
from tests.kit.app import Service
from tests.kit.model_server import ModelServer
from tests.server.interpret.conftest import ADD_THEN_WIPE, APPEND, SIZE, GatedHub, Person, message, thread_of

TWO_WIPES = act(step("s1", "wipe", {"path": "a"}), step("s2", "wipe", {"path": "b"}), text="清空 a 和 b？")
ORDER = act(step("s1", "order", {"dish": "面"}), text="点一份面？")
FOUR_KEYS = ["type", "action", "params", "confirmText"]


def plan_of(answer: dict[str, Any]) -> dict[str, Any]:
    assert answer["action"] == "plan"
    params: dict[str, Any] = answer["params"]
    return params


class TestPlan:
    async def test_a_plan_is_offered_and_done_step_by_step(
        self, me: Person, models: ModelServer, hub: GatedHub
    ) -> None:
        models.script("interpret", ADD_THEN_WIPE)
        offer = (await me.interpret("先相加，再清空")).json()
        assert list(offer) == FOUR_KEYS
        plan = plan_of(offer)
        assert [list(step) for step in plan["steps"]] == [["id", "action", "params", "after"]] * 2
        stopped = (await me.execute("plan", plan)).json()
        assert stopped["success"] is True
        assert list(stopped["data"]) == ["steps", "pending"]
        assert stopped["data"]["steps"]["s1"]["data"] == {"result": 2}
        pending = stopped["data"]["pending"]
        assert list(pending) == FOUR_KEYS
        assert (pending["action"], pending["params"]) == ("wipe", {"path": "a"})
        assert hub.names == ["add"]
        assert (await me.session())["pending"] == pending
        done = (await me.execute("wipe", {"path": "a"})).json()
        assert {name: one["status"] for name, one in done["data"]["steps"].items()} == {
            "s1": "success",
            "s2": "success",
        }
        assert hub.names == ["add", "wipe"]

    async def test_of_two_steps_that_wait_each_is_answered_for_itself(
        self, me: Person, models: ModelServer, hub: GatedHub
    ) -> None:
        models.script("interpret", TWO_WIPES)
        plan = plan_of((await me.interpret("清空")).json())
        await me.execute("plan", plan)
        left = (await me.execute("wipe", {"path": "b"})).json()
        assert left["data"]["pending"]["params"] == {"path": "a"}
        assert [call.arguments for call in hub.called] == [{"path": "b"}]
        done = (await me.execute("wipe", {"path": "a"})).json()
        assert set(done["data"]["steps"]) == {"s1", "s2"}
        assert len(hub.called) == 2

    async def test_steps_arguments_may_be_changed_and_nothing_else(
        self, me: Person, models: ModelServer, hub: GatedHub
    ) -> None:
        models.script("interpret", ADD_THEN_WIPE)
        plan = plan_of((await me.interpret("先相加，再清空")).json())
        first, second = plan["steps"]
        for steps in (
            [first],
            [first, second, second],
            [second, first],
            [{**first, "action": "append"}, second],
            [{**first, "after": ["s2"]}, second],
            [{**first, "params": {"a": "x", "b": 1}}, second],
            [{**first, "params": None}, second],
            [1, 2],
            "steps",
        ):
            assert message(await me.execute("plan", {"steps": steps}))[:2] == (400, "EXEC_FAIL")
        assert hub.called == []
        changed = {"steps": [{**first, "params": {"a": 40, "b": 1}}, second]}
        stopped = (await me.execute("plan", changed)).json()
        assert stopped["data"]["steps"]["s1"]["data"] == {"result": 41}

    async def test_a_plan_that_failed_says_which_step(self, me: Person, models: ModelServer, hub: GatedHub) -> None:
        models.script("interpret", act(step("s1", "add", {"a": 1, "b": 1}), step("s2", "down", {})))
        hub.change("down", destructive=False)
        plan = plan_of((await me.interpret("两件事")).json())
        status, code, sentence = message(await me.execute("plan", plan))
        assert (status, code) == (502, "EXEC_FAIL")
        assert "add" in sentence
        assert "down" in sentence
        view = await me.session()
        assert view["status"] == "failed"
        assert view["result"]["data"]["steps"]["s1"]["data"] == {"result": 2}


class TestInput:
    async def test_a_tool_asks_and_is_answered(self, me: Person, models: ModelServer, hub: GatedHub) -> None:
        models.script("interpret", ORDER)
        await me.interpret("点面")
        asked = (await me.execute("order", {"dish": "面"})).json()
        pending = asked["data"]["pending"]
        assert list(pending) == [*FOUR_KEYS, "schema"]
        assert (pending["action"], pending["params"], pending["schema"]) == ("order", {}, SIZE)
        assert "多大份？" in pending["confirmText"]
        assert (await me.session())["pending"] == pending
        assert message(await me.execute("order", {"size": 0}))[:2] == (400, "EXEC_FAIL")
        assert message(await me.execute("order", {}))[:2] == (400, "EXEC_FAIL")
        assert (await me.execute("order", {"size": 2})).json()["data"]["text"] == "2 面"
        assert len(hub.called) == 2

    async def test_to_approve_is_no_answer_and_to_reject_is(
        self, me: Person, models: ModelServer, hub: GatedHub
    ) -> None:
        models.script("interpret", ORDER)
        await me.interpret("点面")
        await me.execute("order", {"dish": "面"})
        assert (await me.confirm(decision="approve")).status_code == 400
        rejected = (await me.confirm(decision="reject")).json()
        assert (rejected["type"], rejected["action"], rejected["params"]) == ("rejected", "order", {})
        assert (await me.session())["result"]["data"]["text"] == "declined"


class TestChanged:
    async def test_a_tool_that_has_changed_is_confirmed_anew(self, me: Person, hub: GatedHub) -> None:
        await me.interpret()
        tool = await hub.find("add")
        hub.change("add", input_schema={**tool.input_schema, "title": "other"})
        assert message(await me.execute()) == (409, "EXEC_FAIL", "工具已变化，请重新确认")
        assert hub.called == []
        assert (await me.session())["pending"]["action"] == "add"
        assert (await me.execute()).json()["data"] == {"result": 5}

    async def test_what_no_longer_fits_is_refused(self, me: Person, hub: GatedHub) -> None:
        await me.interpret()
        tool = await hub.find("add")
        schema = {**tool.input_schema, "required": ["a", "b", "c"], "properties": {"c": {"type": "string"}}}
        hub.change("add", input_schema=schema)
        assert message(await me.execute())[0] == 409
        assert message(await me.execute()) == (400, "EXEC_FAIL", "参数不符合工具的要求")
        assert hub.called == []


class TestUncertain:
    """After a crash nobody knows whether the tool did its work; the row of the journal is what a crash leaves."""

    @pytest.fixture
    async def crashed(self, service: Service, me: Person, models: ModelServer, hub: GatedHub) -> None:
        models.script("interpret", APPEND)
        await me.interpret("追加")
        thread, owner = await thread_of(service), UUID(me.id)
        state = (await service.runtime.engine.state(owner, thread)).values
        config: RunnableConfig = {"configurable": {"thread_id": str(thread)}}
        task = StepState(turn=state["turn"], step=state["steps"][0], digest="", alone=True, results={})
        journal = CallJournal(service.runtime.database, owner, nothing_to_settle)
        entry = await journal.begin(_planned(task, await hub.find("append"), config))
        assert entry.state == "new"

    @pytest.mark.usefixtures("crashed")
    async def test_a_further_request_calls_it_again(self, me: Person, hub: GatedHub) -> None:
        given = ("append", {"text": "第一行"})
        assert message(await me.execute(*given)) == (409, "EXEC_FAIL", "上次调用结果未知，请确认是否重新执行")
        assert hub.called == []
        assert (await me.session())["pending"]["action"] == "append"
        assert message(await me.execute("append", {"text": "别的"}))[:2] == (400, "EXEC_FAIL")
        assert (await me.execute(*given)).json()["data"]["text"] == "第一行"
        assert hub.names == ["append"]

    @pytest.mark.usefixtures("crashed")
    async def test_who_repeats_a_request_is_told_first(self, service: Service, me: Person, hub: GatedHub) -> None:
        """The run came to the question by itself, in a process that was started anew: nobody has heard of it."""
        thread, owner = await thread_of(service), UUID(me.id)
        engine = service.runtime.engine
        [waiting] = (await engine.state(owner, thread)).interrupts
        request = RunRequest(thread_id=thread, owner_id=owner, workflow="interpret_execute")
        run_id = await engine.resume(request, {"decisions": [{"type": "approve"}]}, waiting["id"])
        await engine.wait(owner, run_id, 10)
        given = ("append", {"text": "第一行"})
        assert message(await me.execute(*given))[0] == 409
        assert hub.called == []
        assert (await me.execute(*given)).status_code == 200
        assert hub.names == ["append"]

    @pytest.mark.usefixtures("crashed")
    async def test_or_leaves_it(self, me: Person, hub: GatedHub) -> None:
        await me.execute("append", {"text": "第一行"})
        assert (await me.confirm(decision="reject")).json()["type"] == "rejected"
        assert hub.called == []
        assert (await me.session())["status"] == "failed"

    @pytest.mark.usefixtures("crashed")
    async def test_to_approve_it_in_so_many_words_needs_no_warning(self, me: Person, hub: GatedHub) -> None:
        await me.execute("append", {"text": "第一行"})
        assert (await me.confirm(decision="approve")).json()["data"]["text"] == "第一行"
        assert hub.names == ["append"]


async def nothing_to_settle() -> None:
    pass
