"""Bring the server up and take it down. The caller holds the start lock."""

import subprocess
import time
from pathlib import Path

import structlog

from db.embedded.account import server_account
from db.embedded.binaries import find_programs
from db.embedded.cluster import ensure_cluster
from db.embedded.errors import EmbeddedPostgresError, StartTimeoutError, failed
from db.embedded.layout import Layout, data_directory, socket_directory
from db.embedded.probe import Answer, ask, is_listening
from db.embedded.process import Postmaster, clear_remains, find_postmaster, start, stop

log = structlog.get_logger(__name__)


def lay_out(root: Path, *, durable: bool, system_dir: Path) -> Layout:
    """Find or make the places of the server of `root`."""
    account = server_account(root)
    return Layout(
        root=root,
        data=data_directory(root, account, system_dir),
        socket=socket_directory(root, account),
        programs=find_programs(account, system_dir),
        account=account,
        durable=durable,
    )


def bring_up(layout: Layout, password: str, timeout: float) -> None:
    """Return when the server is ready: adopted if it runs, waited for if it is on its way, started if it is dead.

    Raises:
        StartTimeoutError: it was not ready within `timeout` seconds.
        StartError, DiskFullError: it ended with an error.
    """
    give_up = time.monotonic() + timeout
    pause = 0.01
    child: subprocess.Popen[bytes] | None = None
    told = 0
    while True:
        # Looked at before the socket: a server that was ready then and has no socket now has lost it.
        seen = find_postmaster(layout)
        if _answer(layout, password, seen):
            return
        if child is None and _is_dead(layout, seen):
            if seen is not None and not stop(seen.process):
                raise EmbeddedPostgresError(f"The server of {layout.data} lost its socket and does not stop.")
            clear_remains(layout)
            ensure_cluster(layout, password)
            told = layout.log.stat().st_size if layout.log.exists() else 0
            child = start(layout)
        elif child is not None and seen is None and child.poll() is not None and not find_postmaster(layout):
            raise failed("PostgreSQL", _tail(layout.log, told), layout.data)
        if time.monotonic() > give_up:
            raise StartTimeoutError(
                f"PostgreSQL on {layout.data} is not ready after {timeout:g} s (a recovery after a crash can take "
                f"longer). It was left running: see {layout.log}, and start again."
            )
        time.sleep(pause)
        pause = min(pause * 1.3, 0.5)


def take_down(layout: Layout, password: str) -> None:
    """Stop the server, if one runs that is verified to be ours, and remove its temporary socket directory."""
    seen = find_postmaster(layout)
    if seen is None and is_listening(layout.socket):
        answer = ask(layout, password)
        seen = find_postmaster(layout, answer.started) if answer else None
        if seen is None:
            log.warning("postgres_not_stopped", reason="its process was not verified", data=str(layout.data))
            return
    if seen is not None and not stop(seen.process):
        return
    if layout.socket.parent != layout.root and layout.socket.is_dir() and not any(layout.socket.iterdir()):
        layout.socket.rmdir()


def _answer(layout: Layout, password: str, seen: Postmaster | None) -> Answer | None:
    # A server that is still starting would write a line into its log for each question.
    if seen is not None and seen.status != "ready":
        return None
    return ask(layout, password) if is_listening(layout.socket) else None


def _is_dead(layout: Layout, seen: Postmaster | None) -> bool:
    return (seen is None or seen.status == "ready") and not is_listening(layout.socket)


def _tail(path: Path, offset: int) -> str:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read().decode(errors="replace")
