"""A server's tools as they are shown: allowed ones, in bounded size, with the hints that count (K36)."""

from dataclasses import dataclass
from typing import Any, Final

import orjson
import structlog
from mcp import types

from tools.mcp.clean import clean, cut
from tools.mcp.configuration import ServerConfig, matches
from tools.mcp.model import Tool

log = structlog.get_logger(__name__)

_LONGEST_NAME: Final = 128
_DESCRIPTION_BYTES: Final = 4096
_TITLE_BYTES: Final = 256
_SCHEMA_BYTES: Final = 64 * 1024


@dataclass(frozen=True)
class Listing:
    """The tools of one server by own name, `name` not yet settled; `at` is the monotonic time of the list."""

    tools: dict[str, Tool]
    at: float


def listing_of(server: str, config: ServerConfig, tools: list[types.Tool], at: float) -> Listing:
    """Return what of a server's list is shown; what is out of bounds is left out, and the log says so."""
    kept: dict[str, Tool] = {}
    for tool in tools:
        if not config.offers(tool.name) or tool.name in kept:
            continue
        schema, output = clean(tool.input_schema), clean(tool.output_schema)
        if not _is_name(tool.name) or _size(schema) > _SCHEMA_BYTES:
            log.warning("mcp_tool_left_out", server=server, tool=tool.name[:_LONGEST_NAME])
            continue
        kept[tool.name] = Tool(
            name=tool.name,
            server=server,
            own_name=tool.name,
            title=cut(clean(tool.title), _TITLE_BYTES) if tool.title else None,
            description=cut(clean(tool.description or ""), _DESCRIPTION_BYTES),
            input_schema=schema,
            output_schema=output if _size(output) <= _SCHEMA_BYTES else None,
            **_hints(tool, config),
        )
    return Listing(kept, at)


def _hints(tool: types.Tool, config: ServerConfig) -> dict[str, bool]:
    """Return the server's hints where it is trusted, the protocol's defaults for the rest, the operator's above all."""
    said = tool.annotations if config.trust_hints else None
    read_only = matches(tool.name, config.read_only) or bool(said and said.read_only_hint)
    idempotent = matches(tool.name, config.idempotent) or bool(said and said.idempotent_hint)
    harmless = said is not None and said.destructive_hint is False
    return {"read_only": read_only, "idempotent": idempotent, "destructive": not (read_only or harmless)}


def _is_name(name: str) -> bool:
    return 0 < len(name) <= _LONGEST_NAME and name.isprintable() and name == name.strip()


def _size(schema: Any) -> int:
    return len(orjson.dumps(schema))
