"""Prompts are files beside their nodes; what users, callers and documents say enters them as delimited data."""

import re
from pathlib import Path
from string import Template


def load(node_file: str, name: str) -> Template:
    """Read `prompts/<name>.md` beside a node's file; called at import, so that nothing is read while a run waits.

    Placeholders have the form `$name`.
    """
    return Template((Path(node_file).parent / "prompts" / f"{name}.md").read_text(encoding="utf-8").strip())


def as_data(tag: str, text: str) -> str:
    """Return `text` between `<tag>` and `</tag>`, with no way out: any such tag inside it is defused (X029)."""
    defused = re.sub(rf"<(?=\s*/?\s*{re.escape(tag)}\b)", "‹", text, flags=re.IGNORECASE)
    return f"<{tag}>\n{defused}\n</{tag}>"
