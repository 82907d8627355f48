"""A tool server for faults: run as `python …/faults.py` it speaks stdio, with a port as its argument HTTP.

It lives by what the environment says: NOTES (a file that calls append to), STARTS (a file that takes a line at each
start), TOUCHED (a file that says whether a failure that happens once has happened), REFUSING (while there is such a
file, it ends at once), SILENT (it does not tell that its tools have changed), MODE (`mute`: it reads and never
answers; `deaf`: it does not even notice when it is to end).
"""

import gc
import os
import subprocess
import sys
import time
from pathlib import Path

with Path(os.environ.get("STARTS", os.devnull)).open("a", encoding="utf-8") as starts:
    starts.write(f"{os.getpid()}\n")
if "REFUSING" in os.environ and Path(os.environ["REFUSING"]).exists():
    sys.exit(1)
match os.environ.get("MODE"):
    case "mute":
        sys.exit(not sys.stdin.read())
    case "deaf":
        time.sleep(600)
    case _:
        # Most tests start it anew, and collections are a quarter of a start and of an end.
        gc.disable()

from typing import Annotated

import anyio
from mcp.server.mcpserver import Context, Elicit, Image, MCPServer, Resolve
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import BaseModel, Field

NOTES = Path(os.environ.get("NOTES", os.devnull))
TOUCHED = Path(os.environ.get("TOUCHED", os.devnull))
READ_ONLY = ToolAnnotations(read_only_hint=True, idempotent_hint=True)
CHANGING = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False)

server = MCPServer("faults", version="1")


def write(path: Path, line: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


@server.tool(annotations=READ_ONLY)
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool(annotations=CHANGING)
def append_line(text: str) -> str:
    """Append a line to the notes."""
    write(NOTES, text)
    return "done"


@server.tool(annotations=CHANGING)
def append_with_call_id(text: str, context: Context) -> str:
    """Append a line that says under which id it was called."""
    meta = context.request_context.meta or {}
    write(NOTES, f"{text} {meta.get('colloquy/call-id')}")
    return "done"


@server.tool(annotations=READ_ONLY)
async def slow(seconds: float) -> str:
    """Answer after a while."""
    await anyio.sleep(seconds)
    return "at last"


@server.tool(annotations=CHANGING)
async def slow_append(seconds: float, text: str) -> str:
    """Append a line after a while."""
    write(NOTES, text)
    await anyio.sleep(seconds)
    return "done"


@server.tool(annotations=READ_ONLY)
async def stand_still(seconds: float) -> str:
    """Do nothing at all for a while, not even listen."""
    time.sleep(seconds)  # noqa: ASYNC251 - that is the fault
    return "awake"


@server.tool(annotations=READ_ONLY, structured_output=False)
def flood(size: int) -> str:
    """Answer with so many bytes of Chinese text."""
    return "水" * (size // 3)


@server.tool(annotations=READ_ONLY)
def odd_characters() -> str:
    """Answer with what a database cannot hold."""
    return "before\x00after"


@server.tool(annotations=CHANGING)
def die() -> str:
    """End the process in the middle of the call."""
    os._exit(3)


@server.tool(annotations=CHANGING)
def die_after_write(text: str) -> str:
    """Do the work, and end the process before the answer."""
    write(NOTES, text)
    os._exit(3)


@server.tool(annotations=READ_ONLY)
def die_once() -> str:
    """End the process the first time, answer the second."""
    if not TOUCHED.exists():
        TOUCHED.touch()
        os._exit(3)
    return "alive"


@server.tool(annotations=READ_ONLY)
def pid() -> int:
    """Tell the number of this process."""
    return os.getpid()


@server.tool(annotations=CHANGING)
def fail() -> str:
    """Report an error."""
    raise ToolError("the tool could not do it")


@server.tool(annotations=READ_ONLY)
def picture(size: int) -> Image:
    """Answer with a picture of so many bytes."""
    return Image(data=b"\x89PNG" + b"\x00" * (size - 4), format="png")


class Size(BaseModel):
    """What is asked for."""

    size: int = Field(ge=1, le=10)


async def ask_size(dish: str) -> Elicit[Size]:
    return Elicit(f"How much {dish}?", Size)


@server.tool(annotations=CHANGING)
def order(dish: str, wanted: Annotated[Size, Resolve(ask_size)]) -> str:
    """Order a dish; the size is asked for."""
    write(NOTES, f"{wanted.size} {dish}")
    return f"{wanted.size} {dish}"


@server.tool(annotations=READ_ONLY)
async def change_schema(context: Context) -> str:
    """From now on, `changing` needs another argument, and a new tool is there."""
    server.remove_tool("changing")
    server.add_tool(changing_after, name="changing", annotations=READ_ONLY)
    server.add_tool(add, name="added_later", annotations=READ_ONLY)
    if "SILENT" not in os.environ:
        await context.notify_tools_changed()
    return "changed"


@server.tool(annotations=READ_ONLY)
def changing(first: str) -> str:
    """Take one argument."""
    return first


def changing_after(first: str, second: int) -> str:
    """Take two arguments."""
    return first * second


@server.tool(annotations=READ_ONLY)
def spawn() -> int:
    """Start a process that outlives this one if it is let."""
    return subprocess.Popen(["sleep", "600"], stdin=subprocess.DEVNULL).pid


@server.tool(annotations=READ_ONLY)
def print_in_the_wrong_place(text: str) -> str:
    """Write a line between the messages."""
    sys.stdout.buffer.raw.write(text.encode() + b"\n")
    return "printed"


@server.tool(annotations=READ_ONLY)
def say(text: str) -> str:
    """Print a line on the standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
    return "said"


@server.tool(annotations=READ_ONLY)
def environment() -> list[str]:
    """Tell the names of the environment's variables."""
    return sorted(os.environ)


if __name__ == "__main__":
    gc.freeze()
    if len(sys.argv) > 1:
        server.run("streamable-http", port=int(sys.argv[1]))
    else:
        server.run("stdio")
