"""A directory of skills: all, one, changed, new (A005, A035–A038, G04, W06)."""

from pathlib import Path

import pytest

from skills import check
from skills.catalog import (
    SKILLS,
    DirectoryNotWritable,
    SkillExists,
    SkillUnknown,
    create,
    load_all,
    load_one,
    read_reference,
    wanted_references,
    with_overrides,
)
from skills.document import SkillError
from skills.scenes import SCENES
from tests.skills.making import put, text

NEW = {"description": "新教练", "category": "social", "prompt_template": "# 新\n\n先接话。"}


def test_a_broken_skill_is_skipped_with_its_reason_and_the_others_load(tmp_path: Path) -> None:
    put(tmp_path, "good")
    put(tmp_path, "bad", "no front matter")
    put(tmp_path, "lost", text("lost", body="见 references/gone.md"))
    put(tmp_path, "Loud", text("Loud"))
    (tmp_path / "binary").mkdir()
    (tmp_path / "binary" / "SKILL.md").write_bytes(b"---\n\xff\xfe")
    (tmp_path / "folder" / "SKILL.md").mkdir(parents=True)
    (tmp_path / "notes").mkdir()
    put(tmp_path, ".new-x")
    loaded = load_all(tmp_path)
    assert list(loaded.skills) == ["good"]
    assert {name: reason.partition(" ")[0] for name, reason in loaded.broken.items()} == {
        "Loud": "the",
        "bad": "it",
        "binary": "SKILL.md",
        "folder": "SKILL.md",
        "lost": "references/gone.md",
    }


def test_overrides_survive_loading_and_reload_drops_them(tmp_path: Path) -> None:
    put(tmp_path, "s", text("s", priority='"1"'))
    changed = with_overrides(load_one(tmp_path, "s"), {"enabled": False, "priority": 9})
    changed = with_overrides(changed, {"prompt_template": "另一种说法", "keywords": ["老板"], "priority": "8"})
    kept = changed.overrides
    assert kept == {"enabled": False, "priority": 8, "prompt_template": "另一种说法", "keywords": ["老板"]}
    assert load_all(tmp_path, {"s": kept}).skills["s"] == changed
    assert (changed.enabled, changed.priority, changed.body, changed.keywords) == (False, 8, "另一种说法", ("老板",))
    put(tmp_path, "t")
    (tmp_path / "s" / "SKILL.md").write_text(text("s", priority='"3"'), encoding="utf-8")
    assert load_all(tmp_path, {"s": kept}).skills["s"].priority == 8
    again = load_one(tmp_path, "s")
    assert (again.priority, again.enabled, dict(again.overrides)) == (3, True, {})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"skill_path": "/etc"}, "cannot be changed"),
        ({"id": "x"}, "cannot be changed"),
        ({"priority": None}, "priority"),
        ({"category": "kitchen"}, "category"),
        ({"enabled": 1}, "enabled"),
        ({"prompt_template": " "}, "the body"),
    ],
)
def test_a_change_that_is_none(tmp_path: Path, changes: dict[str, object], reason: str) -> None:
    put(tmp_path, "s")
    with pytest.raises(SkillError, match=reason):
        with_overrides(load_one(tmp_path, "s"), changes)
    assert list(load_all(tmp_path, {"s": changes}).broken) == ["s"]


@pytest.mark.parametrize("name", ["nobody", "../s", "S", "", ".", "s/"])
def test_one_that_is_not_there(tmp_path: Path, name: str) -> None:
    put(tmp_path, "s")
    with pytest.raises(SkillUnknown):
        load_one(tmp_path, name)


def test_a_new_skill_is_written_and_loaded(tmp_path: Path) -> None:
    made = create(tmp_path, "small-talk", {**NEW, "priority": 4, "keywords": "聚会, 寒暄", "enabled": False})
    assert made == load_all(tmp_path).skills["small-talk"]
    assert (made.description, made.body, made.priority, made.enabled) == ("新教练", "# 新\n\n先接话。", 4, False)
    assert [path.name for path in tmp_path.iterdir()] == ["small-talk"]
    with pytest.raises(SkillExists):
        create(tmp_path, "small-talk", NEW)


@pytest.mark.parametrize("name", ["../out", "a/b", "A", "a--b", "a" * 65, ".hidden", ""])
def test_no_path_comes_from_a_client(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "skills"
    inside.mkdir()
    with pytest.raises(SkillError, match="lower case letters"):
        create(inside, name, NEW)
    assert list(tmp_path.rglob("*.md")) == []


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"description": "d", "category": "social"}, "prompt_template is missing"),
        ({**NEW, "skill_path": "/etc/x"}, "no field 'skill_path'"),
        ({**NEW, "category": "x"}, "category"),
        ({**NEW, "prompt_template": "见 references/secret.md"}, "cannot name references"),
        ({**NEW, "description": "x" * 1025}, "description has"),
    ],
)
def test_a_new_skill_that_is_none(tmp_path: Path, values: dict[str, object], reason: str) -> None:
    with pytest.raises(SkillError, match=reason):
        create(tmp_path, "s", values)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    # Root may write into read-only directories; nobody can make one below a file.
    (tmp_path / "file").write_text("")
    with pytest.raises(DirectoryNotWritable):
        create(tmp_path / "file", "s", NEW)


def test_a_reference_is_loaded_when_it_is_wanted(tmp_path: Path) -> None:
    body = "- [坏消息](references/bad.md)：出现“延期”“Delay”时\n- [其他](references/other.md)：出现“住院”时"
    put(tmp_path, "s", text("s", body=body))
    (tmp_path / "s" / "references").mkdir()
    for name in ("bad", "other", "unnamed"):
        (tmp_path / "s" / "references" / f"{name}.md").write_text(name)
    one = load_one(tmp_path, "s")
    assert wanted_references(one, "there is a delay") == ["references/bad.md"]
    assert wanted_references(one, "住院了，要延期") == ["references/bad.md", "references/other.md"]
    assert wanted_references(one, "没什么") == []
    assert read_reference(tmp_path, one, "references/bad.md") == "bad"
    for name in ("references/unnamed.md", "../s/SKILL.md", "/etc/passwd"):
        with pytest.raises(SkillError, match="no reference"):
            read_reference(tmp_path, one, name)


def test_links_out_of_the_folder_and_huge_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("secret")
    skills = tmp_path / "skills"
    skills.mkdir()
    put(skills, "s", text("s", body="见 references/a.md"))
    (skills / "s" / "references").mkdir()
    (skills / "s" / "references" / "a.md").symlink_to(tmp_path / "secret.md")
    put(skills, "huge", text("huge", body="x" * 300_000))
    broken = load_all(skills).broken
    assert broken["s"] == "references/a.md must be a file in the folder of its skill"
    assert "bytes" in broken["huge"]


class TestOurs:
    def test_all_are_in_order_and_every_scene_has_one(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert check.main([]) == 0
        assert "9 skills are in order" in capsys.readouterr().out
        assert list(check.missing(SKILLS)) == []
        assert {one.category for one in load_all(SKILLS).skills.values()} == set(SCENES)

    @pytest.mark.parametrize("skill_id", sorted(load_all(SKILLS).skills))
    def test_each_is_a_piece_of_coaching(self, skill_id: str) -> None:
        one = load_one(SKILLS, skill_id)
        lines = (SKILLS / skill_id / "SKILL.md").read_text(encoding="utf-8").splitlines()
        assert 80 <= len(lines) <= 200
        for heading in ("先看什么", "看懂局面的模型", "换一种说法", "不要这样", "用在逐字稿里的人身上", "输出", "界限"):
            assert f"## {heading}" in one.body
        assert one.body.count("——") >= 8, "worked phrases with their reasons"
        on_disk = {f"references/{path.name}" for path in (SKILLS / skill_id).glob("references/*")}
        assert on_disk == set(one.references)
        assert all(wanted_references(one, line) for line in one.body.splitlines() if "](references/" in line)


class TestCommand:
    def test_it_names_file_and_reason(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        put(tmp_path, "good")
        put(tmp_path, "bad", text("worse"))
        (tmp_path / "small").mkdir()
        (tmp_path / "small" / "skill.md").write_text(text("small"))
        assert check.main([str(tmp_path)]) == 1
        told = capsys.readouterr().err
        assert f"{tmp_path / 'bad' / 'SKILL.md'}: name must be that of its folder, 'bad'" in told
        assert "the file must be named SKILL.md" in told
        assert "good" not in told

    def test_a_directory_that_is_none(self, tmp_path: Path) -> None:
        assert check.main([str(tmp_path / "none")]) == 1

    def test_ours_without_a_scene(self, tmp_path: Path) -> None:
        put(tmp_path, "good")
        told = list(check.missing(tmp_path))
        assert len(told) == len(SCENES) - 1 + 1
