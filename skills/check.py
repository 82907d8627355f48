"""`python -m skills.check [DIRECTORY]`: see that every skill is one, by the rules of the open format and ours.

The format's own `skills-ref` checks the front matter alone and brings a YAML reader of its own; this checks what
Colloquy will read, and that no reference leads nowhere.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from skills.catalog import FILE, SKILLS, load_all
from skills.match import FALLBACK
from skills.scenes import SCENES


def problems(directory: Path) -> Iterator[str]:
    """Give a line for all that is wrong in a directory of skills: the file and the reason."""
    if not directory.is_dir():
        yield f"{directory}: there is no such directory"
        return
    loaded = load_all(directory)
    for folder, reason in loaded.broken.items():
        yield f"{directory / folder / FILE}: {reason}"
    for path in sorted(directory.glob("*/skill.md")):
        # On a file system that tells cases apart it would be passed over in silence.
        if path.parent.name not in {*loaded.skills, *loaded.broken}:
            yield f"{path}: the file must be named {FILE}"


def missing(directory: Path) -> Iterator[str]:
    """Give a line for each scene without a skill, and for a missing fallback."""
    skills = load_all(directory).skills
    covered = {skill.category for skill in skills.values() if skill.enabled}
    for scene in SCENES:
        if scene not in covered:
            yield f"{directory}: no enabled skill has the category {scene}"
    if FALLBACK not in skills:
        yield f"{directory}: the fallback {FALLBACK} is missing"


def main(arguments: Sequence[str]) -> int:
    """Check a directory, or those that come with Colloquy; return the exit code."""
    directory = Path(arguments[0]) if arguments else SKILLS
    found = list(problems(directory))
    if not arguments:
        found += missing(directory)
    for line in found:
        sys.stderr.write(f"{line}\n")
    if not found:
        sys.stdout.write(f"{len(load_all(directory).skills)} skills are in order\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
