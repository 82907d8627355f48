"""Opens and closes what answers Alibaba's tokens; made once, in the application's lifespan."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, Request

from core.files import kept_secret
from core.keyring import Keyring, new_key
from core.settings import Settings, SettingsError
from providers.aliyun.nls import NlsTokens
from server.calls.aliyun_tokens import AliyunTokens
from server.runtime import Runtime


@asynccontextmanager
async def open_aliyun(runtime: Runtime) -> AsyncIterator[AliyunTokens]:
    """Open it, and close it at the end; a key that is not set is made and kept in the data directory."""
    keyring = await asyncio.to_thread(secrets_keyring, runtime.settings)
    nls = NlsTokens(str(runtime.settings.aliyun_nls_endpoint), runtime.clock, runtime.ids)
    tokens = AliyunTokens(runtime.database, keyring, nls, runtime.clock, runtime.ids)
    try:
        yield tokens
    finally:
        await tokens.aclose()


def secrets_keyring(settings: Settings) -> Keyring:
    """Return the keys that other services' secrets are stored under (X032). Blocking: it may be read from a file.

    Raises:
        SettingsError: the file that keeps it was damaged.
    """
    if settings.secrets_key is not None:
        return Keyring.parse(settings.secrets_key.get_secret_value())
    file = settings.data_dir / "secrets-key"
    try:
        return Keyring.parse(kept_secret(file, new_key))
    except ValueError:
        raise SettingsError(f"{file} holds no key: restore it, or users have to save their secrets anew.") from None


def aliyun_of(request: Request) -> AliyunTokens:
    """Return what the app's lifespan opened."""
    tokens: AliyunTokens = request.app.state.aliyun
    return tokens


CurrentAliyun = Annotated[AliyunTokens, Depends(aliyun_of)]
