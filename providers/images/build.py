"""From `provider:model` to what paints (K29). Qwen's pictures come as addresses and by other requests: not here."""

from typing import Any, Final

from langchain_core.language_models import BaseChatModel

from core.settings import Settings, SettingsError
from providers.images.bounds import PLAIN, bounded
from providers.limits import Limits
from providers.vendors import NO_KEY, ModelName, is_openai

_PROVIDERS: Final = ("google_genai", "openai")
# OpenAI's present models refuse to be told the form of the answer; those before them need it.
_TOLD_ITS_FORM: Final = "dall-e"


def check(name: ModelName, variable: str) -> None:
    """See that the provider has pictures.

    Raises:
        SettingsError: it has none that we can ask for.
    """
    if name.provider not in _PROVIDERS:
        known = ", ".join(f"{provider}:<model>" for provider in _PROVIDERS)
        raise SettingsError(f"{variable}: {name} cannot paint here; set offline or one of {known}")


def build(name: ModelName, limits: Limits, settings: Settings, metadata: dict[str, Any]) -> BaseChatModel:
    """Make the client. Blocking (it is imported, and reads certificates): call it in a thread."""
    if name.provider == "google_genai":
        from google.genai.types import Modality  # noqa: PLC0415 - a second each, and most processes need one or none

        from providers import google  # noqa: PLC0415

        return google.build(
            name.model,
            limits,
            settings,
            metadata,
            {"event_hooks": {"response": [bounded]}, "headers": dict(PLAIN)},
            # A model that is asked for a picture alone answers some descriptions with an error.
            response_modalities=[Modality.TEXT, Modality.IMAGE],
        )
    from providers.images.endpoint import endpoint  # noqa: PLC0415

    return endpoint(
        name.model,
        settings.openai_api_key or NO_KEY,
        settings.openai_base_url,
        limits.timeout_seconds,
        names_format=not is_openai(settings.openai_base_url) or name.model.startswith(_TOLD_ITS_FORM),
        metadata=metadata,
    )
