"""What one run's saver knows of its thread."""

from dataclasses import dataclass, field
from typing import Any

from checkpoints import lists
from checkpoints.heads import Head


@dataclass
class RunMemory:
    """What a run's saver knows; shared by the copies that LangGraph makes of it."""

    fence: int | None = None
    """The run's; None as long as it is not known whether it has its thread."""
    known: Head | None = None
    """What the process knew of the thread's newest checkpoint, until it is asked for."""
    head: Head | None = None
    """The graph's own newest checkpoint, where it was saved or read here."""
    touched: set[str] = field(default_factory=set)
    """Namespaces that something was saved in."""
    written_to: set[str] = field(default_factory=set)
    """Checkpoints that have pending writes."""
    stored: dict[tuple[str, str], lists.Stored] = field(default_factory=dict)
    """Long lists by namespace and channel."""
    told: dict[str, tuple[list[Any], list[bytes]]] = field(default_factory=dict)
    """The graph's own long lists as they were saved last, with their JSON in blocks."""
