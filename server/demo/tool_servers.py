"""The tool servers of the demonstration: our own, and of those that others wrote the ones that are installed."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

# Where `make demo` puts the servers that come from npm.
_NPM: Final = Path(sys.prefix) / "tool-servers"
_IDENTITY: Final = ("-c", "user.name=Demo", "-c", "user.email=demo@example.invalid")


@contextmanager
def workshop(examples: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """Make a directory for the tools to work in; give it, and the settings that plug them in. Blocking."""
    with TemporaryDirectory(prefix="colloquy-demo-") as made:
        directory = Path(made)
        (directory / "letter.txt").write_text("致各位：季度会议改到周五下午三点。\n", encoding="utf-8")
        servers = dict(_servers(examples, directory))
        yield directory, {"MCP_SERVERS": json.dumps({"mcpServers": servers})}


def _servers(examples: Path, directory: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    script = str(examples / "demo_server.py")
    yield "demo", {"command": sys.executable, "args": [script], "env": {"NOTES_FILE": str(directory / "notes.txt")}}
    if find_spec("mcp_server_time"):
        yield "clock", {"command": sys.executable, "args": ["-m", "mcp_server_time"]}
    if find_spec("mcp_server_git"):
        repository = _repository(directory / "project")
        yield "git", {"command": sys.executable, "args": ["-m", "mcp_server_git", "--repository", str(repository)]}
    for name, program, arguments, environment in (
        ("everything", "mcp-server-everything", ["stdio"], {}),
        ("files", "mcp-server-filesystem", [str(directory)], {}),
        ("memory", "mcp-server-memory", [], {"MEMORY_FILE_PATH": str(directory / "memory.jsonl")}),
    ):
        file = _NPM / "node_modules" / ".bin" / program
        if file.exists():
            yield name, {"command": str(file), "args": arguments, "env": environment}


def _repository(path: Path) -> Path:
    path.mkdir()
    (path / "README.md").write_text("# Demo\n", encoding="utf-8")
    for command in (["init", "-q"], ["add", "."], [*_IDENTITY, "commit", "-q", "-m", "The beginning"]):
        subprocess.run(["git", *command], cwd=path, check=True)  # noqa: S603, S607 - git, on a directory of our own
    (path / "plan.txt").write_text("Friday\n", encoding="utf-8")
    return path
