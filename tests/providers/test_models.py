"""Which model a role gets, with which limits, and what a wrong configuration says."""

import asyncio

import pytest
from langchain_openai import ChatOpenAI

from core.roles import ROLES
from core.settings import Settings, SettingsError
from providers.failures import is_model_error, is_retryable
from providers.limits import limits_of
from providers.models import Models
from providers.offline.model import OfflineRefusal


def settings(**environ: str) -> Settings:
    return Settings.load(environ, dotenv=None)


def test_without_a_key_every_role_is_offline() -> None:
    assert set(Models(settings()).describe().values()) == {"offline"}
    assert set(Models(settings()).describe()) == set(ROLES)


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


async def test_openai_itself_gets_its_own_form_of_the_limit() -> None:
    models = Models(settings(MODEL_SUMMARY="openai:gpt-5-mini", OPENAI_API_KEY="k"))
    model = await models.chat("summary")
    assert isinstance(model, ChatOpenAI)
    assert model._get_request_payload("hi")["max_completion_tokens"] == 200
    await models.aclose()


async def test_a_model_is_made_once() -> None:
    models = Models(settings())
    made = await asyncio.gather(*(models.chat("summary") for _ in range(10)))
    assert len({id(model) for model in made}) == 1
    await models.aclose()


async def test_offline_refuses_what_it_cannot_do() -> None:
    models = Models(settings())
    with pytest.raises(OfflineRefusal, match="MODEL_TRANSCRIBE") as raised:
        await (await models.chat("transcribe")).ainvoke("x")
    assert is_model_error(raised.value)
    assert not is_retryable(raised.value)


def test_our_own_errors_are_not_the_models() -> None:
    assert not is_model_error(KeyError("x"))
    assert not is_retryable(KeyError("x"))
