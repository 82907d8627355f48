"""Step 4, where the plan asks for it: passages of the session's documents (G39)."""

import asyncio
from typing import Any, Final

from langgraph.types import Send, StreamWriter

from nodes.common.resources import resources
from nodes.meta_workflow.citations import cite
from nodes.meta_workflow.content_generation import to_sections
from nodes.meta_workflow.events import tell_phase
from nodes.meta_workflow.records import Documents, InMemoryDocuments, Passage
from nodes.meta_workflow.state import MetaState, Phase

_MOST_PASSAGES: Final = 8
_LONGEST_PASSAGE: Final = 1500


async def retrieval(state: MetaState, *, writer: StreamWriter) -> dict[str, Any]:
    """Search for each of the plan's queries; a passage that several find counts once, with its best score."""
    index = len(state["thinking_process"])
    tell_phase(writer, Phase(phase="retrieval", content="正在查阅文档……"), index)
    documents = resources().repository(Documents, InMemoryDocuments)
    session = state["turn"]["session_id"]
    found = await asyncio.gather(*(documents.search(session, query) for query in state["plan"]["queries"]))
    passages = _best([passage for passages in found for passage in passages])
    cited = "、".join(str(cite(passage)) for passage in passages)
    item = Phase(
        phase="retrieval", content=f"查阅文档，找到相关段落：{cited}" if cited else "查阅文档，没有找到相关段落"
    )
    return {"passages": passages, "thinking_process": tell_phase(writer, item, index)}


def after_retrieval(state: MetaState) -> str | list[Send]:
    """Go on with the analysis where the plan has one, else with the writing."""
    return "analysis" if "analysis" in state["plan"]["focus"] else to_sections(state)


def _best(found: list[Passage]) -> list[Passage]:
    once: dict[tuple[str, int], Passage] = {}
    for passage in sorted(found, key=lambda passage: -passage["score"]):
        bounded = Passage(**{**passage, "text": passage["text"][:_LONGEST_PASSAGE], "score": float(passage["score"])})
        once.setdefault((passage["document_id"], passage["position"]), bounded)
    return list(once.values())[:_MOST_PASSAGES]
