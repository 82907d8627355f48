"""What a scripted model does instead of answering properly."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Status:
    """An HTTP error in the vendor's form."""

    code: int
    retry_after: float | None = None


@dataclass(frozen=True)
class Delay:
    """The answer, after a while; one that is long enough is a model that hangs."""

    seconds: float
    text: str = ""


@dataclass(frozen=True)
class SlowTokens:
    """A stream whose pieces come one by one, with pauses."""

    text: str
    seconds: float


@dataclass(frozen=True)
class CutStream:
    """A stream (or a body) whose connection breaks in the middle; `quietly`: it ends in good order, only too early."""

    text: str = "这一句话还没有说完就断了"
    after_chunks: int = 2
    quietly: bool = False


@dataclass(frozen=True)
class MalformedJson:
    """A body that is no JSON, with status 200: what broken proxies send."""


@dataclass(frozen=True)
class Body:
    """Any body with status 200, whatever was asked for."""

    text: str
    kind: str = "application/json"


Fault = Status | Delay | SlowTokens | CutStream | MalformedJson | Body
