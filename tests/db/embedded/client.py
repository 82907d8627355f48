"""A process that uses an embedded server: it does what it reads (acquire, ensure, release) and writes the outcome.

Arguments: root, system directory, and, for a process of an ordinary user, a number to change to. It changes only
after its imports, because an interpreter below /root is out of that user's reach.
"""

import os
import sys
from pathlib import Path

from db.embedded.errors import EmbeddedPostgresError
from db.embedded.server import EmbeddedPostgres


def tell(outcome: str) -> None:
    sys.stdout.write(outcome.replace("\n", " ") + "\n")
    sys.stdout.flush()


def main(root: str, system_dir: str, uid: str = "") -> None:
    if uid:
        os.setgroups([])
        os.setgid(int(uid))
        os.setuid(int(uid))
    server = EmbeddedPostgres(Path(root), durable=False, system_dir=Path(system_dir))
    tell("ready")
    for line in sys.stdin:
        try:
            tell(getattr(server, line.strip())() or "done")
        except EmbeddedPostgresError as error:
            tell(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
