"""What a call answers, on a server that is well."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.kit.tool_servers import LIMITS, FaultServer, plugged, result_of
from tools.mcp.child import MESSAGE_LIMIT_BYTES, TOO_LARGE
from tools.mcp.hub import McpHub
from tools.mcp.model import Answers, InputNeeded, InvalidArguments, ToolTimedOut, UnknownTool

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> FaultServer:
    return FaultServer(Path(tmp_path_factory.mktemp("mcp")) / "faults")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(shared: FaultServer) -> AsyncIterator[McpHub]:
    config = shared.config(timeoutMs=2000)
    async with plugged(LIMITS, faults=config) as opened:
        await opened.tools()
        yield opened


async def test_a_call_answers_with_text_and_structure(hub: McpHub) -> None:
    result = await result_of(hub, "add", a=2, b=3)
    assert (result.text, result.structured, result.is_error, result.truncated) == ("5", {"result": 5}, False, False)


async def test_the_hints_are_the_servers_own(hub: McpHub) -> None:
    add, append = await hub.find("add"), await hub.find("append_line")
    assert (add.read_only, add.idempotent, add.destructive, add.repeatable) == (True, True, False, True)
    assert (append.read_only, append.idempotent, append.destructive, append.repeatable) == (False, False, False, False)


async def test_arguments_that_do_not_fit_are_not_sent(hub: McpHub, shared: FaultServer) -> None:
    before = shared.lines()
    with pytest.raises(InvalidArguments) as caught:
        await hub.call("append_line", {"line": "no such field"}, call_id="1")
    assert caught.value.problems == ("arguments: missing text",)
    assert shared.lines() == before


async def test_an_unknown_tool_is_told(hub: McpHub) -> None:
    with pytest.raises(UnknownTool):
        await hub.call("no_such_tool", {}, call_id="1")


async def test_the_qualified_name_finds_a_tool_too(hub: McpHub) -> None:
    assert (await hub.find("faults.add")).name == "add"


async def test_an_error_of_the_tool_is_a_result(hub: McpHub) -> None:
    result = await result_of(hub, "fail")
    assert result.is_error
    assert "the tool could not do it" in result.text


async def test_the_call_id_reaches_the_server(hub: McpHub, shared: FaultServer) -> None:
    await hub.call("append_with_call_id", {"text": "marked"}, call_id="run-1/step-2")
    assert shared.lines()[-1] == "marked run-1/step-2"


async def test_a_flood_is_cut(hub: McpHub) -> None:
    result = await result_of(hub, "flood", size=900_000)
    assert result.truncated
    assert 200_000 < len(result.text.encode()) <= LIMITS.output_bytes
    assert set(result.text) == {"水"}


async def test_an_answer_that_is_too_large_to_read_is_told_at_once(hub: McpHub, shared: FaultServer) -> None:
    result = await result_of(hub, "flood", size=MESSAGE_LIMIT_BYTES + 1)
    assert (result.is_error, result.text) == (True, TOO_LARGE)
    assert (await result_of(hub, "add", a=1, b=1)).text == "2"
    assert len(shared.pids()) == 1


async def test_lines_that_are_no_messages_disturb_nobody(hub: McpHub) -> None:
    assert (await result_of(hub, "print_in_the_wrong_place", text="Starting up...")).text == "printed"


async def test_what_a_server_prints_is_logged_within_bounds(hub: McpHub, caplog: pytest.LogCaptureFixture) -> None:
    """And it is read on: a server whose pipe is full would stand still."""
    caplog.set_level("DEBUG")
    assert (await result_of(hub, "say", text="one line\n" * 50_000)).text == "said"
    assert (await result_of(hub, "add", a=1, b=1)).text == "2"
    lines = [record for record in caplog.records if "mcp_server_stderr" in record.getMessage()]
    assert 1 <= len(lines) <= 100


async def test_answers_of_a_wrong_form_are_not_sent(hub: McpHub) -> None:
    with pytest.raises(InvalidArguments):
        await hub.call("order", {"dish": "tea"}, call_id="1", answers=Answers(responses={"x": {"action": "maybe"}}))


async def test_a_large_picture_becomes_a_note_and_a_small_one_stays(hub: McpHub) -> None:
    large, small = await result_of(hub, "picture", size=500_000), await result_of(hub, "picture", size=300)
    assert large.text.startswith("[image: image/png, 50000")
    assert large.truncated
    assert (small.content[0]["type"], small.content[0]["mimeType"], small.truncated) == ("image", "image/png", False)


async def test_what_a_database_cannot_hold_is_left_out(hub: McpHub) -> None:
    result = await result_of(hub, "odd_characters")
    assert (result.text, result.structured) == ("beforeafter", {"result": "beforeafter"})


async def test_a_tool_that_asks_is_answered_in_another_call(hub: McpHub, shared: FaultServer) -> None:
    asked = await hub.call("order", {"dish": "tea"}, call_id="1")
    assert isinstance(asked, InputNeeded)
    [(key, request)] = asked.requests.items()
    assert (request["method"], request["params"]["message"]) == ("elicitation/create", "How much tea?")
    assert request["params"]["requestedSchema"]["required"] == ["size"]
    answers = Answers(responses={key: {"action": "accept", "content": {"size": 3}}}, state=asked.state)
    await hub.call("order", {"dish": "tea"}, call_id="1", answers=answers)
    assert shared.lines()[-1] == "3 tea"


async def test_who_declines_to_answer_ends_the_call(hub: McpHub, shared: FaultServer) -> None:
    asked = await hub.call("order", {"dish": "soup"}, call_id="1")
    assert isinstance(asked, InputNeeded)
    responses = {key: {"action": "decline"} for key in asked.requests}
    ended = await hub.call(
        "order", {"dish": "soup"}, call_id="1", answers=Answers(responses=responses, state=asked.state)
    )
    assert getattr(ended, "is_error", False)
    assert "soup" not in "".join(shared.lines())


async def test_a_script_sees_nothing_of_our_environment(hub: McpHub) -> None:
    """The child inherits a handful of names, and what its configuration says (W11)."""
    result = await result_of(hub, "environment")
    assert set(result.text.split()) <= {
        *("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER", "LC_CTYPE"),
        *("NOTES", "STARTS", "TOUCHED", "REFUSING"),
    }


async def test_a_tool_that_hangs_times_out_and_the_session_stays_usable(hub: McpHub, shared: FaultServer) -> None:
    with pytest.raises(ToolTimedOut):
        await hub.call("slow_append", {"seconds": 30, "text": "slow"}, call_id="1")
    assert (await result_of(hub, "add", a=1, b=1)).text == "2"
    assert shared.lines().count("slow") == 1
    assert len(shared.pids()) == 1
