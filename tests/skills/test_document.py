"""One SKILL.md: the open format's rules and ours (G03, G04)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skills.document import LONGEST_BODY, SkillError, parse, render
from tests.skills.making import BODY, skill, text


def test_a_file_is_read() -> None:
    read = parse(
        "calm-talk",
        text(
            "calm-talk",
            body="看[这里](references/more.md)，再看 references/more.md。",
            extra="license: MIT\n",
            title="平静地说",
            priority='"7"',
            enabled='"false"',
            version="2.1",
            keywords='"老板, Boss，加班、boss"',
        ),
    )
    assert (read.id, read.name, read.title, read.license) == ("calm-talk", "calm-talk", "平静地说", "MIT")
    assert (read.category, read.priority, read.enabled, read.version) == ("workplace", 7, False, "2.1")
    assert read.keywords == ("老板", "boss", "加班")
    assert read.references == ("references/more.md",)


def test_what_is_not_given_has_a_value() -> None:
    read = parse("s", "\ufeff" + text("s").replace("\n", "\r\n"))
    assert (read.title, read.priority, read.enabled, read.version, read.keywords) == ("s", 0, True, "1.0", ())
    assert read.body == BODY


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "front matter"),
        ("# 没有开头", "front matter"),
        ("---\nname: s\n", "front matter"),
        ("---\nname: [\n---\nx", "not YAML in line"),
        ("---\n- name\n---\nx", "must be a map"),
        ("---\n1: x\n---\nx", "must be a map"),
        (text("other"), "that of its folder, 's'"),
        (text("s", description='""'), "description must be a text"),
        (text("s", description="长" * 1025), "description has 1025 characters, 1024 are allowed"),
        (text("s", description="[1, 2]"), "description must be a text"),
        (text("s", body=""), "the body must be a text"),
        (text("s", body="字" * (LONGEST_BODY + 1)), "the body has"),
        (text("s", extra="priority: 3\n"), "unknown field 'priority'"),
        (text("s", extra="compatibility: " + "x" * 501 + "\n"), "compatibility has 501"),
        (text("s", extra="allowed-tools: [a]\n"), "allowed-tools must be a text"),
        (text("s", category="kitchen"), "category must be one of workplace"),
        (text("s", priority="often"), "priority must be a whole number"),
        (text("s", priority="true"), "priority must be a whole number"),
        (text("s", priority="99999"), "priority must be a whole number"),
        (text("s", enabled="perhaps"), "enabled must be true or false"),
        (text("s", keywords="[a, [b]]"), "keywords must be texts"),
        ("---\nname: s\ndescription: d\nmetadata: x\n---\nbody", "metadata must be a map"),
        ("---\nname: s\ndescription: d\n---\nbody", "metadata.category"),
    ],
)
def test_what_is_wrong_is_said(content: str, reason: str) -> None:
    with pytest.raises(SkillError, match=reason.replace("[", r"\[")):
        parse("s", content)


@pytest.mark.parametrize("name", ["A", "a--b", "-a", "a-", "a_b", "a/b", "..", "a\n", "教练", "", "a" * 65])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(SkillError, match="lower case letters"):
        parse(name, text("s"))


@given(
    st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=50).filter(str.strip),
    st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n-"), min_size=1).filter(str.strip),
    st.integers(-1000, 1000),
    st.booleans(),
)
def test_what_is_written_is_read_again(words: str, body: str, priority: int, enabled: bool) -> None:  # noqa: FBT001
    made = skill(
        "s", description=words.strip(), body=body.strip(), priority=priority, enabled=enabled, keywords=("老板",)
    )
    assert parse("s", render(made)).body == made.body
    read = parse("s", render(made))
    assert (read.description, read.priority, read.enabled, read.keywords) == (
        made.description,
        priority,
        enabled,
        ("老板",),
    )
