"""Coach a recording (A006, X003): scene, match, skills side by side, fuse, visual prompts, store, pictures."""

from typing import Any, Final

from langgraph.graph import END, START, StateGraph

from nodes.audio_strategy.apply_skill import apply_skill
from nodes.audio_strategy.begin import begin
from nodes.audio_strategy.collect import after_again, after_collect, again, collect
from nodes.audio_strategy.done import done
from nodes.audio_strategy.fuse import fuse
from nodes.audio_strategy.match import match, to_skills
from nodes.audio_strategy.picture import picture
from nodes.audio_strategy.scene import scene
from nodes.audio_strategy.state import PictureTask, SkillTask, StrategyInput, StrategyOutput, StrategyState
from nodes.audio_strategy.store import store, to_pictures
from nodes.audio_strategy.visuals import visuals

# Seconds. The other steps that ask a model limit themselves, and go on without its answer then.
_ASKING_TIMEOUT: Final = 120.0


def build() -> StateGraph[StrategyState, Any, StrategyInput, StrategyOutput]:
    """Return the graph without a checkpointer: whoever runs it brings one (X014)."""
    builder = StateGraph(StrategyState, input_schema=StrategyInput, output_schema=StrategyOutput)
    builder.add_node("begin", begin)
    builder.add_node("scene", scene, timeout=_ASKING_TIMEOUT)
    builder.add_node("match", match)
    builder.add_node("apply_skill", apply_skill, input_schema=SkillTask)
    builder.add_node("collect", collect)
    builder.add_node("again", again)
    builder.add_node("fuse", fuse)
    builder.add_node("visuals", visuals)
    builder.add_node("store", store)
    builder.add_node("picture", picture, input_schema=PictureTask)
    builder.add_node("done", done)
    builder.add_edge(START, "begin")
    builder.add_edge("begin", "scene")
    builder.add_edge("scene", "match")
    builder.add_conditional_edges("match", to_skills, ["apply_skill"])
    builder.add_edge("apply_skill", "collect")
    builder.add_conditional_edges("collect", after_collect, ["again", "visuals", "fuse"])
    builder.add_conditional_edges("again", after_again, ["apply_skill", "collect"])
    builder.add_edge("fuse", "visuals")
    builder.add_edge("visuals", "store")
    builder.add_conditional_edges("store", to_pictures, ["picture", "done"])
    builder.add_edge("picture", "done")
    builder.add_edge("done", END)
    return builder


graph = build().compile(name="audio_strategy")
