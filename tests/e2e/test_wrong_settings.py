"""What `colloquy serve` says of a configuration that it cannot use."""

from pathlib import Path

import pytest

from tests.kit.processes import command, environment, free_port


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
        ({"DATABASE_URL": "postgresql://u:hidden@127.0.0.1:1/x"}, "does not answer"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_a_sentence(data_dir: Path, settings: dict[str, str], named: str) -> None:
    done = command("serve", environ=environment(data_dir, PORT=str(free_port())) | settings)
    assert done.returncode in (1, 2)
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    assert "hidden" not in done.stderr
