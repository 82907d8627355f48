"""Which skills a conversation gets: a pure function of skills, verdict and words (G03)."""

from collections.abc import Iterable
from typing import Final

from skills.document import Skill
from skills.scenes import SURE, Verdict

FALLBACK: Final = "general-communication"
MOST: Final = 3


def keyword_score(skill: Skill, words: str) -> int:
    """Count the keywords of a skill that occur in a text, each once."""
    said = words.casefold()
    return sum(keyword in said for keyword in skill.keywords)


def match(skills: Iterable[Skill], verdict: Verdict, words: str) -> list[Skill]:
    """Return the enabled skills of the scene, at most three: by priority, then by keywords in `words`, then by id.

    Where there are none, or the scene is not sure, it is the fallback; nothing where that is missing or switched off.
    """
    enabled = [skill for skill in skills if skill.enabled]
    # Asked this way round, a confidence that is no number is not sure.
    of_scene = [skill for skill in enabled if skill.category == verdict.category and verdict.confidence >= SURE]
    if not of_scene:
        return [skill for skill in enabled if skill.id == FALLBACK]
    ranked = sorted(of_scene, key=lambda skill: (-skill.priority, -keyword_score(skill, words), skill.id))
    return ranked[:MOST]
