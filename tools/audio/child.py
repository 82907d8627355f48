"""`python -m tools.audio.child JSON`: one task on one recording, in a process that may be killed.

Writes one JSON object: `found`, `refused` (a reason), `missing` (a file or folder) or `full` (no room on the disk).
"""

import errno
import os
import resource
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import av.logging
import orjson

from tools.audio.cut import cut
from tools.audio.model import AudioRefused
from tools.audio.parts import Part, write_parts
from tools.audio.peaks import peaks
from tools.audio.probe import probe

_MOST_MEMORY: Final = 1024**3
_MOST_CPU_SECONDS: Final = 600
# A cut of the longest time at the fastest rate.
_MOST_WRITTEN: Final = 512 * 1024**2
# The server beside it answers people; a waveform can wait.
_NICENESS: Final = 10

_TASKS: Final[Mapping[str, Callable[..., Any]]] = {
    "probe": lambda path: probe(Path(path)),
    "cut": lambda path, start, end, target: cut(Path(path), start, end, Path(target)),
    "peaks": lambda path, buckets: peaks(Path(path), buckets),
    "parts": lambda path, parts, folder: [
        str(written) for written in write_parts(Path(path), [Part(**part) for part in parts], Path(folder))
    ],
}


def main() -> None:
    """Do the task within limits of memory, processor time and disk that the system keeps."""
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_MOST_CPU_SECONDS, _MOST_CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_WRITTEN, _MOST_WRITTEN))
    os.nice(_NICENESS)
    # Whoever uploads a broken file must not fill the log.
    av.logging.set_level(None)
    request = orjson.loads(sys.argv[1])
    sys.stdout.buffer.write(orjson.dumps(_answer(request.pop("task"), request)))


def _answer(task: str, arguments: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"found": _TASKS[task](**arguments)}
    except AudioRefused as refusal:
        return {"refused": refusal.reason}
    except FileNotFoundError:
        return {"missing": True}
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return {"full": True}
        raise


if __name__ == "__main__":
    main()
