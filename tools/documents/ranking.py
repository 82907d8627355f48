"""One ranking from several that cannot be compared: reciprocal rank fusion.

Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning Methods"
(SIGIR 2009), whose constant of 60 it keeps.
"""

from collections.abc import Hashable, Sequence
from typing import Final, TypeVar

Key = TypeVar("Key", bound=Hashable)

_K: Final = 60


def fused(*rankings: Sequence[Key]) -> list[tuple[Key, float]]:
    """Return what is in any of the rankings, best first, with its score; between equals the first ranking decides."""
    scores: dict[Key, float] = {}
    for ranking in rankings:
        for place, key in enumerate(dict.fromkeys(ranking), 1):
            scores[key] = scores.get(key, 0.0) + 1 / (_K + place)
    return sorted(scores.items(), key=lambda item: -item[1])
