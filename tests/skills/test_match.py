"""Which skills a conversation gets (G03)."""

import math

from hypothesis import given
from hypothesis import strategies as st

from skills.document import Skill
from skills.match import FALLBACK, MOST, keyword_score, match
from skills.scenes import SCENES, SURE, Verdict
from tests.skills.making import skill

GENERAL = skill(FALLBACK, category="other")
SKILLS = st.builds(
    skill,
    st.from_regex(r"[a-c]-[0-9]", fullmatch=True),
    category=st.sampled_from(sorted(SCENES)),
    priority=st.integers(-3, 3),
    enabled=st.booleans(),
    keywords=st.lists(st.sampled_from(["老板", "加班", "妈"]), unique=True).map(tuple),
)


def ids(skills: list[Skill]) -> list[str]:
    return [one.id for one in skills]


def test_by_priority_and_switched_on() -> None:
    """The case of T02."""
    skills = [
        skill("workplace-b", priority=5),
        skill("workplace-c", priority=20, enabled=False),
        skill("workplace-a", priority=10),
        skill("family-a", category="family", priority=50),
        GENERAL,
    ]
    assert ids(match(skills, Verdict("workplace", 0.92), "")) == ["workplace-a", "workplace-b"]


def test_keywords_decide_between_equals_and_at_most_three_are_taken() -> None:
    skills = [skill(f"s-{number}", keywords=("加班", "boss")[:number]) for number in range(4)]
    assert ids(match(skills, Verdict("workplace", 1.0), "又要加班，Boss说的")) == ["s-2", "s-3", "s-1"]


def test_a_keyword_counts_once() -> None:
    assert keyword_score(skill("s", keywords=("加班", "老板", "绩效")), "加班加班，老板") == 2


def test_the_fallback() -> None:
    skills = [skill("workplace-a"), GENERAL]
    for verdict in (
        Verdict("family", 0.9),
        Verdict("workplace", SURE - 0.01),
        Verdict("workplace", math.nan),
        Verdict("other", 0.9),
    ):
        assert ids(match(skills, verdict, "")) == [FALLBACK]
    assert ids(match(skills, Verdict("workplace", SURE), "")) == ["workplace-a"]


def test_a_fallback_that_is_switched_off_is_not_used() -> None:
    assert match([skill(FALLBACK, category="other", enabled=False)], Verdict("other", 0.0), "") == []


@given(
    st.lists(SKILLS, unique_by=lambda one: one.id),
    st.sampled_from(sorted(SCENES)),
    st.floats(),
    st.text("老板加班妈"),
    st.randoms(),
)
def test_always(skills: list[Skill], scene: str, confidence: float, words: str, random: object) -> None:
    skills = [*skills, GENERAL]
    chosen = match(skills, Verdict(scene, confidence), words)
    assert 1 <= len(chosen) <= MOST
    assert all(one.enabled for one in chosen)
    if ids(chosen) != [FALLBACK]:
        assert confidence >= SURE
        assert {one.category for one in chosen} == {scene}
        left = [one for one in skills if one.enabled and one.category == scene and one not in chosen]
        rank = [(one.priority, keyword_score(one, words)) for one in chosen]
        assert rank == sorted(rank, reverse=True)
        assert not left or (
            len(chosen) == MOST and max((one.priority, keyword_score(one, words)) for one in left) <= rank[-1]
        )
    shuffled = list(skills)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert match(shuffled, Verdict(scene, confidence), words) == chosen
