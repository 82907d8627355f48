"""Imports and variables of other people's projects, undone after a test."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ORDERS = Path(__file__).parent.parent / "projects" / "orders" / "langgraph.json"


@contextmanager
def undone() -> Iterator[None]:
    """Forget what the block imported, where it looked for it, and what it set."""
    path, names, environ = sys.path.copy(), set(sys.modules), dict(os.environ)
    try:
        yield
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - names:
            if _is_theirs(name):
                del sys.modules[name]
        os.environ.clear()
        os.environ.update(environ)


def _is_theirs(name: str) -> bool:
    # Libraries stay: a second copy of one is no fresh start, and some do not bear it.
    file = getattr(sys.modules[name], "__file__", None)
    places = [file] if file else list(getattr(sys.modules[name], "__path__", []))
    return any("site-packages" not in str(place) and not str(place).startswith(sys.base_prefix) for place in places)
