"""CreateToken of Alibaba's speech services (NLS): a token for an access key (C035, W19)."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final, Literal

import httpx
import structlog
from pydantic import BaseModel, Field, ValidationError

from core.clock import Clock
from core.ids import IdSource
from providers.aliyun.signature import canonical_query, sign
from providers.tls import trusted

log = structlog.get_logger(__name__)

ATTEMPT_SECONDS: Final = 5.0
# After the first and the second failed attempt.
PAUSES: Final = (0.2, 0.6)
# All attempts and pauses together.
MOST_SECONDS: Final = ATTEMPT_SECONDS * (1 + len(PAUSES)) + sum(PAUSES)
# Alibaba's own names of errors; anything else does not belong into a log.
_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")

Failure = Literal["refused", "throttled", "unreachable"]


@dataclass(frozen=True)
class NlsToken:
    """A token and when it expires."""

    text: str
    expires_at: datetime


class TokenNotGot(Exception):
    """There is no token: the key is `refused`, calls are `throttled`, or the service is `unreachable`."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure: Failure = failure


class _Token(BaseModel):
    id: str = Field(alias="Id", min_length=1)
    expire_time: int = Field(alias="ExpireTime", strict=True, ge=0, lt=10**11)


class _Answer(BaseModel):
    token: _Token = Field(alias="Token")


class _Problem(BaseModel):
    code: str = Field("", alias="Code")


class NlsTokens:
    """Asks an endpoint for tokens.

    Args:
        endpoint: the service's address; Alibaba's is `https://nls-meta.cn-shanghai.aliyuncs.com/`.
        clock: the time that is signed.
        ids: where the nonces come from.
        pauses: seconds before the second attempt, the third, …
    """

    def __init__(self, endpoint: str, clock: Clock, ids: IdSource, *, pauses: Sequence[float] = PAUSES) -> None:
        self._endpoint = httpx.URL(endpoint)
        self._clock = clock
        self._ids = ids
        self._pauses = pauses
        self._client = httpx.AsyncClient(timeout=ATTEMPT_SECONDS, verify=trusted())

    async def create(self, access_key_id: str, secret: str) -> NlsToken:
        """Return a new token; tries again where the service does not answer, not where it refuses (G31).

        Raises:
            TokenNotGot: all attempts failed, or one was refused.
        """
        for pause in (*self._pauses, None):
            try:
                return await self._attempt(access_key_id, secret)
            except TokenNotGot as error:
                if error.failure != "unreachable" or pause is None:
                    raise
            await asyncio.sleep(pause)
        raise TokenNotGot("unreachable")

    async def _attempt(self, access_key_id: str, secret: str) -> NlsToken:
        parameters = {
            "AccessKeyId": access_key_id,
            "Action": "CreateToken",
            "Format": "JSON",
            "RegionId": "cn-shanghai",
            "SignatureMethod": "HMAC-SHA1",
            # Alibaba refuses one that it has seen: a repetition needs a new one.
            "SignatureNonce": str(self._ids.uuid()),
            "SignatureVersion": "1.0",
            "Timestamp": self._clock.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "Version": "2019-02-28",
        }
        signed = canonical_query(parameters | {"Signature": sign(parameters, secret)})
        try:
            # All in all: httpx's own limits are for each piece that comes.
            async with asyncio.timeout(ATTEMPT_SECONDS):
                response = await self._client.get(self._endpoint.copy_with(query=signed.encode()))
        except (httpx.HTTPError, TimeoutError) as error:
            log.warning("aliyun_token_attempt_failed", error=type(error).__name__)
            raise TokenNotGot("unreachable") from None
        return self._read(response)

    def _read(self, response: httpx.Response) -> NlsToken:
        if response.is_success:
            try:
                token = _Answer.model_validate_json(response.content).token
            except ValidationError:
                token = None
            if token is not None and token.expire_time > self._clock.now().timestamp():
                return NlsToken(token.id, datetime.fromtimestamp(token.expire_time, UTC))
        raise _failure(response)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _failure(response: httpx.Response) -> TokenNotGot:
    try:
        code = _Problem.model_validate_json(response.content).code
    except ValidationError:
        code = ""
    code = code if _CODE.fullmatch(code) else ""
    log.warning("aliyun_token_attempt_failed", status=response.status_code, aliyun_code=code)
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS or code.startswith("Throttling"):
        return TokenNotGot("throttled")
    if response.is_client_error:
        return TokenNotGot("refused")
    return TokenNotGot("unreachable")
