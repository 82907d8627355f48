"""The labelled transcripts, and what the offline rule makes of them."""

import json
from collections import Counter
from pathlib import Path

import pytest

from providers.offline.strategy.scene import scene_of
from skills.catalog import SKILLS, load_all
from skills.labelled import main, measure, read_labelled
from skills.scenes import OTHER, SCENES, SURE

FOLDER = Path(__file__).parent.parent.parent / "examples" / "audio" / "scenes"
FILES = sorted(FOLDER.glob("*.json"))
OURS = load_all(SKILLS).skills


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_is_a_conversation_with_labels(file: Path) -> None:
    read = json.loads(file.read_text(encoding="utf-8"))
    assert set(read) == {"title", "language", "scene", "skill", "held_out", "dialogues"}
    assert OURS[read["skill"]].category == read["scene"]
    assert len({said["speaker"] for said in read["dialogues"]}) == 2
    times = [time for said in read["dialogues"] for time in (said["start"], said["end"])]
    assert times == sorted(times)
    assert all(said["text"].strip() for said in read["dialogues"])


def test_there_are_enough_of_every_kind_and_a_third_is_held_out() -> None:
    examples = read_labelled(FOLDER)
    assert len(examples) >= 40
    assert sum(one.held_out for one in examples) == pytest.approx(len(examples) / 3, abs=1)
    for held_out in (False, True):
        count = Counter(one.scene for one in examples if one.held_out is held_out)
        assert set(count) == set(SCENES)


def test_on_what_it_was_made_with_the_rule_stays_as_good_as_it_was() -> None:
    """The held-out part is printed by `python -m skills.labelled`; a bound on it here would be one to tune to."""
    tuned = measure((one for one in read_labelled(FOLDER) if not one.held_out), list(OURS.values()), scene_of)
    assert (tuned.count, tuned.scenes, tuned.skills, tuned.wrong) == (33, 33, 33, ())


def test_what_it_does_not_recognise_it_does_not_claim() -> None:
    """On words it has never seen it gives the fallback far more often than a wrong scene."""
    held_out = [one for one in read_labelled(FOLDER) if one.held_out]
    verdicts = [(scene_of(one.transcript), one.scene) for one in held_out]
    claimed = [found != right for (found, sure), right in verdicts if found != OTHER and sure >= SURE]
    assert sum(claimed) <= len(held_out) // 5


def test_the_figures_are_printed_apart(capsys: pytest.CaptureFixture[str]) -> None:
    main([str(FOLDER)])
    tuned, held_out = capsys.readouterr().out.splitlines()
    assert tuned == "tuned: scene 33/33, first skill 33/33"
    assert held_out.startswith("held out: scene ")
    assert "/17" in held_out


def test_what_is_wrong_is_counted_and_named() -> None:
    examples = read_labelled(FOLDER)[:3]
    figures = measure(examples, list(OURS.values()), lambda transcript: ("family", 0.9))
    assert (figures.count, figures.scenes, figures.skills, len(figures.wrong)) == (3, 0, 0, 3)
    assert "01-launch-slips (family 0.9)" in str(figures)
