"""Step 9: whether the draft is revised. Nothing but the interrupt: this node runs again when it is answered (X017)."""

from typing import Any, Final

from langgraph.types import interrupt

from nodes.meta_workflow.answer import question
from nodes.meta_workflow.decisions import decision_in
from nodes.meta_workflow.state import MetaState

_TYPES: Final = ["approve", "reject"]
_RESPONSE_SCHEMA: Final = {
    "type": "object",
    "properties": {
        "decisions": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": {"type": "object", "properties": {"type": {"enum": _TYPES}}, "required": ["type"]},
        }
    },
    "required": ["decisions"],
}


def decide(state: MetaState) -> dict[str, Any]:
    """Ask; approve means to revise, reject to keep the draft. An answer that is none leaves it undecided."""
    return {"decision": decision_in(interrupt(_asked(state))) or ""}


def after_decide(state: MetaState) -> str:
    """Revise, keep, or ask again."""
    return {"revise": "revision", "skip": "compilation"}.get(state["decision"], "decide")


def _asked(state: MetaState) -> dict[str, Any]:
    judged = state["evaluation"]
    score, text = (judged["score"], judged["text"]) if judged else (0.0, "")
    return {
        "kind": "revise",
        "score": score,
        "evaluation": text,
        "question": question(state),
        "draft": state["output"],
        "action_requests": [{"name": "revise", "args": {"score": score}, "description": question(state)}],
        "review_configs": [{"action_name": "revise", "allowed_decisions": _TYPES}],
        "response_schema": _RESPONSE_SCHEMA,
    }
