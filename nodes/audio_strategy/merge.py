"""Several skills' advice as one by rule, for where the fusing model gave nothing that can be used (G03)."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from itertools import zip_longest

from nodes.audio_strategy.likeness import repeats
from nodes.audio_strategy.quotes import MOST as MOST_QUOTES
from nodes.audio_strategy.state import MOST_FUSED, Draft


def merge(drafts: Mapping[str, Sequence[Draft]], most: int = MOST_FUSED) -> list[Draft]:
    """Return the first advice of each skill, then the second of each, and so on, `most` at most.

    What repeats an earlier piece goes into it: quotes and attribution are joined. So each skill is in at least one.

    Args:
        drafts: by skill, the most important first; each has at least one.
        most: not less than there are skills.
    """
    merged: list[Draft] = []
    for rank in zip_longest(*drafts.values()):
        for draft in filter(None, rank):
            same = next((kept for kept in merged if repeats(kept, draft)), None)
            if same is not None:
                _join(same, draft)
            elif len(merged) < most:
                merged.append(deepcopy(draft))
    return merged


def _join(kept: Draft, other: Draft) -> None:
    kept["quotes"] = list(dict.fromkeys([*kept["quotes"], *other["quotes"]]))[:MOST_QUOTES]
    kept["skills"] = list(dict.fromkeys([*kept["skills"], *other["skills"]]))
