"""The server's processes: which of them are ours, how they are started and stopped.

A process is ours only by evidence that anybody may read in any container: its command line names our data directory
(its children's titles name the cluster), and it runs as the directory's owner. What postmaster.pid says is believed
only for such a process, and only if it started when the file says. No other process is ever sent a signal.
"""

import hashlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import psutil
import structlog

from core.files import open_private
from db.embedded.cluster import ENVIRONMENT, SCRAM_ITERATIONS
from db.embedded.layout import SOCKET_PORT, Layout

log = structlog.get_logger(__name__)

_MAX_LOG_BYTES: Final = 10 * 1024 * 1024
# postmaster.pid has whole seconds, and so has the boot time that psutil adds.
_START_TOLERANCE_SECONDS: Final = 3.0
# The server notes its own start only when it is about to begin its recovery.
_ANSWER_TOLERANCE_SECONDS: Final = 10.0
_PID_FILE_LINES: Final = 8


@dataclass(frozen=True)
class Postmaster:
    """A running server that was verified to be ours; `status` is starting, ready, stopping or standby."""

    process: psutil.Process
    status: str


def find_postmaster(layout: Layout, answered_start: float | None = None) -> Postmaster | None:
    """Return the server that postmaster.pid names, if it is really running on our data directory.

    `answered_start` is the start time that the server told over a connection. It counts like the process's: that one
    moves when the machine's clock is set (a laptop or virtual machine that slept).
    """
    try:
        lines = (layout.data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
        # A number below zero is a single-user server's.
        pid, started, status = abs(int(lines[0])), int(lines[2]), "".join(lines[_PID_FILE_LINES - 1 :]).strip()
        process = psutil.Process(pid)
        offsets = [(abs(process.create_time() - started), _START_TOLERANCE_SECONDS)]
    except (OSError, ValueError, IndexError, psutil.Error):
        return None
    if answered_start is not None:
        offsets.append((abs(answered_start - started), _ANSWER_TOLERANCE_SECONDS))
    on_time = any(offset <= tolerance for offset, tolerance in offsets)
    if lines[1] == str(layout.data) and on_time and _serves(process, layout):
        return Postmaster(process, status or "starting")
    return None


def start(layout: Layout) -> subprocess.Popen[bytes]:
    """Start a server in a session of its own, so that neither Ctrl-C nor our end reaches it."""
    command = [str(layout.programs / "postgres"), "-D", str(layout.data)]
    for name, value in _settings(layout).items():
        command += ["-c", f"{name}={value}"]
    if layout.log.exists() and layout.log.stat().st_size > _MAX_LOG_BYTES:
        layout.log.replace(layout.log.with_suffix(".log.1"))
    output = open_private(layout.log, os.O_WRONLY | os.O_APPEND)
    try:
        process = subprocess.Popen(  # noqa: S603 - a list of our own, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=ENVIRONMENT,
            umask=0o077,
            start_new_session=True,
            **layout.account.popen_options(),
        )
    finally:
        os.close(output)
    # A dead child that nobody waits for stays a process, and a number in postmaster.pid that looks alive.
    threading.Thread(target=process.wait, name="postgres-reaper", daemon=True).start()
    return process


def stop(process: psutil.Process) -> bool:
    """Stop a verified server fast (open transactions roll back); tell whether it is gone."""
    for number, seconds in ((signal.SIGINT, 30), (signal.SIGQUIT, 10)):
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:
            break
        if _wait_until(lambda: not _is_alive(process), seconds):
            return True
    log.warning("postgres_not_stopped", pid=process.pid)
    return False


def clear_remains(layout: Layout) -> None:
    """Remove what a server that died left behind, once its children are gone. Call it only when no server runs.

    The children end by themselves when they see that the server is dead; one in a long query is told to.
    """
    if not _wait_until(lambda: not any(_remaining(layout)), 1):
        for number, seconds in ((signal.SIGQUIT, 5), (signal.SIGKILL, 5)):
            for process in _remaining(layout):
                with suppress(psutil.Error):
                    process.send_signal(number)
            if _wait_until(lambda: not any(_remaining(layout)), seconds):
                break
    socket = layout.socket / f".s.PGSQL.{SOCKET_PORT}"
    for path in (layout.data / "postmaster.pid", socket, socket.with_name(socket.name + ".lock")):
        path.unlink(missing_ok=True)


def _settings(layout: Layout) -> dict[str, str]:
    switch = "on" if layout.durable else "off"
    return {
        "listen_addresses": "",
        "unix_socket_directories": str(layout.socket),
        "unix_socket_permissions": "0700",
        "port": str(SOCKET_PORT),
        "cluster_name": _cluster_name(layout),
        "max_connections": "200",
        "shared_buffers": "128MB",
        "scram_iterations": str(SCRAM_ITERATIONS),
        "timezone": "UTC",
        "log_timezone": "UTC",
        "logging_collector": "off",
        "fsync": switch,
        "synchronous_commit": switch,
        "full_page_writes": switch,
        "recovery_init_sync_method": _sync_method(os.uname()),
    }


def _sync_method(system: os.uname_result) -> str:
    """Return how all files are brought to the disk before a recovery: one by one, that takes seconds.

    Linux does it with one call, and tells of its failures since 5.8
    (https://www.postgresql.org/docs/18/runtime-config-error-handling.html).
    """
    version = re.match(r"(\d+)\.(\d+)", system.release)
    tells = version is not None and tuple(map(int, version.groups())) >= (5, 8)
    return "syncfs" if system.sysname == "Linux" and tells else "fsync"


def _cluster_name(layout: Layout) -> str:
    return f"colloquy-{hashlib.sha256(os.fsencode(layout.data)).hexdigest()[:16]}"


def _serves(process: psutil.Process, layout: Layout) -> bool:
    """Tell whether it is a server (not a server's child) of our data directory."""
    try:
        command = process.cmdline()
    except psutil.Error:
        return False
    named = any(pair == ("-D", str(layout.data)) for pair in pairwise(command))
    return named and Path(command[0]).name == "postgres" and _is_candidate(process, layout)


def _remaining(layout: Layout) -> Iterator[psutil.Process]:
    """Yield our servers and the children of our servers; they are titled `postgres: <cluster name>: <role> …`."""
    title = f"postgres: {_cluster_name(layout)}: "
    for process in psutil.process_iter():
        # Asked first and by itself: whoever is yielded here may be killed, so one wrong test must not be enough.
        if not _is_candidate(process, layout):
            continue
        try:
            is_child = "".join(process.cmdline()[:1]).startswith(title)
        except psutil.Error:
            continue
        if is_child or _serves(process, layout):
            yield process


def _is_candidate(process: psutil.Process, layout: Layout) -> bool:
    """Tell whether it is any living PostgreSQL process of the server's account."""
    try:
        return process.name() == "postgres" and process.uids().effective == layout.account.uid and _is_alive(process)
    except psutil.Error:
        return False


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _wait_until(done: Callable[[], bool], seconds: float) -> bool:
    give_up = time.monotonic() + seconds
    while not done():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.01)
    return True
