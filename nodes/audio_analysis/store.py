"""Step 5, the last: what was found is held against the words, and stored with its session."""

import asyncio
from typing import Any

from langgraph.types import StreamWriter

from nodes.audio_analysis.join import dialogues_of
from nodes.audio_analysis.lines import as_text
from nodes.audio_analysis.records import Analysis
from nodes.audio_analysis.state import AnalysisState
from nodes.audio_analysis.stats import stats_of
from nodes.audio_analysis.steps import audio_records, finished
from nodes.audio_analysis.verdict import Review, mapping_of, risks_of
from tools.transcripts.model import Segment


async def store(state: AnalysisState, *, writer: StreamWriter) -> dict[str, Any]:
    """Store the analysis; a repetition stores the same again.

    Raises:
        NotFound: the session was deleted in the meantime.
    """
    dialogues = await dialogues_of(state)
    analysis = await asyncio.to_thread(_analysis, state, dialogues)
    await audio_records().save_analysis(state["session_id"], analysis)
    await finished(writer, state["session_id"], "store", state["steps"])
    return {}


def _analysis(state: AnalysisState, dialogues: list[Segment]) -> Analysis:
    found = Review.model_validate(state["reviewed"])
    return Analysis(
        dialogues=dialogues,
        transcript=as_text(dialogues),
        speaker_mapping=mapping_of(found, dialogues),
        summary=found.summary,
        conversation_summary=found.conversation_summary or found.summary[:100],
        risks=risks_of(found, dialogues),
        mood_score=found.mood_score,
        tags=found.tags,
        stats=stats_of(dialogues, state["duration"], state["unheard"]),
        call1_result=state["reviewed"],
    )
