"""The skills as they are used: files, with what administrators changed since kept in the table (A005, G03, G04)."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import Conflict, InvalidInput, NotFound
from core.settings import Settings
from core.tasks import end
from db.database import Database
from db.models.skills import SkillRow
from server.audio.repository import skills as repository
from server.audio.skill_rows import as_row, as_skill, broken, load, overridden
from skills import catalog
from skills.catalog import DirectoryNotWritable, SkillExists, SkillUnknown
from skills.document import Skill, SkillError

log = structlog.get_logger(__name__)

_GONE: Final = "its file is gone"


class Shelf:
    """Reads skills from the table, and keeps the table in step with a directory of files.

    The table is what all processes share: a change is there for the next strategy anywhere. Only references are read
    from each machine's own files.

    Args:
        database: for reading.
        system: the system role's, for writing.
        directory: where the files are.
    """

    def __init__(self, database: Database, system: Database, directory: Path) -> None:
        self._database = database
        self._system = system
        self._directory = directory
        self._loading: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, settings: Settings, database: Database, system: Database) -> "Shelf":
        """Return the shelf of the directory that the settings name."""
        return cls(database, system, settings.skills_dir or catalog.SKILLS)

    def start(self) -> None:
        """Begin to bring the table in step with the files, in a task of its own."""
        self._loading = asyncio.create_task(self._load_at_start(), name="skills")

    async def stop(self) -> None:
        """Stop where it is."""
        await end(self._loading)
        self._loading = None

    async def ready(self) -> None:
        """Wait until the files of the start are in the table."""
        if self._loading is not None:
            await asyncio.shield(self._loading)

    async def skills(self) -> list[Skill]:
        """Return all skills that can be used, switched off ones too."""
        return [as_skill(row) for row in await self.rows() if row.problem is None]

    async def reference(self, skill: Skill, reference: str) -> str:
        """Return one of the files that a skill's prompt names.

        Raises:
            SkillError: it is none of them, or is not there.
        """
        return await asyncio.to_thread(catalog.read_reference, self._directory, skill, reference)

    async def rows(self) -> list[SkillRow]:
        """Return all skills, those with a problem too."""
        await self.ready()
        async with self._database.transaction() as session:
            return list(await repository.all_of_them(session))

    async def row(self, skill_id: str) -> SkillRow:
        """Return one skill.

        Raises:
            NotFound: there is none.
        """
        await self.ready()
        async with self._database.transaction() as session:
            return await _found(session, skill_id)

    async def load(self) -> None:
        """Bring the table in step with the files; what was changed since stays on top (G04).

        A directory that is not there says nothing of the files: it may be mounted later, or be named wrongly.
        """
        if not await asyncio.to_thread(self._directory.is_dir):
            log.warning("skills_directory_missing", directory=str(self._directory))
            return
        loaded = await asyncio.to_thread(load, self._directory)
        for folder, problem in loaded.broken.items():
            log.warning("skill_skipped", skill_id=folder, problem=problem)
        async with self._system.transaction() as session:
            await repository.lock(session)
            known = {row.skill_id: row for row in await repository.all_of_them(session)}
            rows = [overridden(skill, known.get(skill.id)) for skill in loaded.skills.values()]
            rows += [broken(folder, problem, known.get(folder)) for folder, problem in loaded.broken.items()]
            await repository.write(session, rows)
            await repository.retire(session, [row["skill_id"] for row in rows], _GONE)

    async def create(self, skill_id: str, values: Mapping[str, Any]) -> SkillRow:
        """Write a new skill's file, and take it in (A036).

        Raises:
            Conflict: the id is taken, or the directory cannot be written to.
            InvalidInput: the id or a value is wrong.
        """
        async with self._changing() as session:
            try:
                skill = await asyncio.to_thread(catalog.create, self._directory, skill_id, values)
            except (SkillExists, DirectoryNotWritable) as error:
                raise Conflict(f"无法新建技能：{error}", code="SKILL_NOT_CREATED") from None
            except SkillError as error:
                raise InvalidInput(f"参数错误：{error}") from None
            return await _written(session, skill)

    async def change(self, skill_id: str, changes: Mapping[str, Any]) -> SkillRow:
        """Change a skill beside its file: the changes survive a restart, until it is reloaded (A037, G04).

        Raises:
            NotFound: there is no such skill.
            Conflict: it is broken, and there is nothing to change.
            InvalidInput: a value is wrong.
        """
        async with self._changing() as session:
            row = await _found(session, skill_id)
            if row.problem is not None:
                raise Conflict(f"技能不可用：{row.problem}", code="SKILL_BROKEN")
            try:
                skill = catalog.with_overrides(as_skill(row), changes)
            except SkillError as error:
                raise InvalidInput(f"参数错误：{error}") from None
            return await _written(session, skill)

    async def reload(self, skill_id: str) -> SkillRow:
        """Read a skill's file again, and drop what was changed beside it (A038, G04).

        Raises:
            NotFound: there is no such file.
            Conflict: it is broken; the skill stays as it is.
        """
        async with self._changing() as session:
            try:
                skill = await asyncio.to_thread(catalog.load_one, self._directory, skill_id)
            except SkillUnknown:
                raise no_such_skill() from None
            except SkillError as error:
                raise Conflict(f"技能文件有误：{error}", code="SKILL_BROKEN") from None
            return await _written(session, skill)

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[AsyncSession]:
        await self.ready()
        async with self._system.transaction() as session:
            await repository.lock(session)
            yield session

    async def _load_at_start(self) -> None:
        try:
            await self.load()
        except Exception:
            # The table serves as it was; whoever reloads a skill sees the cause.
            log.exception("skills_not_loaded")


async def _written(session: AsyncSession, skill: Skill) -> SkillRow:
    await repository.write(session, [as_row(skill)])
    return await _found(session, skill.id)


async def _found(session: AsyncSession, skill_id: str) -> SkillRow:
    found = await repository.find(session, skill_id)
    if found is None:
        raise no_such_skill()
    return found


def no_such_skill() -> NotFound:
    """Return the error for a skill that does not exist."""
    return NotFound("技能不存在")
