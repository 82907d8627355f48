"""Step 6: what came of it, for programs and in a sentence for people."""

import re
from typing import Any, Final

from langchain_core.runnables import RunnableConfig

from nodes.interpret_execute.noting import note
from nodes.interpret_execute.state import InterpretState, StepResult

_CJK: Final = re.compile(r"[\u3400-\u9fff]")
_LONGEST_SHOWN: Final = 400
_WORDS: Final = {
    True: {
        "success": "已完成 {action}：{shown}",
        "error": "{action} 失败：{shown}",
        "unknown": "{action} 的结果未知：{shown}",
        "skipped": "{action} 未执行：前面的步骤没有完成",
        "rejected": "{action} 已取消",
    },
    False: {
        "success": "Done: {action}: {shown}",
        "error": "{action} failed: {shown}",
        "unknown": "{action}: the outcome is not known: {shown}",
        "skipped": "{action} was not run: an earlier step did not finish",
        "rejected": "{action} was cancelled",
    },
}


async def report(state: InterpretState, config: RunnableConfig) -> dict[str, Any]:
    """Gather the results of the steps."""
    chinese = not state["words"] or bool(_CJK.search("".join(state["words"])))
    if state["status"] == "rejected":
        return {"report": "已取消，没有执行任何操作。" if chinese else "Cancelled: nothing was done.", "data": None}
    results = [(step["id"], state["results"][step["id"]]) for step in state["steps"]]
    done = all(result["status"] == "success" for _name, result in results)
    sentence = "；".join(_sentence(result, chinese=chinese) for _name, result in results)
    await note(
        state["turn"],
        "report",
        config,
        status="done" if done else "failed",
        step="report",
        message=", ".join(f"{result['action']}: {result['status']}" for _name, result in results),
        failed=not done,
    )
    return {"status": "done" if done else "failed", "data": _data(results), "report": sentence}


def _data(results: list[tuple[str, StepResult]]) -> Any:
    if len(results) == 1:
        return results[0][1]["data"]
    return {"steps": dict(results)}


def _sentence(result: StepResult, *, chinese: bool) -> str:
    return _WORDS[chinese][result["status"]].format(action=result["action"], shown=_shown(result))


def _shown(result: StepResult) -> str:
    if result["error"] is not None:
        return result["error"]["message"]
    data = result["data"]
    text = data.get("text", "") if isinstance(data, dict) and "content" in data else str(data)
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
