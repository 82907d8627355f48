"""`/api/v1/skills`: files and what administrators change beside them (A034–A038, A054, G03, G04, W06, K23)."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.kit.app import Service, running_service
from tests.kit.cases import together
from tests.kit.model_server import ModelServer
from tests.server.audio.conftest import Owner, data_of, environment, refusal, rows

SKILLS = "/api/v1/skills"
BODY = "# 先听\n\n先复述对方的话，再说自己的想法。"
NEW = {
    "skill_id": "first-date",
    "name": "第一次约会",
    "description": "第一次见面时怎样说话。",
    "category": "intimate",
    "prompt_template": BODY,
    "keywords": ["约会", "见面"],
}


def write(directory: Path, skill_id: str, *, description: str = "同事之间怎样说话。", **metadata: str) -> Path:
    (directory / skill_id).mkdir(parents=True, exist_ok=True)
    lines = "".join(f"  {key}: {json.dumps(value)}\n" for key, value in ({"category": "workplace"} | metadata).items())
    path = directory / skill_id / "SKILL.md"
    path.write_text(f"---\nname: {skill_id}\ndescription: {description}\nmetadata:\n{lines}---\n\n{BODY}\n")
    return path


def block(directory: Path) -> None:
    directory.rename(directory.with_name("elsewhere"))
    directory.write_text("no directory")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    directory = tmp_path / "skills"
    write(directory, "workplace-a", title="向上沟通", priority="10")
    write(directory, "workplace-b", title="平级协作", priority="5", enabled="false")
    return directory


@pytest.fixture
async def service(database_url: str, tmp_path: Path, scripted: ModelServer, directory: Path) -> AsyncIterator[Service]:
    settings = environment(scripted, SKILLS_DIR=str(directory))
    async with running_service(database_url, tmp_path / "data", settings) as service:
        yield service


@pytest.fixture
async def admin(service: Service) -> httpx.AsyncClient:
    return await service.as_user(is_admin=True)


async def ids(client: httpx.AsyncClient, **params: Any) -> list[str]:
    return [one["skill_id"] for one in data_of(await client.get(SKILLS, params=params))["skills"]]


class TestReading:
    async def test_all_skills_are_there_from_the_start(self, owner: Owner, service: Service) -> None:
        assert await ids(owner.client) == ["workplace-a", "workplace-b"]
        assert await ids(owner.client, enabled="true") == ["workplace-a"]
        assert await ids(owner.client, enabled="false") == ["workplace-b"]
        found = data_of(await owner.client.get(f"{SKILLS}/workplace-a"))
        assert (found["name"], found["priority"], found["prompt_template"]) == ("向上沟通", 10, BODY)
        assert (found["skill_path"], found["overrides"]) == ("workplace-a/SKILL.md", {})
        stored = await rows(service, "SELECT skill_id, enabled FROM audio.skills ORDER BY 1")
        assert stored == [
            {"skill_id": "workplace-a", "enabled": True},
            {"skill_id": "workplace-b", "enabled": False},
        ]

    async def test_our_own_skills_serve_where_no_directory_is_set(
        self, database_url: str, tmp_path: Path, scripted: ModelServer
    ) -> None:
        async with running_service(database_url, tmp_path / "data", environment(scripted, SKILLS_DIR="")) as service:
            found = await ids(await service.as_user())
        assert "general-communication" in found
        assert len(found) >= 8

    @together("path", ["nobody", "..%2F..%2Fetc", "Workplace-A", "%00", "a" * 300, "a%00b", "a%00b/executions"])
    async def test_what_is_no_skill_is_not_found(self, owner: Owner, path: str) -> None:
        assert refusal(await owner.client.get(f"{SKILLS}/{path}")) == 404

    @together("path", ["", "/workplace-a", "/workplace-a/executions"])
    async def test_nobody_reads_without_a_login(self, service: Service, path: str) -> None:
        assert refusal(await service.client.get(f"{SKILLS}{path}")) == 401

    @pytest.mark.parametrize("query", ["enabled=perhaps", "enabled="])
    async def test_a_filter_that_is_none_is_refused(self, owner: Owner, query: str) -> None:
        assert refusal(await owner.client.get(f"{SKILLS}?{query}")) == 422


class TestChanging:
    @together(
        ("method", "path", "body"),
        [("POST", "", NEW), ("PUT", "/workplace-a", {"enabled": False}), ("POST", "/workplace-a/reload", None)],
    )
    async def test_only_administrators_may(
        self, service: Service, owner: Owner, method: str, path: str, body: dict[str, Any] | None
    ) -> None:
        assert refusal(await owner.client.request(method, f"{SKILLS}{path}", json=body)) == 403
        assert refusal(await service.client.request(method, f"{SKILLS}{path}", json=body)) == 401
        assert await ids(owner.client, enabled="true") == ["workplace-a"]

    async def test_a_change_survives_a_restart_until_a_reload_drops_it(
        self, service: Service, admin: httpx.AsyncClient, directory: Path
    ) -> None:
        changed = data_of(await admin.put(f"{SKILLS}/workplace-a", json={"priority": 99, "name": "换个名字"}))
        assert (changed["priority"], changed["name"], changed["version"]) == (99, "换个名字", "1.0")
        assert changed["overrides"] == {"priority": 99, "title": "换个名字"}

        write(directory, "workplace-a", title="向上沟通", priority="10", version="2.0")
        await service.runtime.shelf.load()  # as a start does

        started = data_of(await admin.get(f"{SKILLS}/workplace-a"))
        assert (started["priority"], started["name"], started["version"]) == (99, "换个名字", "2.0")

        reloaded = data_of(await admin.post(f"{SKILLS}/workplace-a/reload"))
        assert (reloaded["priority"], reloaded["name"], reloaded["version"]) == (10, "向上沟通", "2.0")
        assert reloaded["overrides"] == {}

    async def test_a_change_is_there_for_the_next_strategy(self, service: Service, admin: httpx.AsyncClient) -> None:
        data_of(await admin.put(f"{SKILLS}/workplace-b", json={"enabled": True, "prompt_template": "# 新的提示"}))
        used = {skill.id: skill for skill in await service.runtime.shelf.skills()}
        assert used["workplace-b"].enabled
        assert used["workplace-b"].body == "# 新的提示"

    @together(
        ("body", "status"),
        [
            ({"priority": "high"}, 422),
            ({"priority": 10**9}, 422),
            ({"enabled": "yes"}, 422),
            ({"skill_path": "/etc/passwd"}, 422),
            ({"prompt_template": "x" * 40_001}, 422),
            ({"name": "a\u0000b"}, 422),
            ({"category": "cooking"}, 400),
        ],
    )
    async def test_a_wrong_value_changes_nothing(
        self, admin: httpx.AsyncClient, body: dict[str, Any], status: int
    ) -> None:
        before = data_of(await admin.get(f"{SKILLS}/workplace-a"))
        assert refusal(await admin.put(f"{SKILLS}/workplace-a", json=body)) == status
        assert data_of(await admin.get(f"{SKILLS}/workplace-a")) == before

    @pytest.mark.parametrize(("method", "rest"), [("PUT", ""), ("POST", "/reload")])
    async def test_what_is_not_there_cannot_be_changed(self, admin: httpx.AsyncClient, method: str, rest: str) -> None:
        for skill_id in ("nobody", "a%00b"):
            assert refusal(await admin.request(method, f"{SKILLS}/{skill_id}{rest}", json={})) == 404


class TestCreating:
    async def test_a_new_skill_is_a_file_and_can_be_used(
        self, service: Service, admin: httpx.AsyncClient, directory: Path
    ) -> None:
        made = data_of(await admin.post(SKILLS, json=NEW))
        assert (made["skill_id"], made["skill_path"]) == ("first-date", "first-date/SKILL.md")
        assert made["keywords"] == ["约会", "见面"]
        assert BODY in (directory / "first-date" / "SKILL.md").read_text()
        assert "first-date" in [skill.id for skill in await service.runtime.shelf.skills()]
        assert refusal(await admin.post(SKILLS, json=NEW)) == 409

    @together("skill_id", ["../evil", "Up", "a--b", "a/b", "a" * 65, "", "."])
    async def test_an_id_that_is_no_folder_makes_none(
        self, admin: httpx.AsyncClient, directory: Path, skill_id: str
    ) -> None:
        before = sorted(directory.parent.rglob("*"))
        assert refusal(await admin.post(SKILLS, json=NEW | {"skill_id": skill_id})) in (400, 422)
        assert sorted(directory.parent.rglob("*")) == before

    async def test_a_file_where_the_directory_should_be_is_a_conflict(
        self, admin: httpx.AsyncClient, directory: Path
    ) -> None:
        block(directory)
        assert refusal(await admin.post(SKILLS, json=NEW)) == 409
        assert "first-date" not in await ids(admin)


class TestBroken:
    async def test_a_broken_skill_is_skipped_with_its_reason(
        self, service: Service, owner: Owner, admin: httpx.AsyncClient, directory: Path
    ) -> None:
        (directory / "half-done").mkdir()
        (directory / "half-done" / "SKILL.md").write_text("no front matter")
        (directory / "workplace-b" / "SKILL.md").write_text("---\nname: other\n---\n")
        await service.runtime.shelf.load()

        assert await ids(owner.client) == ["workplace-a"]
        assert refusal(await owner.client.get(f"{SKILLS}/half-done")) == 404
        shown = {one["skill_id"]: one["problem"] for one in data_of(await admin.get(SKILLS))["skills"]}
        assert "front matter" in shown["half-done"]
        assert shown["workplace-b"]
        assert shown["workplace-a"] is None
        assert refusal(await admin.put(f"{SKILLS}/half-done", json={"enabled": True})) == 409
        assert refusal(await admin.post(f"{SKILLS}/half-done/reload")) == 409
        assert [skill.id for skill in await service.runtime.shelf.skills()] == ["workplace-a"]

        write(directory, "half-done")
        data_of(await admin.post(f"{SKILLS}/half-done/reload"))
        assert "half-done" in await ids(owner.client)

    async def test_a_skill_whose_file_is_gone_is_not_used(
        self, service: Service, owner: Owner, admin: httpx.AsyncClient, directory: Path
    ) -> None:
        data_of(await admin.put(f"{SKILLS}/workplace-a", json={"priority": 7}))
        path = directory / "workplace-a" / "SKILL.md"
        text = path.read_text()
        path.unlink()
        await service.runtime.shelf.load()
        assert await ids(owner.client) == ["workplace-b"]
        assert refusal(await admin.post(f"{SKILLS}/workplace-a/reload")) == 404
        path.write_text(text)
        await service.runtime.shelf.load()
        assert data_of(await owner.client.get(f"{SKILLS}/workplace-a"))["priority"] == 7

    async def test_a_directory_that_is_not_there_changes_nothing(
        self, service: Service, owner: Owner, directory: Path, log: io.StringIO
    ) -> None:
        await asyncio.to_thread(directory.rename, directory.with_name("elsewhere"))
        await service.runtime.shelf.load()
        assert await ids(owner.client) == ["workplace-a", "workplace-b"]
        assert "skills_directory_missing" in log.getvalue()


class TestExecutions:
    @pytest.fixture
    def ran(self, service: Service) -> Callable[..., Any]:
        async def add(session_id: str, *, success: bool = True, milliseconds: int = 100, days_ago: int = 0) -> None:
            await rows(
                service,
                "INSERT INTO audio.skill_executions (session_id, user_id, strategy_id, skill_id, scene_category,"
                " confidence_score, execution_time_ms, success, error_message, created_at)"
                " SELECT id, user_id, :strategy_id, 'workplace-a', 'workplace', 0.9, :ms, :success, :error,"
                " now() - make_interval(days => :days) FROM audio.sessions WHERE id = :session_id RETURNING id",
                strategy_id=uuid4(),
                session_id=session_id,
                ms=milliseconds,
                success=success,
                error=None if success else "模型暂时不可用",
                days=days_ago,
            )

        return add

    async def test_own_ones_are_counted_and_everybodys_for_administrators(
        self, owner: Owner, other: Owner, admin: httpx.AsyncClient, ran: Callable[..., Any]
    ) -> None:
        mine, theirs = await owner.uploaded(), await other.uploaded()
        for milliseconds in (100, 200, 300):
            await ran(mine, milliseconds=milliseconds)
        await ran(theirs, success=False, milliseconds=1000)
        await ran(mine, days_ago=40)

        own = data_of(await owner.client.get(f"{SKILLS}/workplace-a/executions"))
        assert (own["scope"], own["executions"], own["successes"], own["success_rate"]) == ("own", 3, 3, 1.0)
        assert (own["p50_ms"], own["recent_failures"]) == (200, [])
        assert own["mean_confidence"] == pytest.approx(0.9)
        longer = data_of(await owner.client.get(f"{SKILLS}/workplace-a/executions?days=60"))
        assert longer["executions"] == 4
        everybodys = data_of(await admin.get(f"{SKILLS}/workplace-a/executions"))
        assert (everybodys["scope"], everybodys["executions"], everybodys["success_rate"]) == ("all", 4, 0.75)
        assert everybodys["recent_failures"][0]["error_message"] == "模型暂时不可用"
        none = data_of(await owner.client.get(f"{SKILLS}/workplace-b/executions"))
        assert (none["executions"], none["success_rate"], none["p50_ms"], none["last_at"]) == (0, None, None, None)

    @together("days", ["0", "366", "many"])
    async def test_days_that_are_none_are_refused(self, owner: Owner, days: str) -> None:
        assert refusal(await owner.client.get(f"{SKILLS}/workplace-a/executions?days={days}")) == 422

    async def test_no_skill_has_no_executions(self, owner: Owner) -> None:
        assert refusal(await owner.client.get(f"{SKILLS}/nobody/executions")) == 404
