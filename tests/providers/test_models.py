"""Which model a role gets, with which limits, and what a wrong configuration says."""

import asyncio
import ssl
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import openai
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_openai.chat_models.base import BaseChatOpenAI

from core.clock import SystemClock
from core.roles import ROLES, Role
from core.settings import Settings, SettingsError
from providers.failures import is_model_error, is_retryable, retry_after
from providers.limits import limits_of
from providers.models import Models
from providers.offline.model import OfflineChatModel, OfflineRefusal


def settings(**environ: str) -> Settings:
    return Settings.load(environ, dotenv=None)


KEYS = {"DASHSCOPE_API_KEY": "k", "OPENAI_API_KEY": "k", "GOOGLE_API_KEY": "k"}


@pytest.mark.parametrize("name", ["google_genai:a", "openai:b", "qwen:c"])
async def test_the_certificates_are_read_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reading takes 20 ms; a process has a model for each of a dozen roles."""
    models = Models(settings(MODEL_DEFAULT=name, **KEYS))
    await models.chat("summary")
    read: list[object] = []
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", lambda *_, **__: read.append(name))
    await models.chat("planning")
    await models.aclose()
    assert read == []


def test_without_a_key_every_role_is_offline() -> None:
    assert set(Models(settings()).describe().values()) == {"offline"}
    assert set(Models(settings()).describe()) == set(ROLES) - {"fallback"}


def test_chat_has_a_fallback_where_one_is_configured() -> None:
    models = Models(settings(MODEL_FALLBACK="qwen:a", DASHSCOPE_API_KEY="k"))
    assert models.describe()["fallback"] == "qwen:a"
    assert (models.fallback("planning"), models.fallback("fast"), models.fallback("summary")) == (
        "fallback",
        "fallback",
        None,
    )
    assert Models(settings()).fallback("planning") is None


def test_a_role_over_its_fallback_over_the_default() -> None:
    models = Models(
        settings(
            MODEL_DEFAULT="qwen:a",
            MODEL_DEEP="openai:b",
            MODEL_PLANNING="google_genai:c",
            DASHSCOPE_API_KEY="k",
            OPENAI_API_KEY="k",
            GOOGLE_API_KEY="k",
        )
    )
    names = [models.name(role) for role in ("summary", "deep", "analysis", "planning")]
    assert names == ["qwen:a", "openai:b", "openai:b", "google_genai:c"]


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"MODEL_SUMMARY": "openai:x"}, "MODEL_SUMMARY is openai:x, which needs OPENAI_API_KEY"),
        ({"MODEL_SUMMARY": "openai:x", "OPENAI_BASE_URL": "https://api.openai.com/v1"}, "needs OPENAI_API_KEY"),
        ({"MODEL_DEFAULT": "qwen:x"}, "MODEL_DEFAULT is qwen:x, which needs DASHSCOPE_API_KEY"),
        ({"MODEL_DEFAULT": "google_genai:x"}, "needs GOOGLE_API_KEY"),
        ({"MODEL_SUMMARY": "gpt-5"}, "MODEL_SUMMARY: `gpt-5` is neither offline nor one of"),
        ({"MODEL_SUMMARY": "openai:"}, "MODEL_SUMMARY: `openai:`"),
        ({"MODEL_SUMMARY": "nobody:x"}, "nobody:x"),
    ],
)
def test_what_cannot_be_used_stops_the_start(environ: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        Models(settings(**environ))


def test_a_local_server_needs_no_key() -> None:
    models = Models(settings(MODEL_SUMMARY="openai:llama", OPENAI_BASE_URL="http://127.0.0.1:11434/v1"))
    assert models.name("summary") == "openai:llama"


def test_limits_role_over_common_over_default() -> None:
    default = limits_of("summary", settings())
    assert (default.temperature, default.max_tokens, default.timeout_seconds) == (0.2, 200, 30)
    chosen = limits_of(
        "summary",
        settings(MODEL_TIMEOUT_SECONDS="9", MODEL_SUMMARY_TEMPERATURE="0", MODEL_SUMMARY_MAX_TOKENS="50"),
    )
    assert (chosen.temperature, chosen.max_tokens, chosen.timeout_seconds) == (0, 50, 9)
    assert (
        limits_of("summary", settings(MODEL_TIMEOUT_SECONDS="9", MODEL_SUMMARY_TIMEOUT_SECONDS="3")).timeout_seconds
        == 3
    )


async def sent(**environ: str) -> dict[str, Any]:
    models = Models(settings(OPENAI_API_KEY="k", **environ))
    model = await models.chat("summary")
    assert isinstance(model, BaseChatOpenAI)
    payload = model._get_request_payload("hi")
    await models.aclose()
    return payload


@pytest.mark.parametrize(
    "base_url",
    ["", "https://api.openai.com/v1", "https://eu.api.openai.com/v1", "https://x.openai.azure.com/openai/v1"],
)
async def test_openai_itself_gets_its_own_form_of_the_limit(base_url: str) -> None:
    payload = await sent(MODEL_SUMMARY="openai:gpt-5-mini", OPENAI_BASE_URL=base_url)
    assert payload["max_completion_tokens"] == 200
    assert "max_tokens" not in payload


async def test_other_servers_get_the_limit_they_understand() -> None:
    payload = await sent(MODEL_SUMMARY="openai:llama", OPENAI_BASE_URL="https://openai.com.example.org/v1")
    assert payload["max_tokens"] == 200
    assert "max_completion_tokens" not in payload


@pytest.mark.parametrize(
    ("model", "temperature"), [("gpt-4.1-mini", 0.2), ("gpt-5-mini", None), ("o4-mini", None), ("o3", None)]
)
async def test_a_model_with_a_temperature_of_its_own_is_sent_none(model: str, temperature: float | None) -> None:
    assert (await sent(MODEL_SUMMARY=f"openai:{model}")).get("temperature") == temperature


async def test_a_model_is_made_once() -> None:
    models = Models(settings())
    made = await asyncio.gather(*(models.chat("summary") for _ in range(10)))
    assert len({id(model) for model in made}) == 1
    await models.aclose()


class _FailsOnce(Models):
    """The first client that it makes fails, as with a certificate file that cannot be read."""

    failed = False

    def _build(self, role: Role) -> BaseChatModel:
        if not self.failed:
            self.failed = True
            raise OSError("scripted")
        return super()._build(role)


async def test_a_model_that_could_not_be_made_is_made_the_next_time() -> None:
    models = _FailsOnce(settings())
    with pytest.raises(OSError, match="scripted"):
        await models.chat("summary")
    assert isinstance(await models.chat("summary"), OfflineChatModel)
    await models.aclose()


async def test_closing_passes_over_what_could_not_be_made() -> None:
    models = _FailsOnce(settings(MODEL_FAST="openai:x", OPENAI_API_KEY="k"))
    with pytest.raises(OSError, match="scripted"):
        await models.chat("summary")
    made = await models.chat("fast")
    assert isinstance(made, BaseChatOpenAI)
    await models.aclose()
    client = made.http_async_client
    assert client is not None
    assert client.is_closed


async def test_offline_refuses_what_it_cannot_do() -> None:
    models = Models(settings())
    with pytest.raises(OfflineRefusal, match="MODEL_TRANSCRIBE") as raised:
        await (await models.chat("transcribe")).ainvoke("x")
    assert is_model_error(raised.value)
    assert not is_retryable(raised.value)


def test_our_own_errors_are_not_the_models() -> None:
    assert not is_model_error(KeyError("x"))
    assert not is_retryable(KeyError("x"))


def told_to_wait(text: str) -> float | None:
    response = httpx.Response(429, headers={"retry-after": text}, request=httpx.Request("POST", "http://x"))
    return retry_after(openai.RateLimitError("scripted", response=response, body=None))


@pytest.mark.parametrize(
    ("text", "seconds"), [("7", 7), ("0.5", 0.5), ("-1", 0), ("nan", None), ("inf", None), ("soon", None), ("", None)]
)
def test_the_time_to_wait_in_seconds(text: str, seconds: float | None) -> None:
    assert told_to_wait(text) == seconds


def test_the_time_to_wait_as_a_date() -> None:
    now = SystemClock().now()
    assert told_to_wait(format_datetime(now + timedelta(seconds=60), usegmt=True)) == pytest.approx(60, abs=5)
    assert told_to_wait(format_datetime(now - timedelta(seconds=60), usegmt=True)) == 0
