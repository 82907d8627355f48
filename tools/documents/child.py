"""`python -m tools.documents.child NAME`: reads one document from its input, in a process that may be killed.

Writes one JSON object: `kind` and `text`, or `refused`.
"""

import json
import resource
import sys
from typing import Final

from tools.documents.extract import extract
from tools.documents.model import DocumentRefused

_MOST_MEMORY: Final = 1024**3
_MOST_SECONDS: Final = 60


def main() -> None:
    """Read, within limits of memory and processor time that the system keeps."""
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_MOST_SECONDS, _MOST_SECONDS))
    # It writes no file and starts no program.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    try:
        parsed = extract(sys.argv[1], sys.stdin.buffer.read())
        answer = {"kind": parsed.kind, "text": parsed.text}
    except DocumentRefused as refusal:
        answer = {"refused": refusal.reason}
    except MemoryError:
        answer = {"refused": "too_large"}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
