"""Both vendors' embedding protocols, and vectors with a meaning: words of one concept, in either language, agree."""

import math
from typing import Any, Final

from tests.kit.model_protocols import ModelRequest

CONCEPTS: Final = (
    ("续航", "电池", "充电", "battery", "charge"),
    ("保修", "维修", "warranty", "repair"),
    ("配送", "发货", "快递", "shipping", "delivery"),
    ("价格", "多少钱", "price", "cost"),
)


def meaning(text: str) -> list[float]:
    """Return a vector of length 1: an axis a concept, and a little of what all texts share."""
    counts = [float(sum(text.lower().count(word) for word in concept)) for concept in CONCEPTS]
    whole = [*counts, 0.1]
    length = math.hypot(*whole)
    return [value / length for value in whole]


def read_openai(body: dict[str, Any]) -> ModelRequest:
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    return _request("openai", body["model"], texts, body)


def read_gemini(body: dict[str, Any], model: str) -> ModelRequest:
    parts = [request["content"]["parts"] for request in body["requests"]]
    return _request("gemini", model, ["".join(part["text"] for part in several) for several in parts], body)


def answer(request: ModelRequest) -> dict[str, Any]:
    """Return the body of a proper answer."""
    vectors = [meaning(text) for text in request.raw["texts"]]
    if request.vendor == "gemini":
        return {"embeddings": [{"values": vector} for vector in vectors]}
    data = [{"object": "embedding", "index": place, "embedding": vector} for place, vector in enumerate(vectors)]
    usage = {"prompt_tokens": 7 * len(vectors), "total_tokens": 7 * len(vectors)}
    return {"object": "list", "model": request.role, "data": data, "usage": usage}


def _request(vendor: str, role: str, texts: list[str], body: dict[str, Any]) -> ModelRequest:
    return ModelRequest(
        vendor=vendor,
        role=role,
        streamed=False,
        system="",
        user="\n".join(texts),
        max_tokens=None,
        temperature=None,
        raw=body | {"texts": texts},
    )
