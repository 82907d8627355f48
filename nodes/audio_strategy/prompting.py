"""The messages for the models: rules in the system message, what was said as data in the user's (W21, X029)."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from nodes.audio_strategy.lines import roles
from nodes.audio_strategy.records import AnalysedSession
from nodes.audio_strategy.state import Draft
from nodes.common.prompts import as_data, load
from skills.document import Skill
from skills.scenes import SCENES
from tools.text.split import cut

_PACKAGE: Final = "nodes.audio_strategy"
_NAMES: Final = ("scene_system", "scene", "strategy_system", "strategy", "fuse_system", "fuse", "picture")
_PROMPTS: Final = {name: load(_PACKAGE, name) for name in _NAMES}
FINGERPRINT: Final = hashlib.sha256("\n".join(prompt.text for prompt in _PROMPTS.values()).encode()).hexdigest()[:12]
"""Of all prompts, for those who compare evaluations."""

_SCENES: Final = "\n".join(f"- {scene.id}（{scene.name}）：{scene.description}" for scene in SCENES.values())
_SCENE_SYSTEM: Final = SystemMessage(_PROMPTS["scene_system"].render(scenes=_SCENES))
_TAGS: Final = ("skill", "references", "scene", "speakers", "transcript", "advices")
# Estimated tokens of all references together; a skill itself has a limit of its own.
_REFERENCES: Final = 8000
_IDEA: Final = 300


def about_scene(session: AnalysedSession, transcript: str) -> list[BaseMessage]:
    """Ask what kind of conversation it is."""
    return [_SCENE_SYSTEM, HumanMessage(_PROMPTS["scene"].render(data=_conversation(session, transcript)))]


def about_skill(
    skill: Skill, references: Sequence[str], scene: str, session: AnalysedSession, transcript: str
) -> list[BaseMessage]:
    """Ask for one skill's advice. The skill is its author's and stands among the rules; all else is data."""
    parts = [_PROMPTS["strategy_system"].text, _data("skill", skill.body)]
    if references:
        parts.append(_data("references", cut("\n\n".join(references), _REFERENCES)[0]))
    data = f"{_data('scene', scene)}\n\n{_conversation(session, transcript)}"
    return [SystemMessage("\n\n".join(parts)), HumanMessage(_PROMPTS["strategy"].render(data=data))]


def about_fusion(drafts: Mapping[str, Sequence[Draft]]) -> list[BaseMessage]:
    """Ask for one strategy from those of several skills, the most important first."""
    given = [{"skill": skill, "advices": [_shown(draft) for draft in of_skill]} for skill, of_skill in drafts.items()]
    system = _PROMPTS["fuse_system"].render(skills=json.dumps(list(drafts)))
    written = json.dumps(given, ensure_ascii=False, indent=1)
    return [SystemMessage(system), HumanMessage(_PROMPTS["fuse"].render(advices=_data("advices", written)))]


def picture_of(draft: Draft) -> str:
    """Return the description that a picture is made from; it is shown with the picture (G11)."""
    idea = " ".join((draft["picture"] or f"两个人在交谈：{draft['title']}").split())
    return _PROMPTS["picture"].render(idea=idea[:_IDEA])


def _conversation(session: AnalysedSession, transcript: str) -> str:
    known = roles(session)
    told = [_data("speakers", json.dumps(known, ensure_ascii=False))] if known else []
    return "\n\n".join([*told, _data("transcript", transcript)])


def _shown(draft: Draft) -> dict[str, Any]:
    return {key: draft[key] for key in ("title", "insight", "advice", "script", "quotes", "picture")}


def _data(tag: str, text: str) -> str:
    return as_data(tag, text, among=_TAGS)
