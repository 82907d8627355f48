"""structlog for all of the process's logs: readable in development, JSON lines in production, errors to a file too.

Lines are rendered where they are written, with that place's context, and put out by a thread: a slow terminal or disk
holds up no event loop.
"""

import atexit
import logging
import sys
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path
from queue import Queue
from typing import Final, Literal, TextIO

import structlog
from concurrent_log_handler import ConcurrentRotatingFileHandler
from structlog.typing import Processor

Style = Literal["console", "json"]

_SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)
# They tell each request or job once more, or speak of their own inner life.
_QUIET = (
    *("httpx", "httpx2", "httpcore", "httpcore2", "openai", "google_genai"),
    *("procrastinate", "uvicorn.access", "alembic"),
)
_FILE_BYTES: Final = 10 * 1024 * 1024
_FILES_KEPT: Final = 5


class _Outlets:
    """Where lines go, each with a thread of its own."""

    def __init__(self) -> None:
        self._listeners: list[QueueListener] = []
        atexit.register(self.close)

    def open(self, handler: logging.Handler, formatter: logging.Formatter) -> QueueHandler:
        """Return a handler that renders a line at once and leaves the rest to the outlet's thread."""
        queue: Queue[logging.LogRecord | None] = Queue()
        listener = QueueListener(queue, handler)
        listener.start()
        self._listeners.append(listener)
        front = QueueHandler(queue)
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
    """
    _outlets.close()
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [_outlets.open(logging.StreamHandler(stream or sys.stderr), _formatter(style))]
    if error_file is not None:
        root.handlers.append(_error_outlet(error_file))
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def flush() -> None:
    """Wait until what was logged so far is out. Blocking."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, QueueHandler) and isinstance(handler.queue, Queue):
            handler.queue.join()


def _error_outlet(path: Path) -> QueueHandler:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Opened at the first error, and closed to others: what is in it may help an attacker.
    file = ConcurrentRotatingFileHandler(
        str(path), maxBytes=_FILE_BYTES, backupCount=_FILES_KEPT, encoding="utf-8", chmod=0o600
    )
    front = _outlets.open(file, _formatter("json"))
    front.setLevel(logging.ERROR)
    return front


def _formatter(style: Style) -> logging.Formatter:
    # Tracebacks without local variables: they hold transcripts and keys (X033).
    last: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
        if style == "json"
        else [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
    )
