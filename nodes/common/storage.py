"""Where nodes find recordings and put pictures."""

from core.clock import SystemClock
from core.settings import Settings
from nodes.common.resources import resources
from tools.storage.local import LocalStorage
from tools.storage.model import Storage
from tools.storage.signing import Signer


def storage() -> Storage:
    """Return what is bound for this run, or a directory beside the data of this project (Studio, a unit test)."""
    return resources().repository(Storage, _local)


def _local() -> Storage:
    # `langgraph dev` reads `.env` itself; nobody serves the addresses that this signs.
    settings = Settings.load(dotenv=None)
    return LocalStorage(settings.data_dir / "storage", Signer(bytes(32), "/"), SystemClock())
