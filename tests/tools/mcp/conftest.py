from pathlib import Path

import pytest

from tests.kit.tool_servers import FaultServer


@pytest.fixture
def server(tmp_path: Path) -> FaultServer:
    return FaultServer(tmp_path / "faults")
