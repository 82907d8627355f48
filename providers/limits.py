"""Each role's limits of one model call, unless the configuration sets others (X025)."""

from dataclasses import dataclass
from typing import Final

from core.roles import Role
from core.settings import Settings


@dataclass(frozen=True)
class Limits:
    """Limits of one call: sampling temperature, tokens of the answer, seconds until it is given up."""

    temperature: float
    max_tokens: int
    timeout_seconds: float


_ORDINARY: Final = Limits(temperature=0.7, max_tokens=2000, timeout_seconds=60)
DEFAULTS: Final[dict[Role, Limits]] = {
    "transcribe": Limits(temperature=0, max_tokens=32_000, timeout_seconds=240),
    "review": Limits(temperature=0.2, max_tokens=2500, timeout_seconds=60),
    "scene": Limits(temperature=0, max_tokens=200, timeout_seconds=30),
    "fast": Limits(temperature=0.7, max_tokens=300, timeout_seconds=15),
    "interpret": Limits(temperature=0, max_tokens=1000, timeout_seconds=30),
    "diary": Limits(temperature=0.7, max_tokens=1500, timeout_seconds=30),
    # Half of a JSON object is nothing: its 1,200 characters must fit, at a token and a half each.
    "activity": Limits(temperature=0.7, max_tokens=2000, timeout_seconds=30),
    "ltm": Limits(temperature=0.2, max_tokens=2500, timeout_seconds=30),
    "reply": Limits(temperature=0.8, max_tokens=600, timeout_seconds=30),
    # C018 gives the tokens; its temperature of 0.7 works against the accuracy that C053 asks for (W20).
    "summary": Limits(temperature=0.2, max_tokens=200, timeout_seconds=30),
    "intent": Limits(temperature=0, max_tokens=200, timeout_seconds=30),
    "evaluation": Limits(temperature=0.2, max_tokens=800, timeout_seconds=60),
}


def limits_of(role: Role, settings: Settings) -> Limits:
    """Return a role's limits: its own settings over the common time limit over the defaults."""
    default = DEFAULTS.get(role, _ORDINARY)
    chosen = settings.role(role)
    timeout = chosen.timeout_seconds or settings.model_timeout_seconds or default.timeout_seconds
    return Limits(
        temperature=default.temperature if chosen.temperature is None else chosen.temperature,
        max_tokens=chosen.max_tokens or default.max_tokens,
        timeout_seconds=timeout,
    )
