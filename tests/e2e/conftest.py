from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.directories import crossable


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with crossable() as path:
        yield path / "data dir"
