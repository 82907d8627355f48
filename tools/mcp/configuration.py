"""Which servers are plugged in: `MCP_SCRIPT_PATH` and `MCP_SERVERS` (B012, G20, W11)."""

import os
import re
import sys
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, SecretStr, ValidationError
from pydantic.alias_generators import to_camel

from core.settings import Settings, SettingsError

DEFAULT_SERVER: Final = "default"
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
_ENVIRONMENT_NAME: Final = re.compile(r"[^=\x00]+")
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
# A script gets these of ours, and nothing else: our own keys and secrets are not its business.
_INHERITED: Final = ("LANG", "LC_ALL", "LC_CTYPE", "PYTHONPATH", "SSL_CERT_FILE", "TMPDIR", "TZ", "VIRTUAL_ENV")


def _check_no_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("a NUL character cannot be passed to a program")
    return value


def _check_environment(value: dict[str, SecretStr]) -> dict[str, SecretStr]:
    for name, secret in value.items():
        if not _ENVIRONMENT_NAME.fullmatch(name) or "\x00" in secret.get_secret_value():
            raise ValueError("an environment variable has a name without = and no NUL character")
    return value


def _check_headers(value: dict[str, SecretStr]) -> dict[str, SecretStr]:
    for name, secret in value.items():
        text = secret.get_secret_value()
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or not re.fullmatch(r"[\x20-\x7e]*", text):
            raise ValueError("a header has a token for a name, and printable ASCII for a value")
    return value


Text = Annotated[str, AfterValidator(_check_no_nul)]
Globs = tuple[str, ...]


class _Options(BaseModel):
    """What an operator may set for any server, besides how to reach it."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)

    allow: Globs | None = None
    deny: Globs = ()
    read_only: Globs = ()
    idempotent: Globs = ()
    trust_hints: bool = True
    timeout_ms: int | None = Field(None, gt=0, le=3_600_000)
    max_concurrency: int = Field(16, ge=1, le=1000)
    disabled: bool = False

    def offers(self, tool: str) -> bool:
        """Tell whether the operator lets a tool of this (own) name be seen; `deny` wins."""
        return (self.allow is None or matches(tool, self.allow)) and not matches(tool, self.deny)


class StdioConfig(_Options):
    """A server that we start as a child process."""

    type: Literal["stdio"] = "stdio"
    command: Text = Field(min_length=1)
    args: tuple[Text, ...] = Field((), repr=False)
    env: Annotated[dict[str, SecretStr], AfterValidator(_check_environment)] = Field(default_factory=dict)
    cwd: Path | None = None


class HttpConfig(_Options):
    """A server that we reach over streamable HTTP."""

    type: Literal["http", "streamable-http", "streamableHttp"] = "http"
    url: HttpUrl = Field(repr=False)
    headers: Annotated[dict[str, SecretStr], AfterValidator(_check_headers)] = Field(default_factory=dict)


ServerConfig = StdioConfig | HttpConfig


def matches(name: str, globs: Globs) -> bool:
    """Tell whether a tool's own name fits one of the globs (`*`, `?`, `[…]`); capitals count."""
    return any(fnmatchcase(name, glob) for glob in globs)


def load(settings: Settings, environ: Mapping[str, str] | None = None) -> dict[str, ServerConfig]:
    """Return the plugged-in servers by name. Blocking: it may read a file.

    Raises:
        SettingsError: a setting cannot be used; the message names the variable and the place, never a value.
    """
    environ = os.environ if environ is None else environ
    servers: dict[str, ServerConfig] = {}
    if settings.mcp_servers is not None:
        servers = parse(_read(settings.mcp_servers.get_secret_value()), environ)
    if settings.mcp_script_path is not None:
        if DEFAULT_SERVER in servers:
            raise SettingsError(f"MCP_SERVERS: the name {DEFAULT_SERVER} belongs to MCP_SCRIPT_PATH, which is set too")
        servers = {DEFAULT_SERVER: _script(settings.mcp_script_path, environ), **servers}
    return {name: config for name, config in servers.items() if not config.disabled}


def parse(text: bytes, environ: Mapping[str, str]) -> dict[str, ServerConfig]:
    """Return the servers of a JSON text of the form `{"mcpServers": {name: {…}}}`.

    Raises:
        SettingsError: it is not of that form.
    """
    try:
        loaded = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise SettingsError(f"MCP_SERVERS: not valid JSON, line {error.lineno}, column {error.colno}") from None
    if not isinstance(loaded, dict) or set(loaded) != {"mcpServers"} or not isinstance(loaded["mcpServers"], dict):
        raise SettingsError('MCP_SERVERS: must be of the form {"mcpServers": {"name": {…}}}')
    return {name: _server(name, raw, environ) for name, raw in loaded["mcpServers"].items()}


def _read(value: str) -> bytes:
    if value.lstrip().startswith("{"):
        return value.encode()
    try:
        return Path(value).read_bytes()
    except (OSError, ValueError) as error:
        raise SettingsError(f"MCP_SERVERS: neither JSON nor a file that can be read ({type(error).__name__})") from None


def _server(name: str, raw: object, environ: Mapping[str, str]) -> ServerConfig:
    if not _NAME.fullmatch(name):
        raise SettingsError("MCP_SERVERS: a server's name has 1 to 32 letters (a-z), digits, - or _")
    if not isinstance(raw, dict) or ("command" in raw) == ("url" in raw):
        raise SettingsError(f"MCP_SERVERS: {name}: needs either command or url")
    kind: type[StdioConfig | HttpConfig] = StdioConfig if "command" in raw else HttpConfig
    try:
        return kind.model_validate(_expand(raw, name, environ))
    except ValidationError as error:
        raise SettingsError(
            "; ".join(
                f"MCP_SERVERS: {'.'.join((name, *map(str, problem['loc'])))}: {problem['msg']}"
                for problem in error.errors(include_input=False, include_url=False)
            )
        ) from None


def _expand(value: Any, name: str, environ: Mapping[str, str]) -> Any:
    """Put environment variables in the place of `${NAME}`, so that secrets need not stand in the file."""
    match value:
        case str():
            missing = [variable for variable in _VARIABLE.findall(value) if variable not in environ]
            if missing:
                raise SettingsError(f"MCP_SERVERS: {name}: the environment variable {missing[0]} is not set")
            return _VARIABLE.sub(lambda found: environ[found[1]], value)
        case list():
            return [_expand(item, name, environ) for item in value]
        case dict():
            return {key: _expand(item, name, environ) for key, item in value.items()}
        case _:
            return value


def _script(path: Path, environ: Mapping[str, str]) -> StdioConfig:
    if not path.is_file():
        raise SettingsError("MCP_SCRIPT_PATH: there is no such file")
    passed = {name: SecretStr(environ[name]) for name in _INHERITED if name in environ}
    # Our protocol is UTF-8, whatever the machine's language is.
    return StdioConfig(command=sys.executable, args=(str(path.resolve()),), env=passed | {"PYTHONUTF8": SecretStr("1")})
