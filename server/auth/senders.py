"""How a login code reaches its person: the terminal in development, an HTTP gateway in production (G13)."""

import asyncio
from typing import Literal, Protocol

import httpx
import structlog
import typer

from core.settings import Settings
from providers.tls import trusted
from server.auth.codes import LIFETIME

log = structlog.get_logger(__name__)

Channel = Literal["sms", "email"]


class CodeNotSent(Exception):
    """The code did not leave us; its address may ask for another one at once."""


class CodeSender(Protocol):
    """Anything that brings a code to a phone or a mailbox."""

    async def send(self, channel: Channel, address: str, code: str) -> None:
        """Send a code.

        Raises:
            CodeNotSent: it was not accepted for delivery.
        """
        ...

    async def aclose(self) -> None:
        """Let go of what was held."""
        ...


class ConsoleSender:
    """Prints codes on the server's own terminal; they never enter the log."""

    async def send(self, channel: Channel, address: str, code: str) -> None:
        """Print the code."""
        await asyncio.to_thread(typer.echo, f"  Login code for {address} ({channel}): {code}")

    async def aclose(self) -> None:
        """Nothing is held."""


class NoSender:
    """Production without a gateway: nobody can be sent a code."""

    async def send(self, channel: Channel, address: str, code: str) -> None:  # noqa: ARG002 - whatever it is
        """Refuse."""
        log.error("code_gateway_missing", hint="set CODE_GATEWAY_URL")
        raise CodeNotSent

    async def aclose(self) -> None:
        """Nothing is held."""


class GatewaySender:
    """Posts `{"channel", "to", "code", "expires_in"}` to the gateway, which knows the SMS or mail provider.

    Any 2xx answer within ten seconds means that the message is on its way.
    """

    def __init__(self, url: str, token: str | None, *, seconds: float = 10) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._url = url
        self._seconds = seconds
        self._client = httpx.AsyncClient(headers=headers, timeout=seconds, verify=trusted())

    async def send(self, channel: Channel, address: str, code: str) -> None:
        """Post the code once: whether a cut connection delivered it is unknown, and a second message costs."""
        body = {"channel": channel, "to": address, "code": code, "expires_in": int(LIFETIME.total_seconds())}
        try:
            # All in all: httpx's own limits are for each piece that comes.
            async with asyncio.timeout(self._seconds):
                response = await self._client.post(self._url, json=body)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            log.warning("code_gateway_failed", error=type(error).__name__)
            raise CodeNotSent from None
        if not response.is_success:
            log.warning("code_gateway_failed", status=response.status_code)
            raise CodeNotSent

    async def aclose(self) -> None:
        """Close the gateway's connections."""
        await self._client.aclose()


def sender_for(settings: Settings) -> CodeSender:
    """Return the sender that the settings ask for."""
    if settings.code_gateway_url is not None:
        token = settings.code_gateway_token
        return GatewaySender(settings.code_gateway_url, token.get_secret_value() if token else None)
    return NoSender() if settings.env == "production" else ConsoleSender()
