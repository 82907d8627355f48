"""What operators do with audio strategy at the command line (A033)."""

from typing import Annotated

import typer

from core.settings import Settings
from server.command import load_settings, run

app = typer.Typer()


@app.command("cleanup-images")
def cleanup_images(
    days: Annotated[int, typer.Option(min=1, help="Pictures that are older go.")] = 7,
) -> None:
    """Delete old pictures of strategies; the strategies stay, and say that their pictures are gone."""
    run(_clean_up(load_settings(log_level="warning"), days))


async def _clean_up(settings: Settings, days: int) -> None:
    from server.audio import files, pictures  # noqa: PLC0415 - heavy imports wait for a command
    from server.database import located, migrate  # noqa: PLC0415
    from server.runtime import open_runtime  # noqa: PLC0415

    async with located(settings) as url:
        await migrate(url)
        async with open_runtime(settings, url) as runtime:
            deleted = await pictures.clean_up(runtime.system, runtime.storage, runtime.clock, days)
            await files.sweep(runtime.system, runtime.storage)
    typer.echo(f"{deleted} pictures deleted.")
