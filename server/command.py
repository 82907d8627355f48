"""What all of the `colloquy` command's parts share: the configuration, and how a failure to start is told."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any

# LangGraph reads it when it is imported: checkpoints may hold known types only (X023).
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")

import typer

from core import logging, production
from core.errors import ColloquyError
from core.settings import Settings, SettingsError


def load_settings(**overrides: Any) -> Settings:
    """Read the configuration and begin to log, or leave with a sentence for each thing that is wrong with it."""
    try:
        settings = Settings.load()
    except SettingsError as error:
        typer.echo(f"Configuration: {error}", err=True)
        raise typer.Exit(2) from None
    if reasons := production.refusals(settings):
        for reason in reasons:
            typer.echo(f"Configuration: {reason}", err=True)
        raise typer.Exit(2)
    settings = settings.model_copy(update={name: value for name, value in overrides.items() if value is not None})
    error_file = settings.log_file or settings.data_dir / "logs" / "errors.log"
    style = settings.log_format or ("json" if settings.env == "production" else "console")
    try:
        logging.configure(settings.log_level, style, error_file=error_file)
    except OSError as error:
        typer.echo(f"Configuration: LOG_FILE: {error_file} cannot be written: {error.strerror}.", err=True)
        raise typer.Exit(2) from None
    return settings


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a command's coroutine; a failure to start is a sentence, not a stack."""
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(main)
    except Exception as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        typer.echo(f"colloquy: {sentence}", err=True)
        raise typer.Exit(1) from None


def _sentence(error: Exception) -> str | None:
    """Return what is told of a failure that its text explains; None for all others."""
    from psycopg import OperationalError  # noqa: PLC0415 - heavy imports wait for a failure

    from db.backup import BackupError  # noqa: PLC0415
    from db.embedded.errors import EmbeddedPostgresError  # noqa: PLC0415
    from server.runs.loading.errors import WorkflowError  # noqa: PLC0415

    match error:
        case OperationalError():
            return f"the database does not answer: {str(error).splitlines()[0]}"
        case ColloquyError():
            return error.message
        case SettingsError() | WorkflowError() | EmbeddedPostgresError() | BackupError():
            return str(error)
    return None


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the faster loop, where there is one (uvicorn brings it, but not to Windows)."""
    try:
        import uvloop  # noqa: PLC0415
    except ImportError:
        return None
    return uvloop.new_event_loop
