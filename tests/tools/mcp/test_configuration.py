"""How servers are described, and what is refused (B012, G20)."""

import json
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.settings import Settings, SettingsError
from tools.mcp.configuration import HttpConfig, StdioConfig, load, parse


def settings(**values: str) -> Settings:
    return Settings.load({name.upper(): value for name, value in values.items()}, dotenv=None)


def described(servers: object) -> bytes:
    return json.dumps({"mcpServers": servers}).encode()


def test_nothing_is_plugged_in_by_default() -> None:
    assert load(settings(), {}) == {}


def test_the_usual_form_is_read() -> None:
    servers = parse(
        described(
            {
                "time": {"command": "uvx", "args": ["mcp-server-time"], "env": {"TZ": "UTC"}, "timeoutMs": 5000},
                "far": {"type": "http", "url": "https://tools.example/mcp", "headers": {"Authorization": "Bearer x"}},
            }
        ),
        {},
    )
    near, far = servers["time"], servers["far"]
    assert isinstance(near, StdioConfig)
    assert isinstance(far, HttpConfig)
    assert (near.command, near.args, near.timeout_ms) == ("uvx", ("mcp-server-time",), 5000)
    assert (str(far.url), far.headers["Authorization"].get_secret_value()) == ("https://tools.example/mcp", "Bearer x")


def test_a_script_is_the_server_default_and_is_run_with_this_python(tmp_path: Path) -> None:
    script = tmp_path / "server.py"
    script.touch()
    [(name, config)] = load(
        settings(mcp_script_path=str(script)), {"TZ": "Asia/Shanghai", "JWT_SECRET": "not its business"}
    ).items()
    assert isinstance(config, StdioConfig)
    assert (name, config.command, config.args) == ("default", sys.executable, (str(script),))
    assert {key: value.get_secret_value() for key, value in config.env.items()} == {
        "TZ": "Asia/Shanghai",
        "PYTHONUTF8": "1",
    }


def test_the_servers_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "servers.json"
    file.write_bytes(described({"a": {"command": "x"}, "b": {"command": "y", "disabled": True}}))
    assert set(load(settings(mcp_servers=str(file)), {})) == {"a"}


def test_secrets_come_from_the_environment_and_are_not_shown() -> None:
    text = described({"far": {"url": "https://x.example/${TENANT}", "headers": {"X-Key": "${KEY}"}}})
    config = parse(text, {"KEY": "very-secret", "TENANT": "secret-tenant"})["far"]
    assert isinstance(config, HttpConfig)
    assert config.headers["X-Key"].get_secret_value() == "very-secret"
    assert "secret-tenant" in str(config.url)
    assert "very-secret" not in repr(config)
    assert "secret-tenant" not in repr(config)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (b"{", "MCP_SERVERS: not valid JSON, line 1"),
        (b"[]", "MCP_SERVERS: must be of the form"),
        (b'{"mcpServers": {}, "more": 1}', "MCP_SERVERS: must be of the form"),
        (described({"a b": {"command": "x"}}), "MCP_SERVERS: a server's name has"),
        (described({"a": {}}), "MCP_SERVERS: a: needs either command or url"),
        (described({"a": {"command": "x", "url": "http://x"}}), "MCP_SERVERS: a: needs either command or url"),
        (described({"a": {"command": "x", "colour": "red"}}), "MCP_SERVERS: a.colour: Extra inputs"),
        (described({"a": {"command": "x", "args": "secret"}}), "MCP_SERVERS: a.args"),
        (described({"a": {"command": "x", "timeoutMs": 0}}), "MCP_SERVERS: a.timeoutMs"),
        (described({"a": {"command": "x", "maxConcurrency": "many"}}), "MCP_SERVERS: a.maxConcurrency"),
        (described({"a": {"command": "x\x00"}}), "MCP_SERVERS: a.command"),
        (described({"a": {"command": "x", "env": {"A=B": "secret"}}}), "MCP_SERVERS: a.env"),
        (described({"a": {"url": "ftp://x"}}), "MCP_SERVERS: a.url"),
        (described({"a": {"type": "sse", "url": "http://x"}}), "MCP_SERVERS: a.type"),
        (described({"a": {"url": "http://x", "headers": {"K": "secret\r\nEvil: 1"}}}), "MCP_SERVERS: a.headers"),
        (described({"a": {"command": "${NOT_SET}"}}), "MCP_SERVERS: a: the environment variable NOT_SET is not set"),
    ],
)
def test_what_cannot_be_used_is_named_without_its_value(text: bytes, place: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(place)) as caught:
        parse(text, {})
    assert "secret" not in str(caught.value)


def test_a_missing_script_or_file_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    with pytest.raises(SettingsError, match="MCP_SCRIPT_PATH"):
        load(settings(mcp_script_path=missing), {})
    with pytest.raises(SettingsError, match="MCP_SERVERS: neither JSON nor a file"):
        load(settings(mcp_servers=missing), {})


def test_the_name_of_the_script_is_taken(tmp_path: Path) -> None:
    script = tmp_path / "server.py"
    script.touch()
    both = settings(mcp_script_path=str(script), mcp_servers=described({"default": {"command": "x"}}).decode())
    with pytest.raises(SettingsError, match="MCP_SERVERS: the name default"):
        load(both, {})


@given(st.text(max_size=40))
@example("x" * 32)
@example("x" * 33)
@example("")
@example("a.b")
@example("a\n")
def test_names_are_short_and_plain(name: str) -> None:
    """No dot: `server.tool` must say where the server's name ends."""
    text = described({name: {"command": "x"}})
    if 1 <= len(name) <= 32 and all(sign.isascii() and (sign.isalnum() or sign in "-_") for sign in name):
        assert set(parse(text, {})) == {name}
    else:
        with pytest.raises(SettingsError, match="MCP_SERVERS: a server's name"):
            parse(text, {})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["command", "args", "env", "cwd", "url", "headers", "allow", "deny", "type", "timeoutMs"])


@given(st.dictionaries(KEYS, JSON, max_size=5))
def test_a_description_is_used_or_refused_never_a_crash(description: dict[str, Any]) -> None:
    with suppress(SettingsError):
        assert set(parse(described({"a": description}), {})) == {"a"}


@pytest.mark.parametrize(
    ("allow", "deny", "offered"),
    [
        (None, [], {"read_file", "write_file", "move"}),
        (["read_*"], [], {"read_file"}),
        (None, ["*_file"], {"move"}),
        (["*"], ["write_*"], {"read_file", "move"}),
        (["READ_*"], [], set()),
        ([], [], set()),
    ],
)
def test_allow_and_deny_choose_tools_by_their_own_names(
    allow: list[str] | None, deny: list[str], offered: set[str]
) -> None:
    config = parse(described({"a": {"command": "x", "allow": allow, "deny": deny}}), {})["a"]
    assert {name for name in ("read_file", "write_file", "move") if config.offers(name)} == offered
