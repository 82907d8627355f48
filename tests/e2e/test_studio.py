"""The graphs in LangGraph Studio's own server, driven with the vendor's SDK (X009, K35)."""

import json
from pathlib import Path
from typing import Any

from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.kit.processes import ROOT, Program, environment, free_port, program, until_answers

CALL = json.loads(next((ROOT / "examples" / "calls").glob("*price*.json")).read_text(encoding="utf-8"))


async def test_every_graph_opens_and_runs(tmp_path: Path) -> None:
    port = free_port()
    settings = {"LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGSMITH_TRACING": "false", "MODEL_DEFAULT": "offline"}
    settings["MCP_SCRIPT_PATH"] = str(ROOT / "examples" / "mcp" / "demo_server.py")
    arguments = ("-m", "langgraph_cli", "dev", "--no-browser", "--no-reload", "--port", str(port))
    config = tmp_path / "langgraph.json"
    # The project's own list, with paths that hold from elsewhere: what the server leaves behind stays there.
    config.write_text(
        json.dumps(json.loads((ROOT / "langgraph.json").read_text()) | {"dependencies": [str(ROOT)], "env": {}})
    )
    environ = environment(tmp_path, **settings) | {"PYTHONPATH": str(ROOT)}
    with program(*arguments, "--config", str(config), environ=environ, output=tmp_path / "log", cwd=tmp_path) as dev:
        dev.address = f"http://127.0.0.1:{port}"
        until_answers(dev, "/ok")
        await _drive(dev)


async def _drive(dev: Program) -> None:
    async with get_client(url=dev.address, api_key=None) as client:
        assistants = {found["graph_id"]: found["assistant_id"] for found in await client.assistants.search()}
        assert set(assistants) == set(json.loads((ROOT / "langgraph.json").read_text())["graphs"])
        await _summarise(client, assistants["call_summary"])
        await _interpret(client, assistants["interpret_execute"])


async def _interpret(client: LangGraphClient, assistant: str) -> None:
    thread = await client.threads.create()
    words = {"text": "把二十三和十九加起来"}
    values: Any = await client.runs.wait(thread["thread_id"], assistant, input=words)
    (waiting,) = values["__interrupt__"]
    assert waiting["value"]["offer"]["params"] == {"a": 23, "b": 19}
    answer = {"decisions": [{"type": "approve"}]}
    values = await client.runs.wait(thread["thread_id"], assistant, command={"resume": answer})
    assert values["data"] == {"result": 42}


async def _summarise(client: LangGraphClient, assistant: str) -> None:
    schemas = await client.assistants.get_schemas(assistant)
    assert schemas["input_schema"]
    assert "messages" in schemas["input_schema"]["properties"]
    thread = await client.threads.create()
    parts = [
        part
        async for part in client.runs.stream(
            thread["thread_id"], "call_summary", input={"messages": CALL["messages"]}, stream_mode=["updates", "custom"]
        )
    ]
    assert not [part for part in parts if part.event == "error"], parts
    assert any(part.event == "custom" and part.data["type"] == "delta" for part in parts)
    state = await client.threads.get_state(thread["thread_id"])
    assert isinstance(state["values"], dict)
    assert state["values"]["summary"]
    assert state["next"] == []
