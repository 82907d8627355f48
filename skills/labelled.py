"""How well scenes and skills are found on labelled transcripts: `python -m skills.labelled FOLDER` (offline rules).

A transcript is JSON: title, language, scene, skill (the one that should come first), held_out, and dialogues, each with
speaker, start, end (seconds) and text. What is held out was not looked at when the rules were made.
"""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from providers.offline.strategy.scene import scene_of
from skills.catalog import SKILLS, load_all
from skills.document import Skill
from skills.match import match
from skills.scenes import Verdict


@dataclass(frozen=True)
class Labelled:
    """A transcript with what it is."""

    name: str
    scene: str
    skill: str
    held_out: bool
    transcript: str


@dataclass(frozen=True)
class Figures:
    """How many there are, of how many the scene and the first skill are right, and which scenes are wrong."""

    count: int
    scenes: int
    skills: int
    wrong: tuple[str, ...]

    def __str__(self) -> str:
        wrong = f"; wrong: {', '.join(self.wrong)}" if self.wrong else ""
        return f"scene {self.scenes}/{self.count}, first skill {self.skills}/{self.count}{wrong}"


def read_labelled(folder: Path) -> list[Labelled]:
    """Read all labelled transcripts of a folder. Blocking."""
    return [_labelled(path) for path in sorted(folder.glob("*.json"))]


def measure(
    examples: Iterable[Labelled], skills: Sequence[Skill], classify: Callable[[str], tuple[str, float]]
) -> Figures:
    """Classify each transcript, match skills, and count what is as labelled."""
    count = right = first = 0
    wrong = []
    for example in examples:
        verdict = Verdict(*classify(example.transcript))
        chosen = match(skills, verdict, example.transcript)
        count += 1
        first += bool(chosen) and chosen[0].id == example.skill
        if verdict.category == example.scene:
            right += 1
        else:
            wrong.append(f"{example.name} ({verdict.category} {verdict.confidence})")
    return Figures(count, right, first, tuple(wrong))


def main(arguments: Sequence[str]) -> None:
    """Print the figures of the offline rule, apart for what is held out."""
    examples = read_labelled(Path(arguments[0]))
    skills = list(load_all(SKILLS).skills.values())
    for name, held_out in (("tuned", False), ("held out", True)):
        figures = measure((one for one in examples if one.held_out is held_out), skills, scene_of)
        sys.stdout.write(f"{name}: {figures}\n")


def _labelled(path: Path) -> Labelled:
    read = json.loads(path.read_text(encoding="utf-8"))
    lines = [f"{said['speaker']}: {said['text']}" for said in read["dialogues"]]
    return Labelled(path.stem, read["scene"], read["skill"], read["held_out"], "\n".join(lines))


if __name__ == "__main__":
    main(sys.argv[1:])
