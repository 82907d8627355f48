"""What operators do with counseling at the command line (E076–E084, G64, G66, G68)."""

import asyncio
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from core.settings import Settings
from server.command import load_settings, run

app = typer.Typer()


@app.command("import-whitelist")
def import_whitelist(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="A CSV file; docs/counseling.md has its columns.")
    ],
    seed: Annotated[int | None, typer.Option(help="Of the choice of visitors, to have the same again.")] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
) -> None:
    """Let the people of a list log in, give students visitors and assistants; exit code 1 if a line is bad."""
    run(_import(load_settings(log_level="warning"), file, seed, dry_run=dry_run))


async def _import(settings: Settings, file: Path, seed: int | None, *, dry_run: bool) -> None:
    from core.clock import SystemClock  # noqa: PLC0415 - heavy imports wait for a command
    from server.counseling import importing, whitelist  # noqa: PLC0415
    from server.operators import operating  # noqa: PLC0415

    content = await asyncio.to_thread(file.read_bytes)
    try:
        listed = whitelist.parse(content)
    except whitelist.UnusableFile as error:
        typer.echo(f"{file}: {error}", err=True)
        raise typer.Exit(2) from None
    async with operating(settings) as session:
        done = await importing.write(session, listed, SystemClock().now(), seed)
        if dry_run:
            await session.rollback()
    for column in listed.unknown_columns:
        typer.echo(f"The column {column} is not read.", err=True)
    for problem in done.problems:
        typer.echo(f"{file}, {problem}", err=True)
    would = "Would have: " if dry_run else ""
    typer.echo(
        f"{would}{done.added} added, {done.updated} updated, {done.instances} visitors made, {done.bindings} students "
        f"bound, {len(done.problems)} lines with problems."
    )
    if done.problems:
        raise typer.Exit(1)


@app.command("daily-compliance")
def daily_compliance() -> None:
    """Refresh the compliance snapshots of this week and the one before; a server does so by itself at 00:30 Beijing."""
    run(_refresh(load_settings(log_level="warning")))


@app.command("refresh-compliance")
def refresh_compliance(
    week: Annotated[str | None, typer.Option(help="One week only, such as 2025-39.")] = None,
) -> None:
    """Refresh compliance snapshots by hand: this week's and the last one's, or the one that is named."""
    run(_refresh(load_settings(log_level="warning"), week))


async def _refresh(settings: Settings, key: str | None = None) -> None:
    from core.clock import SystemClock  # noqa: PLC0415 - heavy imports wait for a command
    from server.counseling import staff_repository, weeks  # noqa: PLC0415
    from server.operators import operating  # noqa: PLC0415

    now = SystemClock().now()
    try:
        chosen = weeks.refreshed(now) if key is None else (weeks.parse(key),)
    except ValueError:
        raise typer.BadParameter("--week has the form 2025-39") from None
    async with operating(settings) as session:
        for week in chosen:
            students = await staff_repository.write_compliance(session, week, now)
            typer.echo(f"{week.key}: {students} students")


@app.command()
def refinalize(session_id: Annotated[UUID, typer.Argument(help="A finalised session's id.")]) -> None:
    """Make a session's diary, activity report and memory once more, where fallbacks were stored."""
    run(_refinalize(load_settings(log_level="warning"), session_id))


async def _refinalize(settings: Settings, session_id: UUID) -> None:
    from server.counseling import finalizing  # noqa: PLC0415 - heavy imports wait for a command
    from server.database import located, migrate  # noqa: PLC0415
    from server.runtime import open_runtime  # noqa: PLC0415
    from server.worker import running_worker  # noqa: PLC0415

    async with located(settings) as url:
        await migrate(url)
        async with open_runtime(settings, url) as runtime, running_worker(runtime):
            fallbacks = await finalizing.again(runtime, session_id)
    typer.echo(f"The session {session_id} is finalised again.")
    if fallbacks:
        typer.echo(f"Still without a valid answer: {', '.join(fallbacks)}", err=True)
        raise typer.Exit(1)
