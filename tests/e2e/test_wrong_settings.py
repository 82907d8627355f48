"""What `colloquy serve` says of a configuration that it cannot use."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core import logging
from server.cli import app
from tests.kit.processes import command, environment, free_port


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing of the developer's own settings; what a command changes in its process is put back."""
    for name in os.environ.keys() - {"PATH", "HOME", "LANG"}:
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    yield
    # Logs went to the runner's output, which is closed.
    logging.configure("debug", "json")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"MODEL_SUMMRY": "offline"}, "MODEL_SUMMRY"),
        ({"MODEL_SUMMARY": "openai:gpt-5-mini"}, "OPENAI_API_KEY"),
        ({"MODEL_SUMMARY": "nobody:x"}, "MODEL_SUMMARY"),
        ({"PORT": "http"}, "PORT"),
        ({"COLLOQUY_CONFIG": "nowhere.json"}, "nowhere.json"),
        ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://u@127.0.0.1/x"}, "password"),
        ({"JWT_SECRET": "hidden"}, "JWT_SECRET"),
        ({"ENV": "production"}, "FRONTEND_AUTH"),
        ({"RATE_LIMIT_STORAGE_URL": "redis://:hidden@h"}, "RATE_LIMIT_STORAGE_URL"),
        ({"STORAGE_URL": "oss://voices", "OSS_ACCESS_KEY_SECRET": "hidden"}, "OSS_REGION"),
    ],
)
@pytest.mark.usefixtures("bare")
def test_a_wrong_setting_stops_the_start_with_a_sentence(data_dir: Path, settings: dict[str, str], named: str) -> None:
    environ = environment(data_dir, PORT=str(free_port())) | settings
    done = CliRunner(env=environ).invoke(app, ["serve"])
    assert isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code in (1, 2)
    assert named in done.stderr
    assert "hidden" not in done.output


def test_so_does_a_database_that_does_not_answer(data_dir: Path) -> None:
    """In a process of its own."""
    environ = environment(data_dir, DATABASE_URL="postgresql://u:hidden@127.0.0.1:1/x")
    done = command("serve", environ=environ)
    assert done.returncode == 1
    assert "does not answer" in done.stderr
    assert "Traceback" not in done.stderr
    assert "hidden" not in done.stderr
