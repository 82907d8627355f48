from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.kit.app import Service, running_service
from tests.kit.people import RecordingSender, SetClock

ADMIN = "13900000009"
# Many more than any test needs, so that only the tests of the limits meet them.
GENEROUS = {"RATE_LIMIT_CODES": "10000/minute", "RATE_LIMIT_LOGINS": "10000/minute"}


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def sender() -> RecordingSender:
    return RecordingSender()


@pytest.fixture
async def service(
    database_url: str, tmp_path: Path, clock: SetClock, sender: RecordingSender
) -> AsyncIterator[Service]:
    """As production is: no code is ever shown."""
    environ = GENEROUS | {
        "ENV": "production",
        "JWT_SECRET": "x" * 32,
        "DATABASE_URL": database_url,
        "FRONTEND_AUTH": "token",
        "ADMIN_PHONES": f"13900000008, {ADMIN}",
    }
    async with running_service(database_url, tmp_path, environ, clock=clock, sender=sender) as service:
        yield service


@pytest.fixture
async def client(service: Service) -> httpx.AsyncClient:
    return service.client
