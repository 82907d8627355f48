"""structlog for all of the process's logs: readable in development, JSON lines in production, errors to a file too.

Lines are rendered where they are written, with that place's context, and put out by a thread: a slow terminal or disk
holds up no event loop.
"""

import atexit
import logging
import sys
from contextlib import suppress
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path
from queue import Full, Queue
from typing import Any, Final, Literal, TextIO

import structlog
from concurrent_log_handler import ConcurrentRotatingFileHandler
from structlog.typing import Processor

from core import tracebacks

Style = Literal["console", "json"]

_SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)
# One list for good: a logger that was used keeps the one it saw.
# What nobody is to hear is dropped before anything is put together for it.
_PROCESSORS: Final = [
    structlog.stdlib.filter_by_level,
    *_SHARED,
    structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
]
# They tell each request or job once more, or speak of their own inner life.
_QUIET = (
    *("httpx", "httpx2", "httpcore", "httpcore2", "openai", "google_genai"),
    *("procrastinate", "uvicorn.access", "alembic"),
    "mcp",
)
# It logs, with a traceback, what a tool server sent and could not be read: data of users, and not our error.
_MUTE = ("mcp.client",)
_FILE_BYTES: Final = 10 * 1024 * 1024
_FILES_KEPT: Final = 5
# Lines that wait for a stuck outlet, and how long an ending process waits for it.
_MOST_WAITING: Final = 10_000
_PATIENCE_SECONDS: Final = 2.0


class _Logger(structlog.stdlib.BoundLogger):
    """Drops what nobody is to hear before it is passed on: the busiest lines are of this level."""

    def info(self, event: str | None = None, *args: Any, **given: Any) -> Any:
        """Say what happens as it should."""
        return super().info(event, *args, **given) if self.isEnabledFor(logging.INFO) else None


class _Front(QueueHandler):
    """Renders a line and leaves it to an outlet's thread; drops it, and counts it, where the outlet is stuck."""

    queue: "Queue[logging.LogRecord | None]"
    dropped = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        """Leave a line to the outlet."""
        try:
            self.queue.put_nowait(record)
        except Full:
            self.dropped += 1
            return
        if self.dropped:
            dropped, self.dropped = self.dropped, 0
            logging.getLogger(__name__).warning("%d lines were dropped: the outlet was stuck", dropped)


class _Listener(QueueListener):
    """An outlet's thread, which is not waited for without end."""

    def stop(self) -> None:
        """Put out what waits; what is not out in time is lost."""
        if self._thread is None:
            return
        with suppress(Full):
            self.enqueue_sentinel()
        self._thread.join(_PATIENCE_SECONDS)
        self._thread = None


class _Outlets:
    """Where lines go, each with a thread of its own."""

    def __init__(self) -> None:
        self._listeners: list[QueueListener] = []
        atexit.register(self.close)

    def open(self, handler: logging.Handler, formatter: logging.Formatter) -> QueueHandler:
        """Return a handler that renders a line at once and leaves the rest to the outlet's thread."""
        queue: Queue[logging.LogRecord | None] = Queue(_MOST_WAITING)
        listener = _Listener(queue, handler)
        listener.start()
        self._listeners.append(listener)
        front = _Front(queue)
        front.setFormatter(formatter)
        return front

    def close(self) -> None:
        """Put out what waits, and end the threads."""
        while self._listeners:
            listener = self._listeners.pop()
            listener.stop()
            for handler in listener.handlers:
                handler.close()


_outlets: Final = _Outlets()


def configure(level: str, style: Style, *, error_file: Path | None = None, stream: TextIO | None = None) -> None:
    """Route structlog's and the standard library's logs to standard error, in one form.

    Args:
        level: the least that is told.
        style: `console` for people, `json` for machines.
        error_file: where errors also go, as JSON (B034); turned over at 10 MB, shared by several processes.
        stream: instead of standard error.

    Raises:
        OSError: the file cannot be written.
    """
    _outlets.close()
    structlog.configure(
        processors=_PROCESSORS,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=_Logger,
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [_outlets.open(logging.StreamHandler(stream or sys.stderr), _formatter(style))]
    if error_file is not None:
        root.handlers.append(_error_outlet(error_file))
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _MUTE:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def flush() -> None:
    """Wait until what was logged so far is out. Blocking."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, QueueHandler) and isinstance(handler.queue, Queue):
            handler.queue.join()


def _error_outlet(path: Path) -> QueueHandler:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Said now, and not by silence at the first error.
    with path.open("a", encoding="utf-8"):
        path.chmod(0o600)
    # Opened at the first error, and closed to others: what is in it may help an attacker.
    file = ConcurrentRotatingFileHandler(
        str(path), maxBytes=_FILE_BYTES, backupCount=_FILES_KEPT, encoding="utf-8", chmod=0o600
    )
    front = _outlets.open(file, _formatter("json"))
    front.setLevel(logging.ERROR)
    return front


def _formatter(style: Style) -> logging.Formatter:
    last: list[Processor] = (
        [
            structlog.processors.ExceptionRenderer(tracebacks.render),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
        if style == "json"
        else [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=_write_exception)]
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
    )


def _write_exception(line: TextIO, exc_info: tracebacks.ExcInfo) -> None:
    line.write("\n" + tracebacks.render(exc_info))
