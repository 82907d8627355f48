"""The whitelist's import: people first, then who assists whom, since an assistant may come later in the file (G64)."""

from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from server.counseling import import_repository as repository
from server.counseling.whitelist import TEMPLATES, Listed, Problem, Whitelist


@dataclass
class Imported:
    """What came of an import; the counts are of what was written, the problems of lines, in their order."""

    added: int = 0
    updated: int = 0
    instances: int = 0
    bindings: int = 0
    problems: list[Problem] = field(default_factory=list)


async def write(session: AsyncSession, listed: Whitelist, at: datetime, seed: int | None = None) -> Imported:
    """Write the good rows in one transaction of the system role; the same file again changes nothing (E076–E081).

    Args:
        session: the transaction.
        listed: what was read.
        at: now.
        seed: of the choice of visitors for students whose row names none.
    """
    done = Imported(problems=list(listed.problems))
    # Of no secret: it shares visitors out.
    chance = Random(seed)  # noqa: S311
    students: list[tuple[Listed, UUID]] = []
    for person in listed.people:
        if person.user_id is not None:
            holder = await repository.number_holder(session, person.user_id)
            if holder is not None and holder != person.email:
                done.problems.append(Problem(person.line, f"userId {person.user_id} is another person's"))
                continue
        user_id = await _add(session, person, at, chance, done)
        if person.role == "student":
            students.append((person, user_id))
    for person, student_id in students:
        await _bind(session, person, student_id, at, done)
    done.problems.sort(key=lambda problem: problem.line)
    return done


async def _add(session: AsyncSession, person: Listed, at: datetime, chance: Random, done: Imported) -> UUID:
    # Drawn for every student, so that a seed gives each line the same visitor whoever is there already.
    drawn = chance.choice(TEMPLATES) if person.role == "student" else None
    await repository.list_person(session, person, at)
    user_id, is_new = await repository.save_user(session, person, at)
    done.added += is_new
    done.updated += not is_new
    if drawn is not None and not await repository.has_instance(session, user_id):
        await repository.make_instance(session, user_id, person.email, person.assigned_visitor or drawn, at)
        done.instances += 1
    return user_id


async def _bind(session: AsyncSession, person: Listed, student_id: UUID, at: datetime, done: Imported) -> None:
    if person.assigned_tech_asst is None:
        return
    assistant_id = await repository.assistant(session, person.assigned_tech_asst)
    if assistant_id is None:
        done.problems.append(Problem(person.line, "assignedTechAsst is no technical assistant; the student was kept"))
        return
    done.bindings += await repository.bind(session, student_id, assistant_id, at)
