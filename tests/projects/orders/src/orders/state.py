"""Classes of the author's own, in state and context."""

from dataclasses import dataclass, field

from pydantic import BaseModel


class Line(BaseModel):
    sku: str
    count: int


@dataclass
class Terms:
    discount: float = 0.0


@dataclass
class Order:
    wish: str = ""
    seconds: float = 0.0
    log: str = ""
    lines: list[Line] = field(default_factory=list)
    total: float = 0.0
