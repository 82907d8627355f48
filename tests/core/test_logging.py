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
