"""What came of a fault, in numbers."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Report:
    """A fault's row: how often it was caused, the runs that it met, and what was not as promised.

    `recovery` holds seconds, from the fault to the next step of a run that it met. `lost`, `repeated` and `gaps` hold
    sentences; a fault that cost nothing leaves them empty.
    """

    fault: str
    caused: int = 0
    runs: int = 0
    lost: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    recovery: list[float] = field(default_factory=list)

    @property
    def broken(self) -> list[str]:
        """All that was not as promised."""
        return [*self.lost, *self.repeated, *self.gaps]

    def row(self) -> list[str]:
        """Return the cells of the table."""
        times = (statistics.median(self.recovery), max(self.recovery)) if self.recovery else ()
        shown = [f"{seconds:.1f} s" for seconds in times] or ["-", "-"]
        counts = (self.caused, self.runs, len(self.lost), len(self.repeated), len(self.gaps))
        return [self.fault, *map(str, counts), *shown]


HEAD = ["fault", "caused", "runs", "lost", "repeated steps", "stream gaps", "recovery p50", "max"]


def table(reports: Sequence[Report]) -> str:
    """Return the rows as text, in columns."""
    rows = [HEAD, *(report.row() for report in reports)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
