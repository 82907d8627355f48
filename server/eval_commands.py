"""`colloquy eval`: how good the answers of a workflow are, with the models that are configured."""

from pathlib import Path
from typing import Annotated

import typer

from server.command import load_settings, run

app = typer.Typer(no_args_is_help=True, help="Evaluate workflows with the configured models.")


@app.command("deep-chat")
def deep_chat(
    briefs: Annotated[Path, typer.Option(help="Folder with the sets `tuned` and `held_out`.")] = Path(
        "examples/deep_chat"
    ),
    at_once: Annotated[int, typer.Option(min=1, help="How many briefs run side by side.")] = 2,
) -> None:
    """Run the briefs of deep chat and print how its answers keep to them; needs no server and no database."""
    from server.evaluation.deep_chat import evaluate  # noqa: PLC0415 - heavy imports wait for a command

    run(evaluate(load_settings(log_level="warning"), briefs, at_once))


@app.command("counseling")
def counseling(
    sessions: Annotated[Path, typer.Option(help="Folder with the sets `tuned` and `held_out`.")] = Path(
        "examples/counseling"
    ),
    at_once: Annotated[int, typer.Option(min=1, help="How many sessions are finalised side by side.")] = 2,
) -> None:
    """Finalise recorded counseling sessions and print what was kept; needs no server and no database."""
    from server.evaluation.counseling import evaluate  # noqa: PLC0415 - heavy imports wait for a command

    run(evaluate(load_settings(log_level="warning"), sessions, at_once))


@app.command("audio")
def audio(
    folder: Annotated[
        Path, typer.Option(help="Folder with `scenes`, labelled transcripts, and `moments.json`.")
    ] = Path("examples/audio"),
    at_once: Annotated[int, typer.Option(min=1, help="How many transcripts are coached side by side.")] = 2,
) -> None:
    """Coach labelled transcripts and print how scenes, skills and strategies are; needs no server and no database."""
    from server.evaluation.audio import evaluate  # noqa: PLC0415 - heavy imports wait for a command

    run(evaluate(load_settings(log_level="warning"), folder, at_once))


@app.command("call-summary")
def call_summary(
    calls: Annotated[Path, typer.Option(help="Folder with the sets `tuned` and `held_out`.")] = Path(
        "examples/call_summary"
    ),
    at_once: Annotated[int, typer.Option(min=1, help="How many calls are summarised side by side.")] = 2,
    *,
    missing: Annotated[bool, typer.Option(help="Tell each point that is not covered.")] = False,
) -> None:
    """Summarise labelled calls and print how many of their key points are covered; needs no server and no database."""
    from server.evaluation.call_summary import evaluate  # noqa: PLC0415 - heavy imports wait for a command

    run(evaluate(load_settings(log_level="warning"), calls, at_once, tells_missing=missing))
