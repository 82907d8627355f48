"""What recordings cost: an hour of sound, large uploads, many at once, and the strategy beside its models.

    python -m bench.audio [--minutes 60] [--megabytes 99] [--uploads 50] [--strategies 40]

The server is a process of its own on an embedded PostgreSQL; sound is made by code. Every figure stands beside a floor
that was measured in the same run: bare decoding, an HTTP server that only writes what it gets, bare model calls.
"""

import argparse
import asyncio
from pathlib import Path

from bench.audio import sound, strategies, uploads
from core import logging
from tests.kit.database import create, running_server
from tests.kit.directories import crossable


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--megabytes", type=int, default=99)
    parser.add_argument("--uploads", type=int, default=50)
    parser.add_argument("--strategies", type=int, default=40)
    arguments = parser.parse_args()
    logging.configure("error", "json")
    with crossable() as path, running_server(path / "pg") as server:
        asyncio.run(sound.measure(path, arguments.minutes))
        url = create(server, "uploads")
        asyncio.run(uploads.measure(url, path, arguments.megabytes, arguments.uploads))
        asyncio.run(strategies.measure(create(server, "strategies"), Path(path), arguments.strategies))


if __name__ == "__main__":
    main()
