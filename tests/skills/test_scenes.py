"""The closed list, and what models say about it (G02, W05)."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skills.scenes import SCENES, UNKNOWN, Verdict, category_of, confidence_of, verdict_from, verdict_of


def test_the_list_is_the_agreed_one() -> None:
    assert list(SCENES) == [
        "workplace",
        "family",
        "intimate",
        "education",
        "social",
        "negotiation",
        "conflict",
        "other",
    ]
    words = [word.casefold() for scene in SCENES.values() for word in (scene.id, scene.name, *scene.aliases)]
    assert len(words) == len(set(words)), "a word that means two scenes means none"


@pytest.mark.parametrize(
    ("said", "confidence"),
    [
        (0.9, 0.9),
        ("0.9", 0.9),
        ("90%", 0.9),
        ("90 %", 0.9),
        ("９０％", 0.9),
        ("0,9", 0.9),
        (92, 0.92),
        ("92", 0.92),
        ("8/10", 0.8),
        ("4/5", 0.8),
        ("85/100", 0.85),
        ("9成", 0.9),
        ("约 0.7", 0.7),
        ("high", 0.85),
        ("HIGH", 0.85),
        ("very high", 0.95),
        ("较高", 0.85),
        ("高", 0.85),
        ("medium", 0.6),
        ("Low", 0.3),
        ("uncertain", 0.1),
        (1, 1.0),
        (0, 0.0),
        (1.2, 1.0),
        (-3, 0.0),
        ("-0.2", 0.0),
        (10**400, 1.0),
        (5000, 1.0),
        (None, None),
        (True, None),
        ("", None),
        ("maybe", None),
        (math.nan, None),
        (math.inf, None),
        ([0.9], None),
    ],
)
def test_a_confidence(said: object, confidence: float | None) -> None:
    assert confidence_of(said) == confidence


@pytest.mark.parametrize(
    ("said", "scene"),
    [
        ("workplace", "workplace"),
        (" Workplace. ", "workplace"),
        ("职场", "workplace"),
        ("“亲密关系”", "intimate"),
        ("Romantic", "intimate"),
        ("这是家庭场景", "family"),
        ("the scene is negotiation", "negotiation"),
        ("workplace or family", None),
        ("家庭或职场", None),
        ("workplaces", None),
        ("kitchen", None),
        ("", None),
        (None, None),
        (3, None),
        (["workplace"], None),
    ],
)
def test_a_category(said: object, scene: str | None) -> None:
    assert category_of(said) == scene


def test_what_means_no_scene_is_other_without_confidence() -> None:
    assert verdict_of("kitchen", 0.99) == UNKNOWN == Verdict("other", 0.0)
    assert verdict_of("family", "no idea") == Verdict("family", 0.0)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ('{"scene_category":"workplace","scene_confidence":"92%"}', Verdict("workplace", 0.92)),
        ('```json\n{"category": "职场", "confidence": "high"}\n```', Verdict("workplace", 0.85)),
        ('想一想 {x} 之后：{"scene_category": "conflict", "scene_confidence": 0.7} 就这样', Verdict("conflict", 0.7)),
        ('{"scene_category": "workplace", "scene_confidence": 0.9', UNKNOWN),
        ("workplace", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_a_whole_answer(answer: str, verdict: Verdict) -> None:
    assert verdict_from(answer) == verdict


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=4))
def test_anything_is_a_share_or_nothing(said: object) -> None:
    confidence = confidence_of(said)
    assert confidence is None or 0.0 <= confidence <= 1.0
    assert category_of(said) in {None, *SCENES}


@given(st.floats(0, 1), st.sampled_from(sorted(SCENES)))
def test_what_is_right_stays(confidence: float, scene: str) -> None:
    assert verdict_from(json.dumps({"scene_category": scene, "scene_confidence": confidence})).category == scene
    assert confidence_of(confidence) == confidence


@given(st.text())
def test_no_answer_breaks_it(answer: str) -> None:
    assert verdict_from(answer).category in SCENES
