"""What the server needs to know people: tokens, codes and their sender. Made once, in the application's lifespan."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Request

from core.clock import Clock
from core.files import kept_secret
from core.ids import IdSource, new_secret
from core.settings import SHORTEST_SECRET, Settings, SettingsError
from server.auth.codes import Codes
from server.auth.keys import Keys
from server.auth.senders import CodeSender, sender_for
from server.auth.tokens import Tokens


@dataclass(frozen=True)
class Identity:
    """The parts that logins are made of."""

    tokens: Tokens
    codes: Codes
    sender: CodeSender
    admin_phones: tuple[str, ...]
    echoes_codes: bool
    """Whether the answer that sends a code shows it (W01)."""


@asynccontextmanager
async def open_identity(
    settings: Settings, clock: Clock, ids: IdSource, sender: CodeSender | None = None
) -> AsyncIterator[Identity]:
    """Open the parts, and close them at the end; a secret that is not set is made and kept in the data directory."""
    secret = await asyncio.to_thread(signing_secret, settings)
    sender = sender or sender_for(settings)
    try:
        yield Identity(
            tokens=Tokens(secret, timedelta(hours=settings.jwt_expiration_hours), clock, ids),
            codes=Codes(secret, ids),
            sender=sender,
            admin_phones=tuple(settings.admin_phones),
            echoes_codes=settings.auth_echo_code and settings.env == "development",
        )
    finally:
        await sender.aclose()


def signing_secret(settings: Settings) -> str:
    """Return the secret that signs tokens. Blocking: it may be read from a file.

    Raises:
        SettingsError: the file that keeps it was damaged.
    """
    if settings.jwt_secret is not None:
        return settings.jwt_secret.get_secret_value()
    file = settings.data_dir / "jwt-secret"
    kept = kept_secret(file, new_secret)
    if len(kept.encode()) < SHORTEST_SECRET:
        raise SettingsError(f"{file} holds less than {SHORTEST_SECRET} bytes: remove it, and a new one is made.")
    return kept


def identity_of(request: Request) -> Identity:
    """Return the identity that the app's lifespan opened."""
    identity: Identity = request.app.state.identity
    return identity


def keys_of(request: Request) -> Keys:
    """Return what finds the users of API keys by their digests."""
    keys: Keys = request.app.state.keys
    return keys


CurrentIdentity = Annotated[Identity, Depends(identity_of)]
