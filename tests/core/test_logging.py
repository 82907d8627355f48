"""Logs: one form for all, errors to a file as well (B034), context kept, and no waiting for whoever reads them."""

import io
import json
import logging as stdlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from core import logging


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    yield
    logging.configure("debug", "json")


def test_errors_go_to_the_file_too(tmp_path: Path) -> None:
    lines, file = io.StringIO(), tmp_path / "logs" / "errors.log"
    logging.configure("info", "console", error_file=file, stream=lines)
    log = structlog.get_logger("some.where")
    log.debug("unheard")
    log.info("heard", count=1)
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        try:
            _fail(str(2**30))
        except RuntimeError:
            log.exception("crashed")
        stdlib.getLogger("a.library").error("library %s", "speaks")
    logging.flush()
    printed = lines.getvalue()
    assert "unheard" not in printed
    assert all(word in printed for word in ("heard", "crashed", "boom", "library speaks", "r-1"))
    crashed, spoken = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert (crashed["event"], crashed["level"], crashed["request_id"]) == ("crashed", "error", "r-1")
    assert "RuntimeError: boom after 10" in crashed["exception"]
    assert (spoken["event"], spoken["logger"], spoken["request_id"]) == ("library speaks", "a.library", "r-1")
    assert str(2**30) not in printed + file.read_text(encoding="utf-8")
    assert file.stat().st_mode & 0o777 == 0o600


def _fail(secret: str) -> None:
    raise RuntimeError(f"boom after {len(secret)}")


def test_json_lines_keep_chinese_readable() -> None:
    lines = io.StringIO()
    logging.configure("info", "json", stream=lines)
    structlog.get_logger("x").info("说明", reason="价格")
    logging.flush()
    line = json.loads(lines.getvalue())
    assert (line["event"], line["reason"]) == ("说明", "价格")
    assert "价格" in lines.getvalue()


def test_a_reader_who_does_not_read_holds_nobody_up() -> None:
    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            released.wait(10)
            return super().write(text)

    released, stuck = threading.Event(), Stuck()
    logging.configure("info", "json", stream=stuck)
    for number in range(100):
        structlog.get_logger("x").info("line", number=number)
    assert stuck.getvalue() == ""
    released.set()
    logging.flush()
    assert len(stuck.getvalue().splitlines()) == 100


def test_what_was_logged_is_out_when_logging_is_closed() -> None:
    lines = io.StringIO()
    logging.configure("info", "json", stream=lines)
    structlog.get_logger("x").info("last words")
    logging.configure("info", "json")
    assert "last words" in lines.getvalue()


def test_a_stuck_outlet_costs_neither_memory_nor_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines beyond a bound are dropped and counted, and an ending process does not wait for ever."""

    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            released.wait(30)
            return super().write(text)

    monkeypatch.setattr(logging, "_MOST_WAITING", 10)
    monkeypatch.setattr(logging, "_PATIENCE_SECONDS", 0.1)
    released, stuck = threading.Event(), Stuck()
    logging.configure("info", "json", stream=stuck)
    log = structlog.get_logger("x")
    for number in range(1000):
        log.info("line", number=number)
    logging.configure("info", "json")
    released.set()
    assert len(stuck.getvalue().splitlines()) <= 12


def test_dropped_lines_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(io.StringIO):
        def write(self, text: str) -> int:
            begun.set()
            released.wait(30)
            return super().write(text)

    monkeypatch.setattr(logging, "_MOST_WAITING", 5)
    begun, released, lines = threading.Event(), threading.Event(), Slow()
    logging.configure("info", "json", stream=lines)
    log = structlog.get_logger("x")
    log.info("first")
    assert begun.wait(5)
    for _ in range(20):
        log.info("more")
    released.set()
    logging.flush()
    log.info("after")
    logging.flush()
    assert "15 lines were dropped" in lines.getvalue()


def test_an_unusable_file_is_told_at_once(tmp_path: Path) -> None:
    for path in (tmp_path, Path("/proc/nothing/errors.log")):
        with pytest.raises(OSError):  # noqa: PT011 - which one is the system's business
            logging.configure("info", "json", error_file=path)


SECRET = "机密4417"


def _database_error() -> Exception:
    class DataError(Exception):
        sqlstate = "22P02"

    DataError.__module__ = "psycopg.errors"
    return DataError(f'invalid input: "{SECRET}"\nDETAIL:  row ({SECRET})')


def test_errors_that_quote_data_show_their_kind_only() -> None:
    """A database's details quote rows, a validator's the request; also as causes, and in groups."""
    for style in ("json", "console"):
        lines = io.StringIO()
        logging.configure("info", style, stream=lines)
        outer, group = RuntimeError("outer"), ExceptionGroup("several", [_database_error(), ValueError("plain")])
        outer.__cause__ = _database_error()
        structlog.get_logger("x").error("crashed", exc_info=outer)
        stdlib.getLogger("library").error("group", exc_info=group)
        logging.flush()
        written = lines.getvalue()
        assert SECRET not in written
        assert written.count("SQLSTATE 22P02") == 2
        assert all(word in written for word in ("RuntimeError: outer", "ValueError: plain"))
