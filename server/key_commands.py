"""`colloquy api-key`: keys for machine clients, made, listed and revoked by an operator."""

from typing import Annotated
from uuid import UUID

import typer

from server.command import load_settings, run

app = typer.Typer(no_args_is_help=True, help="API keys of machine clients.")


@app.command()
def create(
    name: Annotated[str, typer.Option(help="What the key is for.")],
    user: Annotated[UUID | None, typer.Option(help="Whom it acts for; a new user where nobody is named.")] = None,
    phone: Annotated[str | None, typer.Option(help="Whom it acts for, by the phone of the login.")] = None,
) -> None:
    """Make a key and print it, this once: only its hash is kept."""
    from server import operators  # noqa: PLC0415 - heavy imports wait for a command

    if user is not None and phone is not None:
        raise typer.BadParameter("give --user or --phone, not both")
    run(operators.create_key(load_settings(), name, user, phone))


@app.command("list")
def list_all() -> None:
    """Show all keys, the newest first; never the keys themselves."""
    from server import operators  # noqa: PLC0415 - heavy imports wait for a command

    run(operators.list_keys(load_settings(log_level="warning")))


@app.command()
def revoke(key_id: Annotated[UUID, typer.Argument(help="The key's id, as `list` shows it.")]) -> None:
    """Make a key invalid from now on."""
    from server import operators  # noqa: PLC0415 - heavy imports wait for a command

    run(operators.revoke_key(load_settings(), key_id))
