"""Production refuses to start without its secrets, with one sentence for each (X030, K20, K30, W01, W12)."""

import pytest

from core.production import refusals
from core.settings import Settings, SettingsError

COMPLETE = {
    "ENV": "production",
    "JWT_SECRET": "s" * 32,
    "SECRETS_KEY": "c" * 43 + "=",
    "DATABASE_URL": "postgresql://o:p@h/d",
    "FRONTEND_AUTH": "token",
}


def refused(environ: dict[str, str]) -> list[str]:
    return refusals(Settings.load(environ, dotenv=None))


def test_a_complete_one_starts() -> None:
    assert refused(COMPLETE) == []


@pytest.mark.parametrize("missing", ["JWT_SECRET", "SECRETS_KEY", "DATABASE_URL", "FRONTEND_AUTH"])
def test_each_missing_setting_is_named(missing: str) -> None:
    [reason] = refused(COMPLETE | {missing: ""})
    assert reason.startswith(f"{missing} is missing: ")
    assert reason.endswith(".")


@pytest.mark.parametrize("forbidden", ["AUTH_ECHO_CODE", "DEBUG"])
def test_what_is_for_development_is_refused(forbidden: str) -> None:
    [reason] = refused(COMPLETE | {forbidden: "1"})
    assert reason.startswith(f"{forbidden} is set: ")


def test_all_reasons_are_told_at_once() -> None:
    assert len(refused({"ENV": "production", "DEBUG": "1", "AUTH_ECHO_CODE": "1"})) == 6


@pytest.mark.parametrize("env", ["development", "test"])
def test_elsewhere_nothing_is_needed(env: str) -> None:
    assert refused({"ENV": env, "DEBUG": "1", "AUTH_ECHO_CODE": "1"}) == []


def test_debug_is_off_unless_it_is_asked_for() -> None:
    assert Settings.load({}, dotenv=None).debug is False


@pytest.mark.parametrize("secret", ["short", "x" * 31, "é" * 15])
def test_a_short_secret_is_refused_everywhere_and_not_quoted(secret: str) -> None:
    with pytest.raises(SettingsError, match="JWT_SECRET") as error:
        Settings.load({"JWT_SECRET": secret}, dotenv=None)
    assert secret not in str(error.value)
