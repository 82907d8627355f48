"""Texts as vectors, by the model of the role `embed`. Without that role there are none, and nothing needs them."""

import asyncio
import math
import time
from collections.abc import Awaitable, Sequence
from typing import Final, Protocol

from core.settings import Settings
from providers import vendors
from providers.answers import FORMLESS, STUMBLED, BrokenAnswer
from providers.failures import is_model_error
from providers.usage import Usage
from providers.vendors import ModelName

Vector = list[float]

ROLE: Final = "embed"
_VARIABLE: Final = "MODEL_EMBED"
# What the smallest of a provider's servers takes in one call: DashScope 10 texts, text-embeddings-inference 32.
_BATCHES: Final = {"google_genai": 50, "openai": 32, "qwen": 10}
# pgvector's longest.
_MOST_DIMENSIONS: Final = 16_000


class Client(Protocol):
    """One vendor's client."""

    async def passages(self, texts: Sequence[str]) -> list[list[float]]:
        """Embed what is to be found."""
        ...

    async def question(self, text: str) -> list[list[float]]:
        """Embed what is looked for; a list of one."""
        ...

    def tokens(self) -> int:
        """Return what this task's last call took; 0 where the vendor does not say."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


class Embedder:
    """The model behind the role `embed`; its client is made when it is first needed.

    No call is tried again here (X027): `providers.failures` tells which error is worth it.

    Raises:
        SettingsError: the model's name cannot be used, or its provider's key is missing.
    """

    def __init__(self, settings: Settings, text: str) -> None:
        self._settings = settings
        self._model = ModelName.parse(text, _VARIABLE)
        vendors.check(self._model, settings, _VARIABLE)
        self._client: asyncio.Task[Client] | None = None

    @property
    def name(self) -> str:
        """`provider:model`: vectors of two of them cannot be compared."""
        return str(self._model)

    @property
    def batch(self) -> int:
        """How many texts one call takes."""
        return _BATCHES[self._model.provider]

    @property
    def max_attempts(self) -> int:
        """How often one call may be tried in all."""
        return self._settings.model_max_attempts

    async def passages(self, texts: Sequence[str], calls: list[Usage]) -> list[Vector]:
        """Embed what is to be found later, `batch` texts at most; what it used is added to `calls`."""
        client = await self._made()
        return await self._called(client, client.passages(texts), len(texts), calls)

    async def question(self, text: str, calls: list[Usage]) -> Vector:
        """Embed what is looked for: some models tell the two apart."""
        client = await self._made()
        return (await self._called(client, client.question(text), 1, calls))[0]

    async def _called(
        self, client: Client, call: Awaitable[list[Vector]], wanted: int, calls: list[Usage]
    ) -> list[Vector]:
        began = time.perf_counter()
        tokens, failed = 0, True
        try:
            async with asyncio.timeout(self._settings.model_embed_timeout_seconds):
                vectors = await call
            _check(vectors, wanted)
            tokens, failed = client.tokens(), False
        except STUMBLED as error:
            raise _told(error) from error
        finally:
            taken = round((time.perf_counter() - began) * 1000)
            calls.append(
                Usage(role=ROLE, model=self.name, input_tokens=tokens, output_tokens=0, latency_ms=taken, failed=failed)
            )
        return vectors

    async def _made(self) -> Client:
        if self._client is None or (self._client.done() and self._client.exception() is not None):
            self._client = asyncio.create_task(asyncio.to_thread(_build, self._model, self._settings, self.batch))
        # Shielded: who is cancelled while it is made must not take it from the others.
        return await asyncio.shield(self._client)

    async def aclose(self) -> None:
        """Close the client's connections."""
        made, self._client = self._client, None
        if made is not None:
            await asyncio.wait({made})
            if made.exception() is None:
                await made.result().aclose()


def embedder_of(settings: Settings) -> Embedder | None:
    """Return the embedder that the settings name; None where they name none, or the offline model, which has none.

    Raises:
        SettingsError: what they name cannot be used.
    """
    return Embedder(settings, settings.model_embed) if settings.embeds and settings.model_embed else None


def _build(name: ModelName, settings: Settings, batch: int) -> Client:
    from providers import embedding_clients  # noqa: PLC0415 - both vendors' clients: two seconds, which few need

    return embedding_clients.build(name, settings, batch)


def _told(error: BaseException) -> BaseException:
    """Return what an error of the client says; one that only stumbled over the answer says that it was none."""
    if isinstance(error, STUMBLED) and not is_model_error(error):
        return BrokenAnswer(FORMLESS)
    return error


def _check(vectors: list[Vector], wanted: int) -> None:
    """See that there is a vector for each text, that can be compared.

    Raises:
        BrokenAnswer: there is not.
    """
    lengths = {len(vector) for vector in vectors}
    if len(vectors) != wanted or len(lengths) != 1 or not 0 < lengths.pop() <= _MOST_DIMENSIONS:
        raise BrokenAnswer(f"The model's answer holds {len(vectors)} vectors for {wanted} texts, or of unlike lengths.")
    try:
        sums = [sum(x * x for x in vector) for vector in vectors]
    except TypeError as error:
        raise BrokenAnswer(FORMLESS) from error
    if not all(math.isfinite(total) and total > 0 for total in sums):
        raise BrokenAnswer("The model's answer holds a vector that has no direction.")
