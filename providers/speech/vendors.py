"""Which vendor takes recordings how."""

import asyncio
from typing import Final

from core.settings import OFFLINE, Settings
from providers.speech.inline import InlineAudio
from providers.speech.model import AudioInput
from providers.vendors import ModelName

_MIB: Final = 1024 * 1024
# Of one process. With them in base64, in the client and in its request, eight of 14 MiB take half a gigabyte.
_AT_ONCE: Final = 8
# A request of 20 MB with the file in base64 leaves room for the prompt.
_MOST_INLINE: Final = 14 * _MIB
_MOST_UPLOADED: Final = 16 * _MIB
# DashScope takes 10 MB of base64.
_MOST_DASHSCOPE: Final = 7 * _MIB
_MP3: Final = {"audio/mpeg": "audio/mp3", "audio/mp3": "audio/mp3"}
# Gemini's documentation has Ogg with Vorbis only, and the media type does not tell whether it is Opus.
_GOOGLE: Final = _MP3 | {"audio/flac": "audio/flac", "audio/aac": "audio/aac"}


class AudioInputs:
    """What can be lent to each provider's models; made when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._made: dict[str, AudioInput] = {}

    def of(self, name: ModelName) -> AudioInput | None:
        """Return how recordings are lent to a model; None for the offline model, which cannot hear."""
        if name.provider == OFFLINE:
            return None
        if name.provider not in self._made:
            self._made[name.provider] = self._make(name.provider)
        return self._made[name.provider]

    def _make(self, provider: str) -> AudioInput:
        match provider:
            case "google_genai":
                from providers.speech.google import GoogleAudio  # noqa: PLC0415 - it imports Google's client
                from providers.speech.google_files import GoogleFiles  # noqa: PLC0415

                key = self._settings.google_api_key
                files = GoogleFiles(key.get_secret_value() if key else "", self._settings.google_gemini_base_url)
                inline = InlineAudio(_GOOGLE, self._settings.google_inline_bytes, self._turns)
                return GoogleAudio(inline, files, max(_MOST_UPLOADED, self._settings.google_inline_bytes))
            case "qwen":
                return InlineAudio(_MP3, _MOST_DASHSCOPE, self._turns, prefix="data:;base64,")
            case _:
                return InlineAudio(_MP3, _MOST_INLINE, self._turns)

    async def aclose(self) -> None:
        """Close connections."""
        made, self._made = self._made, {}
        for one in made.values():
            if (close := getattr(one, "aclose", None)) is not None:
                await close()
