"""The `colloquy` command."""

import asyncio
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import structlog
import typer

from core.settings import Settings
from server import eval_commands, key_commands, memory
from server.audio import commands as audio_commands
from server.command import load_settings, run
from server.counseling import commands

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Conversations as checkpointed LangGraph workflows.",
)
Configs = Annotated[
    list[Path] | None,
    typer.Option(help="A langgraph.json whose graphs are served; give it again for another (COLLOQUY_CONFIG)."),
]
app.add_typer(key_commands.app, name="api-key")
app.add_typer(eval_commands.app, name="eval")
app.add_typer(commands.app)
app.add_typer(audio_commands.app)
log = structlog.get_logger(__name__)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (PORT).")] = None,
    config: Configs = None,
    *,
    worker: Annotated[bool, typer.Option(help="Execute runs in this process too.")] = True,
) -> None:
    """Serve the HTTP API; brings the database to the current schema first."""
    settings = load_settings(host=host, port=port, config=config or None)
    from server.serve import serve_forever  # noqa: PLC0415 - heavy imports wait until the settings are right

    run(serve_forever(settings, with_worker=worker))


@app.command()
def worker(config: Configs = None) -> None:
    """Execute runs, without HTTP. Any number of these share one database."""
    run(_work(load_settings(config=config or None)))


async def _work(settings: Settings) -> None:
    from server.database import located, migrate  # noqa: PLC0415 - heavy imports wait for a command
    from server.runtime import open_runtime, preflight  # noqa: PLC0415
    from server.threads import widen  # noqa: PLC0415
    from server.worker import running_worker  # noqa: PLC0415
    from server.worker_http import watched  # noqa: PLC0415

    widen(settings.worker_concurrency)
    await asyncio.to_thread(preflight, settings)
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with located(settings) as url:
        await migrate(url, vectors=settings.embeds)
        async with open_runtime(settings, url) as runtime, running_worker(runtime), watched(runtime):
            memory.settle()
            log.info("worker_ready", concurrency=settings.worker_concurrency)
            await stopped.wait()


@app.command()
def migrate() -> None:
    """Bring the database to the current schema; does nothing when it is there."""
    run(_migrate(load_settings()))


async def _migrate(settings: Settings) -> None:
    from server.database import located, migrate  # noqa: PLC0415 - heavy imports wait for a command

    async with located(settings) as url:
        await migrate(url, vectors=settings.embeds)
    typer.echo("The database is at the current schema.")


@app.command()
def reencrypt() -> None:
    """Bring all that is encrypted under the newest of SECRETS_KEY and of CHECKPOINT_KEY; may be given at any time."""
    from server import operators  # noqa: PLC0415 - heavy imports wait for a command

    run(operators.reencrypt(load_settings(log_level="warning")))


@app.command()
def backup(file: Annotated[Path, typer.Argument(help="The file to write; it must not exist yet.")]) -> None:
    """Write the whole database into one file; it may be in use."""
    from server import operators  # noqa: PLC0415 - heavy imports wait for a command

    run(operators.back_up(load_settings(log_level="warning"), file))


@app.command()
def restore(file: Annotated[Path, typer.Argument(help="What `colloquy backup` wrote.")]) -> None:
    """Load a backup into an empty database; then give `colloquy migrate`."""
    from server import operators  # noqa: PLC0415 - heavy imports wait for a command

    run(operators.restore(load_settings(log_level="warning"), file))


@app.command()
def demo(
    examples: Annotated[Path, typer.Option(help="Folder of the examples.")] = Path("examples"),
) -> None:
    """Drive every workflow with the examples against a running server (or one of its own) and show the answers."""
    from server.demo.run import show  # noqa: PLC0415 - heavy imports wait for a command

    run(show(load_settings(log_level="warning"), examples))


def main() -> None:
    """Run the command line."""
    memory.begin()
    try:
        with suppress(KeyboardInterrupt):
            app()
        sys.exit(130)
    finally:
        memory.leave()


if __name__ == "__main__":
    main()
