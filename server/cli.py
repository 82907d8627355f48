"""The `colloquy` command."""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

# LangGraph reads it when it is imported: checkpoints may hold known types only (X023).
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")

import structlog
import typer

from core import logging
from core.settings import Settings, SettingsError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Conversations as checkpointed LangGraph workflows.",
)
log = structlog.get_logger(__name__)


def load_settings(**overrides: Any) -> Settings:
    """Read the configuration, or leave with a sentence that says what is wrong with it."""
    try:
        settings = Settings.load()
    except SettingsError as error:
        typer.echo(f"Configuration: {error}", err=True)
        raise typer.Exit(2) from None
    settings = settings.model_copy(update={name: value for name, value in overrides.items() if value is not None})
    logging.configure(
        settings.log_level, settings.log_format or ("json" if settings.env == "production" else "console")
    )
    return settings


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a command's coroutine; a failure to start is a sentence, not a stack."""
    from psycopg import OperationalError  # noqa: PLC0415 - heavy imports wait for a command

    from db.embedded.errors import EmbeddedPostgresError  # noqa: PLC0415 - heavy imports wait for a command
    from server.runs.workflows import WorkflowError  # noqa: PLC0415

    try:
        asyncio.run(main)
    except OperationalError as error:
        typer.echo(f"colloquy: the database does not answer: {str(error).splitlines()[0]}", err=True)
        raise typer.Exit(1) from None
    except (SettingsError, WorkflowError, EmbeddedPostgresError) as error:
        typer.echo(f"colloquy: {error}", err=True)
        raise typer.Exit(1) from None


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (PORT).")] = None,
    config: Annotated[Path | None, typer.Option(help="The langgraph.json to serve.")] = None,
    *,
    worker: Annotated[bool, typer.Option(help="Execute runs in this process too.")] = True,
) -> None:
    """Serve the HTTP API; brings the database to the current schema first."""
    from server.serve import serve_forever  # noqa: PLC0415 - heavy imports wait for a command

    run(serve_forever(load_settings(host=host, port=port, config=config), with_worker=worker))


@app.command()
def worker(config: Annotated[Path | None, typer.Option(help="The langgraph.json to execute.")] = None) -> None:
    """Execute runs, without HTTP. Any number of these share one database."""
    run(_work(load_settings(config=config)))


async def _work(settings: Settings) -> None:
    from server.database import located, migrate  # noqa: PLC0415 - heavy imports wait for a command
    from server.runtime import open_runtime, preflight  # noqa: PLC0415
    from server.worker import running_worker  # noqa: PLC0415

    await asyncio.to_thread(preflight, settings)
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with located(settings) as url:
        await migrate(url)
        async with open_runtime(settings, url) as runtime, running_worker(runtime):
            log.info("worker_ready", concurrency=settings.worker_concurrency)
            await stopped.wait()


@app.command()
def migrate() -> None:
    """Bring the database to the current schema; does nothing when it is there."""
    run(_migrate(load_settings()))


async def _migrate(settings: Settings) -> None:
    from server.database import located, migrate  # noqa: PLC0415 - heavy imports wait for a command

    async with located(settings) as url:
        await migrate(url)
    typer.echo("The database is at the current schema.")


@app.command()
def demo(
    examples: Annotated[Path, typer.Option(help="Folder of the examples.")] = Path("examples"),
) -> None:
    """Drive every workflow with the examples against a running server (or one of its own) and show the answers."""
    from server.demo import show  # noqa: PLC0415 - heavy imports wait for a command

    run(show(load_settings(log_level="warning"), examples))


def main() -> None:
    """Run the command line."""
    with suppress(KeyboardInterrupt):
        app()
    sys.exit(130)


if __name__ == "__main__":
    main()
