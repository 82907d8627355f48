"""The embedded PostgreSQL that the processes of one data directory share."""

import fcntl
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from core.files import open_private
from db.embedded.cluster import load_password
from db.embedded.errors import EmbeddedPostgresError, StartTimeoutError, explained
from db.embedded.files import locked, try_lock
from db.embedded.layout import SYSTEM_DIR, Layout, make_root
from db.embedded.probe import ask, is_listening, url
from db.embedded.supervise import bring_up, lay_out, take_down

START_TIMEOUT_SECONDS: Final = 60.0
_START_LOCK: Final = "start.lock"


class EmbeddedPostgres:
    """A PostgreSQL server below `root` (`DATA_DIR/pg`), shared by every process that acquires it.

    Each user holds a shared lock on `users.lock`; the last one out stops the server. Whoever dies without releasing
    leaves it running for the next one, who adopts it. Starting and stopping happen under `start.lock`, so there is
    one server however many begin at once. All methods block (the first start takes about a second): from a
    coroutine, use `asyncio.to_thread`. They may be called from several threads.

    `durable=False` is for throw-away data: it turns fsync, synchronous_commit and full_page_writes off. It takes
    effect when the server starts; who adopts a running one takes it as it is. `system_dir` is where root keeps what
    the server's account cannot reach otherwise (see `db.embedded.layout`).
    """

    def __init__(
        self,
        root: Path,
        *,
        durable: bool = True,
        system_dir: Path = SYSTEM_DIR,
        start_timeout: float = START_TIMEOUT_SECONDS,
    ) -> None:
        self._root = Path(os.path.realpath(root))
        self._durable = durable
        self._system_dir = Path(os.path.realpath(system_dir))
        self._start_timeout = start_timeout
        self._mutex = threading.Lock()
        self._users: int | None = None
        self._known: tuple[Layout, str] | None = None

    def acquire(self) -> str:
        """Become a user of the server, start it if need be, and return the owner role's URL.

        The URL has the form `postgresql://colloquy:…@/colloquy?host=…&port=…` and stays the same when the server is
        started again. Called again by a user, this does what `ensure` does.

        Raises:
            EmbeddedPostgresError: it cannot be started; the message says what to do.
        """
        with self._mutex, explained(self._root):
            make_root(self._root)
            with locked(self._root / _START_LOCK):
                if self._users is None:
                    self._users = open_private(self._root / "users.lock", os.O_RDWR)
                    return self._first_time(self._users)
                return self._bring_up()

    def ensure(self) -> str:
        """Return the URL of a server that answers, started again if it died; quick (about 10 ms) when it is well.

        Raises:
            RuntimeError: this object has not acquired the server.
            EmbeddedPostgresError: it cannot be started.
        """
        with self._mutex, explained(self._root):
            if self._users is None:
                raise RuntimeError("acquire() the embedded PostgreSQL first")
            if self._known and is_listening(self._known[0].socket) and ask(*self._known):
                return url(*self._known)
            with locked(self._root / _START_LOCK):
                return self._bring_up()

    def release(self) -> None:
        """Cease to be a user; the last one stops the server. Does nothing for who is none."""
        with self._mutex, explained(self._root):
            if self._users is None:
                return
            users, self._users = self._users, None
            try:
                with locked(self._root / _START_LOCK):
                    self._leave(users)
            finally:
                os.close(users)

    def _first_time(self, users: int) -> str:
        try:
            # Shared, so it is free at once: only who holds the start lock ever asks for it exclusively.
            try_lock(users, fcntl.LOCK_SH)
            return self._bring_up()
        except BaseException as error:
            self._users = None
            try:
                # What kept it from starting matters more than what may keep it from stopping.
                with suppress(EmbeddedPostgresError, OSError):
                    if not isinstance(error, StartTimeoutError):
                        self._leave(users)
            finally:
                os.close(users)
            raise

    def _leave(self, users: int) -> None:
        if self._known and try_lock(users, fcntl.LOCK_EX):
            take_down(*self._known)

    def _bring_up(self) -> str:
        layout = lay_out(self._root, durable=self._durable, system_dir=self._system_dir)
        self._known = (layout, load_password(self._root))
        bring_up(*self._known, self._start_timeout)
        return url(*self._known)
