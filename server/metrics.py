"""What Prometheus reads: requests, runs, model calls, tokens, queues, connections. One definition of each name."""

from collections.abc import Iterable
from functools import cache
from typing import Any, Final, TypeVar

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from providers.usage import Usage
from tools.mcp.model import Breaker, ServerHealth

# The times when series began would double their number, and nobody reads them.
disable_created_metrics()  # type: ignore[no-untyped-call]

_Metric = TypeVar("_Metric", Counter, Gauge, Histogram)
MEDIA_TYPE: Final = CONTENT_TYPE_LATEST
_BREAKER: Final[dict[Breaker, int]] = {"closed": 0, "half_open": 1, "open": 2}
_FAST: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)

BUILD: Final = Gauge("colloquy_build_info", "The version that runs; the value is always 1", ["version"])

REQUESTS: Final = Counter("colloquy_http_requests", "HTTP requests that were answered", ["method", "route", "status"])
REQUEST_SECONDS: Final = Histogram(
    "colloquy_http_request_seconds", "Time until an answer begins", ["method", "route"], buckets=_FAST
)
REQUESTS_IN_FLIGHT: Final = Gauge("colloquy_http_requests_in_flight", "HTTP requests (and streams) that are open")
RATE_LIMITED: Final = Counter("colloquy_rate_limited", "Requests refused by a rate limit", ["limit"])
LOGINS: Final = Counter("colloquy_logins", "Logins that were tried", ["realm", "outcome"])

RUNS: Final = Gauge("colloquy_runs", "Unfinished runs of all processes, as of this reading", ["status"])
JOBS_WAITING: Final = Gauge("colloquy_jobs_waiting", "Jobs that nobody has taken up, as of this reading")
RUNS_FINISHED: Final = Counter("colloquy_runs_finished", "Runs that this process finished", ["workflow", "status"])
RUNS_RESTARTED: Final = Counter(
    "colloquy_runs_restarted", "Runs that this process took up after another one had begun them", ["workflow"]
)
RUN_SECONDS: Final = Histogram(
    "colloquy_run_seconds", "Execution of a run in this process", ["workflow"], buckets=_FAST
)
RUN_WAIT_SECONDS: Final = Histogram(
    "colloquy_run_wait_seconds", "From a run's acceptance to its first execution", ["workflow"], buckets=_FAST
)

MODEL_CALLS: Final = Counter("colloquy_model_calls", "Model calls of runs", ["role", "model", "outcome"])
MODEL_TOKENS: Final = Counter("colloquy_model_tokens", "Tokens of runs' model calls", ["role", "model", "direction"])
MODEL_CALL_SECONDS: Final = Histogram(
    "colloquy_model_call_seconds", "Time of a model call", ["role", "model"], buckets=_FAST
)

FINALIZE_FALLBACKS: Final = Counter(
    "colloquy_finalize_fallbacks", "Parts of finalised sessions that no model call brought", ["part"]
)

TOOL_CALLS: Final = Counter("colloquy_tool_calls", "Calls of plugged-in tools", ["server", "tool", "outcome"])
TOOL_CALL_SECONDS: Final = Histogram(
    "colloquy_tool_call_seconds", "Time of a tool call, further attempts included", ["server", "tool"], buckets=_FAST
)
TOOL_SERVER_UP: Final = Gauge("colloquy_tool_server_up", "Whether there is a connection to a tool server", ["server"])
TOOL_SERVER_BREAKER: Final = Gauge(
    "colloquy_tool_server_breaker", "A tool server's circuit breaker: 0 closed, 1 half open, 2 open", ["server"]
)

ALIYUN_FETCHES: Final = Counter(
    "colloquy_aliyun_token_fetches", "Tokens that this process asked Alibaba for, retries included in one", ["outcome"]
)
ALIYUN_FETCH_SECONDS: Final = Histogram(
    "colloquy_aliyun_token_fetch_seconds", "Time of such a fetch", buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 20)
)

POOL: Final = Gauge("colloquy_pool_connections", "Database connections of this process", ["pool", "state"])

RETENTION_DELETED: Final = Counter(
    "colloquy_retention_deleted", "Rows that this process deleted for their age", ["kind"]
)
RETENTION_BACKLOG: Final = Gauge(
    "colloquy_retention_backlog", "Rows that this process's last sweep left to be looked at, up to 10,000", ["sweep"]
)
RETENTION_TIME: Final = Gauge("colloquy_retention_last_sweep_timestamp_seconds", "End of this process's last sweep")
RETENTION_SECONDS: Final = Gauge("colloquy_retention_last_sweep_seconds", "What this process's last sweep took")


@cache
def series(metric: _Metric, *labels: str) -> _Metric:
    """Return a metric's series; to find it anew takes longer than to count. For labels that have few values."""
    return metric.labels(*labels)


def count_model_calls(calls: Iterable[Usage]) -> None:
    """Count what a run's model calls took."""
    for call in calls:
        MODEL_CALLS.labels(call.role, call.model, "failed" if call.failed else "ok").inc()
        MODEL_CALL_SECONDS.labels(call.role, call.model).observe(call.latency_ms / 1000)
        MODEL_TOKENS.labels(call.role, call.model, "input").inc(call.input_tokens)
        MODEL_TOKENS.labels(call.role, call.model, "output").inc(call.output_tokens)


def count_tool_call(server: str, tool: str, outcome: str, seconds: float) -> None:
    """Count a call of a tool, and what it took."""
    TOOL_CALLS.labels(server, tool, outcome).inc()
    TOOL_CALL_SECONDS.labels(server, tool).observe(seconds)


def count_token_fetch(outcome: str, seconds: float) -> None:
    """Count a fetch of a token of Alibaba's: `ok`, or how it failed."""
    ALIYUN_FETCHES.labels(outcome).inc()
    ALIYUN_FETCH_SECONDS.observe(seconds)


def show_tool_servers(servers: Iterable[ServerHealth]) -> None:
    """Set how the plugged-in servers are."""
    for server in servers:
        TOOL_SERVER_UP.labels(server.name).set(server.reachable)
        TOOL_SERVER_BREAKER.labels(server.name).set(_BREAKER[server.breaker])


def show_load(pending: int, running: int, jobs: int) -> None:
    """Set how much there is to do."""
    RUNS.labels("pending").set(pending)
    RUNS.labels("running").set(running)
    JOBS_WAITING.set(jobs)


def show_pool(name: str, stats: dict[str, Any]) -> None:
    """Set how many connections of a pool there are: in use, idle, and requests that wait for one."""
    idle = stats.get("pool_available", 0)
    POOL.labels(name, "idle").set(idle)
    POOL.labels(name, "used").set(stats.get("pool_size", 0) - idle)
    POOL.labels(name, "waiting").set(stats.get("requests_waiting", 0))


def text() -> bytes:
    """Return all metrics in Prometheus' text form. Blocking."""
    return generate_latest()
