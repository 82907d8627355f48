"""The model roles that nodes ask for, never a model's name (X025)."""

from typing import Final, Literal, get_args

Role = Literal[
    "transcribe",
    "review",
    "scene",
    "strategy",
    "fuse",
    "image",
    "fast",
    "deep",
    "interpret",
    "diary",
    "activity",
    "ltm",
    "reply",
    "summary",
    "intent",
    "planning",
    "analysis",
    "content_generation",
    "evaluation",
    "narrative",
    "fallback",
]

ROLES: Final[tuple[Role, ...]] = get_args(Role)

# Asked once more of the model of `fallback`, where one is configured, when their own gave no answer (G43).
HAS_FALLBACK: Final[frozenset[Role]] = frozenset(
    ("fast", "deep", "intent", "planning", "analysis", "content_generation", "evaluation", "narrative")
)

# The steps of deep chat use the deep model unless they are given one of their own.
FALLBACK_ROLE: Final[dict[Role, Role]] = {
    "intent": "deep",
    "planning": "deep",
    "analysis": "deep",
    "content_generation": "deep",
    "evaluation": "deep",
    "narrative": "deep",
}
