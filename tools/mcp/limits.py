"""How long and how much: the limits that all servers of a hub share."""

from dataclasses import dataclass

from tools.mcp.breaker import COOL_DOWN_SECONDS, FAILURES_TO_OPEN
from tools.mcp.results import OUTPUT_LIMIT_BYTES


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Times are in seconds.

    `call` is the limit of each step: listing, waiting for a free place, one attempt of a call. `connect` is that of
    connecting, for all servers: a program may have to be fetched before it starts.
    `patience` is how long a list of all tools waits for servers that are still being connected to.
    """

    call: float = 30.0
    connect: float = 30.0
    retries: int = 3
    output_bytes: int = OUTPUT_LIMIT_BYTES
    list_age: float = 60.0
    patience: float = 5.0
    pause_after_failure: float = 5.0
    failures_to_open: int = FAILURES_TO_OPEN
    cool_down: float = COOL_DOWN_SECONDS
