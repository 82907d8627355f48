"""Chat models by role (X025)."""

import asyncio

from langchain_core.language_models import BaseChatModel

from core.roles import HAS_FALLBACK, ROLES, Role
from core.settings import OFFLINE, Settings
from providers import vendors
from providers.images import build as images
from providers.images.model import Cards, Painter
from providers.images.painter import ChatPainter
from providers.limits import limits_of
from providers.offline.model import OfflineChatModel
from providers.speech.model import AudioInput
from providers.speech.vendors import AudioInputs
from providers.vendors import ModelName

ROLE_KEY = "colloquy_role"
MODEL_KEY = "colloquy_model"


class Models:
    """The models that the settings name, made when a role is first asked for.

    Raises:
        SettingsError: a model's name cannot be used, or its provider's key is missing.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._names = {role: self._named(role) for role in ROLES}
        self._models: dict[Role, asyncio.Task[BaseChatModel]] = {}
        self._audio = AudioInputs(settings)

    def _named(self, role: Role) -> ModelName:
        chosen = self._settings.role(role).model
        variable = f"MODEL_{role.upper()}" if chosen else "MODEL_DEFAULT"
        name = ModelName.parse(chosen or self._settings.model_default, variable)
        if role == "image" and self._paints and name.provider != OFFLINE:
            images.check(name, variable)
        vendors.check(name, self._settings, variable)
        return name

    def load(self) -> None:
        """Import the clients of all vendors that roles name, before somebody waits for a first answer. Blocking."""
        for provider in {name.provider for name in self._names.values()}:
            vendors.load(provider)

    @property
    def max_attempts(self) -> int:
        """How often one model call may be tried in all."""
        return self._settings.model_max_attempts

    def fallback(self, role: Role) -> Role | None:
        """Return the role to ask when this one's model gave no answer; None where nothing is configured (G43)."""
        return "fallback" if self._has_fallback and role in HAS_FALLBACK else None

    async def painter(self) -> Painter | Cards | None:
        """Return what paints: the model of `image`, or cards where it is offline; None where nothing is set (G11).

        A default model that is not the offline one writes text, and paints nothing.
        """
        if self._names["image"].provider == OFFLINE:
            return Cards()
        return ChatPainter(await self.chat("image")) if self._paints else None

    @property
    def _paints(self) -> bool:
        return self._settings.role("image").model is not None

    @property
    def _has_fallback(self) -> bool:
        return self._settings.role("fallback").model is not None

    def name(self, role: Role) -> str:
        """Return the name of the model behind a role: `provider:model` or `offline`."""
        return str(self._names[role])

    def describe(self) -> dict[str, str]:
        """Return the name of the model behind each role; `fallback` and `image` only where there is one."""
        absent = {"fallback"} if not self._has_fallback else set()
        if not self._paints and self.name("image") != OFFLINE:
            absent.add("image")
        return {role: self.name(role) for role in ROLES if role not in absent}

    async def chat(self, role: Role) -> BaseChatModel:
        """Return the role's model with its limits set; made once, however many ask at once."""
        made = self._models.get(role)
        if made is None or _failed(made):
            made = self._models[role] = asyncio.create_task(asyncio.to_thread(self._build, role))
        # Shielded: who is cancelled while it is made must not take it from the others.
        return await asyncio.shield(made)

    def audio_input(self, role: Role) -> AudioInput | None:
        """Return how recordings are lent to the role's model; None where it cannot hear."""
        return self._audio.of(self._names[role])

    def _build(self, role: Role) -> BaseChatModel:
        name = self._names[role]
        metadata = {ROLE_KEY: role, MODEL_KEY: str(name)}
        if name.provider == OFFLINE:
            return OfflineChatModel(role=role, metadata=metadata)
        if role == "image":
            return images.build(name, limits_of(role, self._settings), self._settings, metadata)
        return vendors.build(name, limits_of(role, self._settings), self._settings, metadata)

    async def aclose(self) -> None:
        """Close the clients' connections."""
        made, self._models = self._models, {}
        await asyncio.gather(*made.values(), return_exceptions=True)
        for task in made.values():
            if not _failed(task):
                await _close(task.result())
        await self._audio.aclose()


def _failed(made: asyncio.Task[BaseChatModel]) -> bool:
    return made.done() and (made.cancelled() or made.exception() is not None)


async def _close(model: BaseChatModel) -> None:
    # Gemini's model closes its client, OpenAI's leaves that to whoever made it.
    for closable in (model, getattr(model, "http_async_client", None)):
        if (close := getattr(closable, "aclose", None)) is not None:
            await close()
