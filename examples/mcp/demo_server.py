"""A small tool server to try things out with: set MCP_SCRIPT_PATH=examples/mcp/demo_server.py.

It adds numbers and keeps a list of notes. The notes are lines of a file: NOTES_FILE, or `.colloquy/demo-notes.txt`
below the working directory.
"""

import os
from pathlib import Path
from typing import Annotated, Final

from mcp.server.mcpserver import MCPServer
from mcp.types import ToolAnnotations
from pydantic import Field

NOTES: Final = Path(os.environ.get("NOTES_FILE") or ".colloquy/demo-notes.txt")
READS: Final = ToolAnnotations(read_only_hint=True, idempotent_hint=True, destructive_hint=False)
ADDS: Final = ToolAnnotations(read_only_hint=False, idempotent_hint=False, destructive_hint=False)
DELETES: Final = ToolAnnotations(read_only_hint=False, idempotent_hint=True, destructive_hint=True)

server = MCPServer("colloquy-demo", instructions="Adds numbers and keeps a list of notes.")


@server.tool(title="加法", annotations=READS)
def add(
    a: Annotated[int, Field(description="the first number 第一个数")],
    b: Annotated[int, Field(description="the second number 第二个数")],
) -> int:
    """计算两个整数之和。Add two whole numbers and return the sum."""
    return a + b


@server.tool(title="记一条笔记", annotations=ADDS)
def append_line(
    text: Annotated[str, Field(description="the note 笔记内容", min_length=1, max_length=1000)],
) -> str:
    """在笔记列表末尾添加一行笔记。Append a note to the list."""
    NOTES.parent.mkdir(parents=True, exist_ok=True)
    with NOTES.open("a", encoding="utf-8") as file:
        file.write(" ".join(text.split()) + "\n")
    return f"已记录：{text}"


@server.tool(title="查看笔记", annotations=READS)
def list_notes() -> list[str]:
    """列出所有笔记。List all notes, the oldest first."""
    return NOTES.read_text(encoding="utf-8").splitlines() if NOTES.exists() else []


@server.tool(title="清空笔记", annotations=DELETES)
def clear_notes() -> str:
    """删除所有笔记。Delete all notes."""
    NOTES.unlink(missing_ok=True)
    return "已清空"


if __name__ == "__main__":
    server.run("stdio")
