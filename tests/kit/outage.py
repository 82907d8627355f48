"""A door before PostgreSQL that can be shut: for those behind it the server is gone, as after a kill."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import make_url

from tests.kit.directories import crossable


class Door:
    """Passes on what comes to its socket while it is open."""

    def __init__(self, inside: Path, outside: Path) -> None:
        self._inside = inside
        self._outside = outside
        self._passing: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Let everybody in."""
        self._server = await asyncio.start_unix_server(self._pass, self._outside)

    async def shut(self) -> None:
        """Cut off all who are in, and let nobody in any more."""
        if self._server is None:
            return
        self._server.close()
        for writer in list(self._passing):
            writer.transport.abort()
        while self._passing:
            await asyncio.sleep(0.01)
        self._server = None
        await asyncio.to_thread(self._outside.unlink, missing_ok=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        other_reader, other_writer = await asyncio.open_unix_connection(self._inside)
        ends = {writer, other_writer}
        self._passing |= ends
        try:
            await asyncio.gather(_copy(reader, other_writer), _copy(other_reader, writer))
        finally:
            self._passing -= ends


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def door_to(url: str) -> AsyncIterator[tuple[Door, str]]:
    """Give an open door to the server of a URL, and the URL that leads through it."""
    place = conninfo_to_dict(url)
    name = f".s.PGSQL.{place['port']}"
    with crossable() as directory:
        door = Door(Path(str(place["host"])) / name, directory / name)
        await door.open()
        try:
            through = make_url(url).update_query_dict({"host": str(directory)})
            yield door, through.render_as_string(hide_password=False)
        finally:
            await door.shut()
