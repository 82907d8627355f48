"""A hub of what the settings name."""

from typing import Final

from core.settings import Settings
from tools.mcp.catalogue import Disabled, none_disabled
from tools.mcp.configuration import load
from tools.mcp.hub import McpHub, Observer
from tools.mcp.limits import Limits

_MILLISECONDS: Final = 1000


def hub_from(settings: Settings, *, disabled: Disabled = none_disabled, observer: Observer | None = None) -> McpHub:
    """Return a hub of the servers that the settings name; nothing is started yet. Blocking: it may read a file.

    Raises:
        SettingsError: a setting cannot be used.
    """
    limits = Limits(
        call=settings.mcp_timeout_ms / _MILLISECONDS,
        retries=settings.mcp_max_retry,
        output_bytes=settings.mcp_output_limit_bytes,
    )
    return McpHub(load(settings), limits=limits, disabled=disabled, observer=observer)
