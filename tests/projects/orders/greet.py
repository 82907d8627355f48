"""A workflow function."""

from typing import Any

from langgraph.func import entrypoint, task


@task
def upper(name: str) -> str:
    return name.upper()


@entrypoint()
def greet(asked: dict[str, Any]) -> str:
    return f"Hello {upper(asked['name']).result()}"
