"""How often one client address may do what costs money or guesses secrets (G70)."""

import ipaddress
import math
import time
from collections.abc import Awaitable, Callable
from typing import Final, Literal

import structlog
from fastapi import Request
from limits import RateLimitItem, parse_many
from limits.aio.storage import MovingWindowSupport, Storage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import ConfigurationError, StorageError
from limits.storage import storage_from_string

from core.errors import TooManyRequests
from core.settings import Settings, SettingsError
from server.metrics import RATE_LIMITED

log = structlog.get_logger(__name__)

Limited = Literal["codes", "logins", "sessions", "chat", "uploads"]
# A household or a server has a whole /64: counting single addresses would count nothing.
_IPV6_NETWORK: Final = 64


class RateLimits:
    """Counts by name and client address; in memory, or in a storage that several servers share."""

    def __init__(self, settings: Settings) -> None:
        self._limiter = MovingWindowRateLimiter(_storage(settings.rate_limit_storage_url.get_secret_value()))
        self._rates: dict[Limited, list[RateLimitItem]] = {
            "codes": parse_many(settings.rate_limit_codes),
            "logins": parse_many(settings.rate_limit_logins),
            "sessions": parse_many(settings.rate_limit_sessions),
            "chat": parse_many(settings.rate_limit_chat),
            "uploads": parse_many(settings.rate_limit_uploads),
        }

    async def hit(self, name: Limited, address: str) -> None:
        """Count one request.

        A storage that does not answer lets requests through: what must hold without it (a code's gap and tries) is in
        the database.

        Raises:
            TooManyRequests: the limit is reached; says when to come again.
        """
        who = _network(address)
        try:
            for rate in self._rates[name]:
                if not await self._limiter.hit(rate, name, who):
                    RATE_LIMITED.labels(name).inc()
                    reset, _remaining = await self._limiter.get_window_stats(rate, name, who)
                    raise TooManyRequests(
                        "请求过于频繁，请稍后再试", retry_after=max(1, math.ceil(reset - time.time()))
                    )
        except StorageError as error:
            log.warning("rate_limits_down", error=type(error.storage_error).__name__)


def _storage(url: str) -> Storage:
    try:
        storage = storage_from_string(url, wrap_exceptions=True)
    except ConfigurationError:
        storage = None
    if not isinstance(storage, Storage) or not isinstance(storage, MovingWindowSupport):
        # Not the library's sentence: it may quote the URL, which may hold a password.
        raise SettingsError(
            "RATE_LIMIT_STORAGE_URL must begin with async+memory:// or async+redis:// (with the package coredis)"
        )
    return storage


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped or ipaddress.ip_network((parsed, _IPV6_NETWORK), strict=False))
    return str(parsed)


def limited(name: Limited) -> Callable[[Request], Awaitable[None]]:
    """Return a dependency that counts a request of the client's address."""

    async def count(request: Request) -> None:
        limits: RateLimits = request.app.state.limits
        await limits.hit(name, request.client.host if request.client else "")

    return count
