"""Step 6: the sections of the text; those that do not depend on each other are written side by side (G33)."""

from typing import Any, Final

from langgraph.types import Send, StreamWriter

from nodes.meta_workflow.events import Telling, tell_phase
from nodes.meta_workflow.plan import ready
from nodes.meta_workflow.prompting import about_section
from nodes.meta_workflow.state import MetaState, Phase, SectionTask
from nodes.meta_workflow.writing import Demand, write

_SHORTEST: Final = 0.7
_LONGEST: Final = 1.3


def to_sections(state: MetaState) -> list[Send]:
    """Send each section that can be written now to a task of its own."""
    plan = state["plan"]
    return [
        Send(
            "content_generation",
            SectionTask(
                turn=state["turn"],
                memory=state["memory"],
                plan=plan,
                section=section,
                analysis=state["analysis"],
                passages=state["passages"],
                before=[state["drafts"][name] for name in section["depends_on"]],
                index=len(state["thinking_process"]),
            ),
        )
        for section in ready(plan, state["drafts"])
    ]


async def content_generation(state: SectionTask, *, writer: StreamWriter) -> dict[str, Any]:
    """Write one section; the others keep theirs when it fails (X021).

    Raises:
        ModelFailed: the model wrote nothing. A text without this section would hide what it lacks.
    """
    section, alone = state["section"], len(state["plan"]["sections"]) == 1
    titled = f"「{section['title']}」" if section["title"] else "正文"
    tell_phase(writer, Phase(phase="content_generation", content=f"正在撰写{titled}……"), state["index"])
    demand = Demand(
        shortest=round(section["characters"] * _SHORTEST),
        longest=round(section["characters"] * _LONGEST),
        passages=state["passages"],
        must_cite=alone,
    )
    telling = Telling(writer, section["id"], title="" if alone else section["title"])
    return {"drafts": {section["id"]: await write(about_section(state), demand, telling)}}
