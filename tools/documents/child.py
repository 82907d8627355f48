"""`python -m tools.documents.child NAME`: reads one document from its input, in a process that may be killed.

Writes one JSON object: `kind`, `characters`, `chunks` and `indexes`, or `refused`.
"""

import resource
import sys
from typing import Any, Final

import orjson

from tools.documents.chunks import chunks
from tools.documents.extract import extract
from tools.documents.model import DocumentRefused
from tools.documents.terms import index_of

_MOST_MEMORY: Final = 1024**3
_MOST_SECONDS: Final = 60


def main() -> None:
    """Read, within limits of memory and processor time that the system keeps."""
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_MOST_SECONDS, _MOST_SECONDS))
    # It writes no file and starts no program.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    try:
        answer = _prepared(sys.argv[1], sys.stdin.buffer.read())
    except DocumentRefused as refusal:
        answer = {"refused": refusal.reason}
    except MemoryError:
        answer = {"refused": "too_large"}
    sys.stdout.buffer.write(orjson.dumps(answer))


def _prepared(filename: str, content: bytes) -> dict[str, Any]:
    parsed = extract(filename, content)
    pieces = chunks(parsed.text)
    # Who asks for a file by its name finds all of it.
    indexes = [index_of(f"{piece}\n{filename}") for piece in pieces]
    return {"kind": parsed.kind, "characters": len(parsed.text), "chunks": pieces, "indexes": indexes}


if __name__ == "__main__":
    main()
