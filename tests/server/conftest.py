import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from core import logging
from tests.kit.app import Service, running_service
from tests.kit.model_server import ModelServer


@pytest.fixture(scope="session")
def model_server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def models(model_server: ModelServer) -> ModelServer:
    model_server.reset()
    return model_server


@pytest.fixture
async def service(database_url: str, tmp_path: Path, models: ModelServer) -> AsyncIterator[Service]:
    environ = models.environment(provider="openai", roles=["summary"])
    async with running_service(database_url, tmp_path, environ) as service:
        yield service


@pytest.fixture
async def anonymous(service: Service) -> httpx.AsyncClient:
    return service.client


@pytest.fixture
async def user(service: Service) -> httpx.AsyncClient:
    return await service.as_user()


@pytest.fixture
async def stranger(service: Service) -> httpx.AsyncClient:
    return await service.as_user()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All log lines of the test, as production writes them."""
    lines = io.StringIO()
    logging.configure("debug", "json", stream=lines)
    yield lines
    logging.configure("debug", "json")
