"""Skills on disk for tests."""

from pathlib import Path

from skills.document import Skill

BODY = "# 教练\n\n先听，再说。"


def text(name: str, *, description: str = "说话的教练", body: str = BODY, extra: str = "", **metadata: str) -> str:
    given = {"category": "workplace", **metadata}
    lines = "".join(f"  {key}: {value}\n" for key, value in given.items())
    return f"---\nname: {name}\ndescription: {description}\n{extra}metadata:\n{lines}---\n\n{body}\n"


def put(directory: Path, name: str, content: str | None = None) -> Path:
    file = directory / name / "SKILL.md"
    file.parent.mkdir()
    file.write_text(text(name) if content is None else content, encoding="utf-8")
    return file


def skill(skill_id: str, **changes: object) -> Skill:
    values: dict[str, object] = {"category": "workplace", "description": "d", "body": BODY, **changes}
    return Skill(id=skill_id, name=skill_id, title=skill_id, **values)  # type: ignore[arg-type]
