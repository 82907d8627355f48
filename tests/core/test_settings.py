"""Configuration: from the environment over `.env`, refused with the variable's name and never its value."""

from pathlib import Path

import pytest

from core.settings import Settings, SettingsError


def load(**environ: str) -> Settings:
    return Settings.load(environ, dotenv=None)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("PORT=1\nHOST=a\nMODEL_SUMMARY=qwen:x\n")
    settings = Settings.load({"PORT": "2"}, dotenv=file)
    assert (settings.port, settings.host, settings.role("summary").model) == (2, "a", "qwen:x")


def test_empty_means_unset() -> None:
    assert load(PORT="", DATABASE_URL="", MODEL_SUMMARY="").port == 8000


def test_a_dead_workers_runs_restart_within_ten_seconds() -> None:
    assert load().worker_dead_seconds + load().worker_beat_seconds < 10


@pytest.mark.parametrize("name", ["DATABASE_URL", "DB_URL"])
def test_both_names_of_the_database(name: str) -> None:
    url = load(**{name: "postgresql://x"}).database_url
    assert url is not None
    assert url.get_secret_value() == "postgresql://x"


def test_a_step_of_deep_chat_inherits_from_deep_field_by_field() -> None:
    settings = load(MODEL_DEEP="qwen:a", MODEL_DEEP_MAX_TOKENS="7", MODEL_INTENT_TEMPERATURE="0.1")
    intent = settings.role("intent")
    assert (intent.model, intent.max_tokens, intent.temperature) == ("qwen:a", 7, 0.1)


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"PORT": "http"}, "PORT"),
        ({"PORT": "70000"}, "PORT"),
        ({"ENV": "prod"}, "ENV"),
        ({"MODEL_MAX_ATTEMPTS": "0"}, "MODEL_MAX_ATTEMPTS"),
        ({"SUMMARY_TIMEOUT_SECONDS": "-1"}, "SUMMARY_TIMEOUT_SECONDS"),
        ({"WORKER_BEAT_SECONDS": "0"}, "WORKER_BEAT_SECONDS"),
        ({"WORKER_BEAT_SECONDS": "1", "WORKER_DEAD_SECONDS": "2.9"}, "WORKER_DEAD_SECONDS.* 3 times"),
        ({"WORKER_BEAT_SECONDS": "2.1"}, "WORKER_DEAD_SECONDS"),
        ({"MODEL_SUMMARY_TEMPERATURE": "hot"}, "ROLES_SUMMARY_TEMPERATURE"),
        ({"MODEL_SUMMRY": "x"}, "MODEL_SUMMRY: there is no role 'summry'"),
        ({"MODEL_SUMMARY_TEMPRATURE": "1"}, "MODEL_SUMMARY_TEMPRATURE"),
    ],
)
def test_what_cannot_be_used_is_named(environ: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        load(**environ)


def test_no_value_is_repeated_in_an_error() -> None:
    with pytest.raises(SettingsError) as raised:
        load(PORT="sk-secret")
    assert "sk-secret" not in str(raised.value)


def test_secrets_do_not_show() -> None:
    assert "sk-secret" not in repr(load(OPENAI_API_KEY="sk-secret", DATABASE_URL="postgresql://u:sk-secret@h/d"))


@pytest.mark.parametrize(("beat", "dead"), [("2", "6"), ("0.5", "2.5"), ("0.05", "0.2"), ("60", "180"), ("1", "3600")])
def test_a_worker_doubts_before_others_take_it_for_dead(beat: str, dead: str) -> None:
    settings = Settings.load({"WORKER_BEAT_SECONDS": beat, "WORKER_DEAD_SECONDS": dead}, dotenv=None)
    assert 0 < settings.worker_doubt_seconds < settings.worker_dead_seconds - settings.worker_beat_seconds
