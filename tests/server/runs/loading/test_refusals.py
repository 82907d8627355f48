"""What cannot be served is a sentence at the start, with the file, the graph and the reason."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from server.runs import workflows
from server.runs.loading import names
from server.runs.workflows import WorkflowError
from tests.server.runs.loading.conftest import Logged, Write, graph_file
from tests.test_architecture import PACKAGES

AGENT = {"a": "./agent.py:graph"}
MALFORMED: list[tuple[dict[str, Any], str]] = [
    ({}, "`graphs`"),
    ({"graphs": []}, "`graphs`"),
    ({"graphs": {}}, "names no graph"),
    ({"graphs": {"a": 1}}, "graph a must be"),
    ({"graphs": {"a": {"description": "x"}}}, "graph a must be"),
    ({"graphs": {"a": {"path": "./agent.py:graph", "description": 1}}}, "graph a must be"),
    ({"graphs": {"a": "./agent.py"}}, "graph a: `./agent.py` must have the form"),
    ({"graphs": {"a": "./missing.py:graph"}}, "graph a: there is no file"),
    ({"graphs": {"a": "missing_module.sub:graph"}}, "graph a: there is no module `missing_module`"),
    ({"graphs": {"a": "./agent.py:missing"}}, "graph a: `./agent.py` has no attribute `missing`"),
    ({"graphs": {"a": "./agent.py:START"}}, "graph a: `./agent.py:START`: it is a str, no LangGraph graph"),
    ({"graphs": {"a": "./agent.py:one"}}, "graph a: `./agent.py:one`: it is an int, no LangGraph graph"),
    ({"graphs": {"a": "./agent.py:two"}}, "graph a: `./agent.py:two`: a function that makes a graph may take one"),
    ({"graphs": {"a": "./agent.ts:graph"}}, "graph a: `./agent.ts` is no Python file"),
    ({"graphs": AGENT, "dependencies": "."}, "`dependencies` must be"),
    ({"graphs": AGENT, "dependencies": ["./missing"]}, "dependency ./missing: there is no such folder"),
    ({"graphs": AGENT, "env": {"A": 1}}, "`env` must be"),
    ({"graphs": AGENT, "env": []}, "`env` must be"),
]


@pytest.mark.parametrize(("config", "reason"), MALFORMED)
def test_malformed(write: Write, config: dict[str, Any], reason: str) -> None:
    after = "def one():\n    return 1\ndef two(a, b):\n    return graph\n"
    file = write({"agent.py": graph_file(after=after), "agent.ts": ""}, **config)
    with pytest.raises(WorkflowError) as refused:
        workflows.load(file)
    assert str(refused.value).startswith(str(file))
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


def test_no_json(write: Write) -> None:
    file = write({})
    file.write_text("{")
    with pytest.raises(WorkflowError, match="is no JSON"):
        workflows.load(file)
    with pytest.raises(WorkflowError, match="No such file"):
        workflows.load(file.with_name("missing.json"))


@pytest.mark.parametrize("source", ["./agent.py:graph", "agent:graph"])
def test_the_authors_own_exception_is_shown_from_their_first_frame(write: Write, source: str) -> None:
    files = {"agent.py": "import helper\n", "helper.py": "def prepare():\n    raise ValueError('no key')\nprepare()\n"}
    with pytest.raises(WorkflowError) as refused:
        workflows.load(write(files, graphs={"agent": source}))
    told = str(refused.value)
    assert "graph agent" in told
    assert told.endswith("ValueError: no key")
    assert told.index("agent.py") < told.index("helper.py")
    assert "importlib" not in told
    assert "loading" not in told


def test_a_missing_library_is_told_with_the_line_that_wants_it(write: Write) -> None:
    with pytest.raises(WorkflowError, match="missing_library") as refused:
        workflows.load(write({"agent.py": "import missing_library\n"}, graphs={"agent": "./agent.py:graph"}))
    assert "line 1" in str(refused.value)


@pytest.mark.parametrize("where", ["tools.py", "tools/__init__.py", "tools/search.py"])
def test_their_import_of_a_name_of_ours_is_refused_with_both(write: Write, where: str) -> None:
    files = {"agent/graph.py": "from .deep import x\n", "agent/deep.py": "def f():\n    from tools import search\n"}
    file = write(files | {where: "raise SystemExit\n"}, graphs={"agent": "./agent/graph.py:graph"})
    with pytest.raises(WorkflowError) as refused:
        workflows.load(file)
    told = str(refused.value)
    assert "graph agent" in told
    assert "deep.py imports `tools`" in told
    assert str(file.parent / "tools") in told
    assert os.path.join("tools", "__init__.py") in told.partition("Colloquy's own package")[2]  # noqa: PTH118


@pytest.mark.parametrize("source", ["server.agent:graph", "./server/agent.py:graph", "./db.py:graph"])
def test_an_entry_under_a_name_of_ours_is_refused_with_both(write: Write, source: str) -> None:
    files = {"server/__init__.py": "", "server/agent.py": graph_file(), "db.py": graph_file()}
    file = write(files, graphs={"agent": source})
    with pytest.raises(WorkflowError, match="Colloquy's own package") as refused:
        workflows.load(file)
    assert str(file.parent) in str(refused.value)


@pytest.mark.parametrize("name", ["calendar", "httpx"])
def test_a_name_of_a_library_is_refused_where_it_is_imported(write: Write, name: str) -> None:
    file = write({"agent.py": f"import {name}\n", f"{name}.py": ""}, graphs={"agent": "./agent.py:graph"})
    with pytest.raises(WorkflowError, match=f"imports `{name}`"):
        workflows.load(file)


def test_names_that_nobody_imports_are_free(write: Write) -> None:
    files = {"agent.py": graph_file(), "tools/x.py": "", "calendar.py": graph_file(), "server.py": "", "tests/a.py": ""}
    assert set(workflows.load(write(files, graphs={"a": "./agent.py:graph", "c": "./calendar.py:graph"}))) == {"a", "c"}


def test_our_names_are_those_of_the_wheel() -> None:
    assert set(PACKAGES) == names.OURS


class TestEnvironment:
    def test_the_process_wins_and_our_settings_stay_ours(
        self, write: Write, log: Logged, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("THEIRS_SET", "process")
        env = {"THEIRS": "1", "THEIRS_SET": "2", "DATABASE_URL": "x", "MODEL_SUMMARY": "y", "PGHOST": "z"}
        env |= {"LANGGRAPH_STRICT_MSGPACK": "false", "OPENAI_API_KEY": "key"}
        file = write({"agent.py": graph_file(before="import os\nos.environ['THEIRS']\n")}, env=env, graphs=GRAPHS)
        workflows.load(file)
        assert (os.environ["THEIRS"], os.environ["THEIRS_SET"]) == ("1", "process")
        assert os.environ["OPENAI_API_KEY"] == "key"
        assert os.environ["LANGGRAPH_STRICT_MSGPACK"] == "true"
        assert not {"DATABASE_URL", "MODEL_SUMMARY", "PGHOST"} & os.environ.keys()
        told = warned(log(), "langgraph_json_env_not_set")
        assert told["names"] == ["DATABASE_URL", "LANGGRAPH_STRICT_MSGPACK", "MODEL_SUMMARY", "PGHOST"]

    def test_a_file(self, write: Write) -> None:
        file = write({"agent.py": graph_file(), ".env": "THEIRS='a b'\nJWT_SECRET=x\n"}, env=".env", graphs=GRAPHS)
        workflows.load(file)
        assert os.environ["THEIRS"] == "a b"
        assert "JWT_SECRET" not in os.environ

    def test_a_missing_file_is_a_warning(self, write: Write, log: Logged) -> None:
        workflows.load(write({"agent.py": graph_file()}, env=".env", graphs=GRAPHS))
        assert "langgraph_json_env_missing" in log()


def test_what_is_not_honoured_is_named_in_one_warning(write: Write, log: Logged) -> None:
    config: dict[str, Any] = {"python_version": "3.11", "store": {}, "http": {}, "auth": {}, "odd": 1}
    graphs = {"agent": {"path": "./agent.py:graph", "color": "red"}}
    config |= {"dependencies": [".", "httpx>=0.1", "not-installed[extra]>=2"], "graphs": graphs}
    workflows.load(write({"agent.py": graph_file()}, **config))
    told = warned(log(), "langgraph_json_not_honoured")
    assert told["keys"] == ["auth", "http", "odd", "python_version", "store", "graphs.agent.color"]
    assert told["not_installed"] == ["not-installed[extra]>=2"]


GRAPHS = {"agent": "./agent.py:graph"}


def warned(log: str, event: str) -> dict[str, Any]:
    lines = [json.loads(line) for line in log.splitlines() if event in line]
    assert len(lines) == 1
    assert isinstance(lines[0], dict)
    assert Path(lines[0]["file"]).name == "langgraph.json"
    return lines[0]
