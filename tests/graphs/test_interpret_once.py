"""Each confirmed call once: the journal, a crash in between, and tools that ask for more (G21, X021)."""

from typing import Any

import pytest

from nodes.interpret_execute.records import InMemoryToolJournal, JournalEntry, PlannedCall
from tests.graphs.interpret_setting import ADD_2_3, APPROVE, INTEGER, REJECT, Setting, act, edit, step
from tests.kit.fake_hub import text
from tools.mcp.model import Answers, InputNeeded, ToolResult

APPEND = act(step("s1", "append", {"text": "x"}))
NAME = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


class Killed(BaseException):
    """The process ends here."""


class DiesBefore(InMemoryToolJournal):
    """Journals a call; then the process dies before it is sent."""

    async def begin(self, call: PlannedCall) -> JournalEntry:
        entry = await super().begin(call)
        if entry.state == "new":
            raise Killed
        return entry


class DiesAfter(InMemoryToolJournal):
    """The process dies when the tool has answered and before that is stored."""

    async def finish(self, call_id: str, outcome: dict[str, Any]) -> None:
        raise Killed


async def crashed(setting: Setting, journal: InMemoryToolJournal) -> None:
    """Confirm an offer, and die in its call; then come back with the journal as it was stored."""
    setting.journal = journal
    with pytest.raises(Killed):
        await setting.answer(APPROVE)
    setting.journal = InMemoryToolJournal()
    setting.journal.calls, setting.journal.outcomes = journal.calls, journal.outcomes
    setting.restart()


@pytest.mark.parametrize(("journal", "sent"), [(DiesBefore, 0), (DiesAfter, 1)])
class TestCrash:
    async def test_a_call_of_unknown_outcome_is_not_sent_again_silently(
        self, journal: type[InMemoryToolJournal], sent: int
    ) -> None:
        setting = Setting(APPEND)
        await setting.say("写下 x")
        await crashed(setting, journal())
        await setting.run(None)

        (value,) = await setting.pending()
        assert value["kind"] == "uncertain"
        assert value["offer"]["action"] == "append"
        assert value["review_configs"][0]["allowed_decisions"] == ["approve", "reject"]
        assert len(setting.hub.called) == sent

    async def test_the_person_lets_it_be_sent_again(self, journal: type[InMemoryToolJournal], sent: int) -> None:
        setting = Setting(APPEND)
        await setting.say("写下 x")
        await crashed(setting, journal())
        await setting.run(None)
        output = await setting.answer(APPROVE)

        assert output["status"] == "done"
        assert len(setting.hub.called) == sent + 1

    async def test_the_person_leaves_it(self, journal: type[InMemoryToolJournal], sent: int) -> None:
        setting = Setting(APPEND)
        await setting.say("写下 x")
        await crashed(setting, journal())
        await setting.run(None)
        await setting.answer({"type": "perhaps"})
        (value,) = await setting.pending()
        assert value["problem"]
        output = await setting.answer(REJECT)

        assert output["results"]["s1"]["status"] == "unknown"
        assert len(setting.hub.called) == sent

    async def test_a_call_that_does_no_harm_is_sent_again(self, journal: type[InMemoryToolJournal], sent: int) -> None:
        setting = Setting(ADD_2_3)
        await setting.say("把二和三加起来")
        await crashed(setting, journal())
        output = await setting.run(None)

        assert output["data"] == {"result": 5}
        assert len(setting.hub.called) == sent + 1


async def test_a_stored_outcome_is_not_asked_for_again() -> None:
    setting = Setting(APPEND)
    await setting.say("写下 x")
    before = (await setting.graph.aget_state({"configurable": {"thread_id": "t"}})).config
    await setting.answer(APPROVE)
    # The same step from the same checkpoint: a client that forks, or a process that lost its last writes.
    forked = await setting.graph.aupdate_state(before, None, as_node="__copy__")
    output = await setting.run_from(forked, APPROVE)

    assert output["status"] == "done"
    assert setting.hub.names == ["append"]


async def test_every_call_has_an_id_of_its_own() -> None:
    setting = Setting(act(step("s1", "append", {"text": "x"}), step("s2", "append", {"text": "x"})))
    await setting.say("写两次 x")
    await setting.answer(APPROVE)
    await setting.say("写两次 x")
    await setting.answer(APPROVE)

    assert len({call.call_id for call in setting.hub.called}) == 4


class TestElicitation:
    @staticmethod
    def setting() -> Setting:
        def ask(_given: Any, answers: Answers | None) -> ToolResult | InputNeeded:
            if answers is None:
                request = {"method": "elicitation/create", "params": {"message": "Who?", "requestedSchema": NAME}}
                return InputNeeded(requests={"who": request}, state="kept")
            (answer,) = answers.responses.values()
            assert answers.state == "kept"
            return text(answer["content"]["name"] if answer["action"] == "accept" else "nobody")

        setting = Setting(act(step("s1", "ask", {"a": 1})))
        setting.hub.add("ask", ask, {"a": INTEGER}, destructive=False)
        return setting

    async def test_a_tool_that_asks_for_more_gets_the_persons_answer(self) -> None:
        setting = self.setting()
        await setting.say("问一下")
        await setting.answer(APPROVE)
        (value,) = await setting.pending()
        assert value["kind"] == "input"
        assert value["review_configs"][0]["args_schema"] == NAME
        assert "Who?" in value["offer"]["confirmText"]

        setting.restart()
        output = await setting.answer(edit("ask", {"name": "Li"}))
        assert output["data"]["text"] == "Li"
        assert len(setting.hub.called) == 2

    async def test_what_does_not_fit_is_asked_for_again_and_the_person_may_decline(self) -> None:
        setting = self.setting()
        await setting.say("问一下")
        await setting.answer(APPROVE)
        for wrong in (edit("ask", {"name": 1}), APPROVE, "Li"):
            await setting.answer(wrong)
            (value,) = await setting.pending()
            assert value["problem"]
        assert len(setting.hub.called) == 1
        assert (await setting.answer(REJECT))["data"]["text"] == "nobody"

    async def test_a_tool_may_not_ask_for_our_model(self) -> None:
        setting = self.setting()
        sampling = InputNeeded(requests={"m": {"method": "sampling/createMessage", "params": {}}})
        setting.hub.add("ask", lambda *_given: sampling, {"a": INTEGER}, destructive=False)
        await setting.say("问一下")
        output = await setting.answer(APPROVE)

        assert output["status"] == "failed"
        assert output["results"]["s1"]["error"]["status"] == 502
