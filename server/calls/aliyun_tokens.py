"""Tokens of Alibaba's speech services: kept, fetched once for all that wait, and early enough to have a spare (G31).

A token is answered from the database until ten minutes before it expires. Some time before that it is already fetched
anew in the background. In its last ten minutes a new one is waited for, but only shortly: the old one is the spare.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from core.clock import Clock
from core.errors import Conflict, ModelFailed, NotFound
from core.ids import IdSource
from core.keyring import Keyring, KeyringError
from core.tasks import end
from db.database import Database
from db.models.calls import AliyunConfig
from providers.aliyun.nls import MOST_SECONDS, NlsTokens, TokenNotGot
from server.calls import aliyun_repository as repository
from server.metrics import count_token_fetch

log = structlog.get_logger(__name__)

# How long before its end a token is no longer good enough to be handed out without a try for a new one.
MARGIN: Final = timedelta(minutes=10)
# A tenth of a token's life before that, but at most an hour, a new one is fetched in the background.
EARLY_SHARE: Final = 10
EARLY_MOST: Final = timedelta(hours=1)
# How long a request waits for a new token while the old one is still good.
SPARE_PATIENCE_SECONDS: Final = 2.0
CLAIM_SECONDS: Final = MOST_SECONDS + 5
_POLL_SECONDS: Final = 0.1
# A configuration may be replaced while its token is fetched; not for ever.
_MOST_ROUNDS: Final = 5
_SENTENCES: Final = {
    "refused": "阿里云拒绝了该配置，请检查 AccessKey 后重新保存",
    "throttled": "阿里云限制了请求频率，请稍后重试",
    "unreachable": "暂时无法从阿里云获取 Token，请稍后重试",
}


def secret_purpose(config_id: UUID) -> str:
    """Return what a secret is encrypted for: it cannot be moved to another row, or column."""
    return f"public.aliyun_configs.access_key_secret:{config_id}"


def token_purpose(config_id: UUID) -> str:
    """Return the same for a token."""
    return f"public.aliyun_configs.token:{config_id}"


def no_config() -> NotFound:
    """Return the error for a user without a configuration."""
    return NotFound("尚未保存阿里云配置", code="ALIYUN_CONFIG_NOT_FOUND")


@dataclass(frozen=True)
class Kept:
    """A token and its life."""

    text: str
    issued_at: datetime
    expires_at: datetime

    def left(self, now: datetime) -> timedelta:
        """Return how long it is still valid."""
        return self.expires_at - now

    def is_due(self, now: datetime) -> bool:
        """Tell whether it is time to fetch the next one, although this one still serves."""
        early = min((self.expires_at - self.issued_at) / EARLY_SHARE, EARLY_MOST)
        return self.left(now) <= MARGIN + early


class AliyunTokens:
    """Answers users' tokens, and fetches new ones, each once, in whatever process it is asked for."""

    def __init__(self, database: Database, keyring: Keyring, nls: NlsTokens, clock: Clock, ids: IdSource) -> None:
        self._database = database
        self._keyring = keyring
        self._nls = nls
        self._clock = clock
        self._ids = ids
        self._fetching: dict[UUID, asyncio.Task[None]] = {}

    async def save(self, user_id: UUID, access_key_id: str, secret: str, app_key: str) -> None:
        """Keep a configuration in place of the one before (G30)."""
        config_id = self._ids.uuid()
        values = {
            "id": config_id,
            "access_key_id": access_key_id,
            "access_key_secret": self._keyring.encrypt_text(secret, secret_purpose(config_id)),
            "app_key": app_key,
        }
        async with self._database.transaction(user_id) as session:
            await repository.replace_config(session, user_id, values)

    async def config(self, user_id: UUID) -> AliyunConfig:
        """Return the active configuration.

        Raises:
            NotFound: there is none.
        """
        async with self._database.transaction(user_id) as session:
            config = await repository.find_config(session, user_id)
        if config is None:
            raise no_config()
        return config

    async def token(self, user_id: UUID) -> Kept:
        """Return a valid token, a new one where that is needed.

        Raises:
            NotFound: there is no configuration.
            Conflict: its secret cannot be read any more (ALIYUN_CONFIG_UNREADABLE).
            ModelFailed: there is no valid token, and none to be had (ALIYUN_TOKEN_FAILED).
        """
        for _ in range(_MOST_ROUNDS):
            config = await self.config(user_id)
            kept, now = self._kept(config), self._clock.now()
            if kept is not None and kept.left(now) > MARGIN:
                if kept.is_due(now):
                    self._fetch(config)
                return kept
            if kept is not None and kept.left(now) > timedelta():
                return await self._fresh_or_spare(config, kept)
            await asyncio.shield(self._fetch(config))
            after = await self.config(user_id)
            if after.id == config.id and after.fetches > config.fetches and after.fetch_failure is not None:
                raise _failed(after.fetch_failure)
        raise _failed("unreachable")

    async def _fresh_or_spare(self, config: AliyunConfig, spare: Kept) -> Kept:
        fetch = self._fetch(config)
        await asyncio.wait({fetch}, timeout=SPARE_PATIENCE_SECONDS)
        after = await self.config(config.user_id)
        fresh = self._kept(after) if after.id == config.id else None
        return fresh or spare

    def _kept(self, config: AliyunConfig) -> Kept | None:
        if config.token is None or config.token_issued_at is None or config.token_expires_at is None:
            return None
        try:
            text = self._keyring.decrypt_text(config.token, token_purpose(config.id))
        except KeyringError:
            return None
        return Kept(text, config.token_issued_at, config.token_expires_at)

    def _fetch(self, config: AliyunConfig) -> asyncio.Task[None]:
        """Return the fetch that is under way in this process, or begin one."""
        task = self._fetching.get(config.id)
        if task is None:
            task = asyncio.create_task(self._fetch_or_wait(config), name="fetch an Aliyun token")
            self._fetching[config.id] = task
            task.add_done_callback(self._fetched(config.id))
        return task

    def _fetched(self, config_id: UUID) -> Callable[[asyncio.Task[None]], None]:
        def note(task: asyncio.Task[None]) -> None:
            self._fetching.pop(config_id, None)
            # Nobody may be waiting for it.
            if not task.cancelled() and (error := task.exception()) is not None:
                log.warning("aliyun_token_not_fetched", error=type(error).__name__)

        return note

    async def _fetch_or_wait(self, config: AliyunConfig) -> None:
        fetch_id = self._ids.uuid()
        while True:
            async with self._database.transaction(config.user_id) as session:
                claimed = await repository.claim_fetch(session, config, fetch_id, CLAIM_SECONDS)
            if claimed:
                await self._fetch_now(config, fetch_id)
                return
            # Another process has it: it will end, or its claim will run out.
            await asyncio.sleep(_POLL_SECONDS)
            async with self._database.transaction(config.user_id) as session:
                present = await repository.find_config(session, config.user_id)
            if present is None or present.id != config.id or present.fetches != config.fetches:
                return

    async def _fetch_now(self, config: AliyunConfig, fetch_id: UUID) -> None:
        try:
            values = await self._result(config)
        except BaseException:
            async with self._database.transaction(config.user_id) as session:
                await repository.give_back(session, config.user_id, config.id, fetch_id)
            raise
        async with self._database.transaction(config.user_id) as session:
            await repository.end_fetch(session, config.user_id, config.id, fetch_id, values)

    async def _result(self, config: AliyunConfig) -> dict[str, Any]:
        """Ask Alibaba; return what is to be stored.

        Raises:
            Conflict: the secret cannot be read any more.
        """
        secret = self._secret(config)
        issued_at, started = self._clock.now(), time.perf_counter()
        try:
            token = await self._nls.create(config.access_key_id, secret)
        except TokenNotGot as error:
            log.warning("aliyun_token_failed", failure=error.failure)
            count_token_fetch(error.failure, time.perf_counter() - started)
            return {"fetch_failure": error.failure}
        count_token_fetch("ok", time.perf_counter() - started)
        values = {
            "token": self._keyring.encrypt_text(token.text, token_purpose(config.id)),
            "token_issued_at": issued_at,
            "token_expires_at": token.expires_at,
            "fetch_failure": None,
        }
        if not self._keyring.is_newest(config.access_key_secret):
            # Keys change: what is used comes under the newest one by itself.
            values["access_key_secret"] = self._keyring.encrypt_text(secret, secret_purpose(config.id))
        return values

    def _secret(self, config: AliyunConfig) -> str:
        try:
            return self._keyring.decrypt_text(config.access_key_secret, secret_purpose(config.id))
        except KeyringError as error:
            log.error("aliyun_secret_unreadable", reason=str(error))  # noqa: TRY400 - it is no failure of ours
            raise Conflict("阿里云配置无法读取，请重新保存", code="ALIYUN_CONFIG_UNREADABLE") from None

    async def aclose(self) -> None:
        """Stop what is under way, and close the connections."""
        await asyncio.gather(*(end(task) for task in list(self._fetching.values())))
        await self._nls.aclose()


def _failed(failure: str) -> ModelFailed:
    return ModelFailed(_SENTENCES[failure], code="ALIYUN_TOKEN_FAILED")
