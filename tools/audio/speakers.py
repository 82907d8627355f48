"""One name for one person: models number speakers anew in each part of a recording."""

from collections import Counter
from dataclasses import replace

from tools.audio.words import Word


def renamed(first: list[Word], second: list[Word], pairs: list[tuple[int, int]]) -> list[Word]:
    """Return the second part's words with the first one's names, by who said the words at `pairs` of places.

    A name of the second part that said none of them keeps itself, unless it now belongs to somebody else; then it gets
    the first name that is left of the first part's, or a new one.
    """
    votes = Counter((second[theirs].speaker, first[ours].speaker) for ours, theirs in pairs)
    names: dict[str, str] = {}
    for (theirs, ours), _count in votes.most_common():
        if theirs not in names and ours not in names.values():
            names[theirs] = ours
    known = list(dict.fromkeys(word.speaker for word in first))
    others = [name for name in dict.fromkeys(word.speaker for word in second) if name not in names]
    for name in sorted(others, key=lambda name: name in names.values()):
        names[name] = _free(name, known, names)
    return [replace(word, speaker=names[word.speaker]) for word in second]


def _free(name: str, known: list[str], names: dict[str, str]) -> str:
    taken = set(names.values())
    if name not in taken:
        return name
    left = next((ours for ours in known if ours not in taken), None)
    if left is not None:
        return left
    number = 2
    while f"{name} {number}" in taken | set(names):
        number += 1
    return f"{name} {number}"
