"""Requests and answers of both vendors' protocols, as far as the real clients use them."""

import base64
import json
from dataclasses import dataclass
from typing import Any

PIECE = 6


@dataclass(frozen=True)
class ModelRequest:
    """One request, whichever vendor's; `role` is the model's name in it."""

    vendor: str
    role: str
    streamed: bool
    system: str
    user: str
    max_tokens: int | None
    temperature: float | None
    raw: dict[str, Any]


def read_openai(body: dict[str, Any]) -> ModelRequest:
    def said(role: str) -> str:
        return "\n".join(str(message["content"]) for message in body["messages"] if message["role"] == role)

    return ModelRequest(
        vendor="openai",
        role=body["model"],
        streamed=bool(body.get("stream")),
        system=said("system"),
        user=said("user"),
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        temperature=body.get("temperature"),
        raw=body,
    )


def read_gemini(body: dict[str, Any], model: str, *, streamed: bool) -> ModelRequest:
    def text(content: dict[str, Any]) -> str:
        return "".join(part.get("text", "") for part in content.get("parts", []))

    config = body.get("generationConfig", {})
    return ModelRequest(
        vendor="gemini",
        role=model,
        streamed=streamed,
        system=text(body.get("systemInstruction", {})),
        user="\n".join(text(content) for content in body["contents"] if content.get("role") == "user"),
        max_tokens=config.get("maxOutputTokens"),
        temperature=config.get("temperature"),
        raw=body,
    )


def read_images(body: dict[str, Any]) -> ModelRequest:
    return ModelRequest(
        vendor="openai",
        role=body["model"],
        streamed=False,
        system="",
        user=body["prompt"],
        max_tokens=None,
        temperature=None,
        raw=body,
    )


def painted(request: ModelRequest, picture: bytes) -> dict[str, Any]:
    """Return the body of an answer with a picture."""
    encoded = base64.b64encode(picture).decode()
    if request.vendor == "gemini":
        part = {"inlineData": {"mimeType": "image/png", "data": encoded}}
        candidate = {
            "content": {"role": "model", "parts": [{"text": "好的："}, part]},
            "finishReason": "STOP",
            "index": 0,
        }
        return {"candidates": [candidate], "modelVersion": "scripted", "usageMetadata": _gemini_usage("四个字了")}
    used = {"input_tokens": 11, "output_tokens": 4, "total_tokens": 15}
    return {"created": 1, "data": [{"b64_json": encoded}], "usage": used}


def whole(request: ModelRequest, text: str) -> dict[str, Any]:
    """Return the body of an answer at once."""
    if request.vendor == "gemini":
        return _gemini(text, finished=True) | {"usageMetadata": _gemini_usage(text)}
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    return _openai("chat.completion") | {"choices": [choice], "usage": _openai_usage(text)}


def pieces(request: ModelRequest, text: str) -> list[str]:
    """Return the frames of a streamed answer, the closing ones included."""
    parts = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
    if request.vendor == "gemini":
        bodies = [_gemini(part, finished=False) for part in parts]
        return [_frame(body) for body in [*bodies, _gemini("", finished=True) | {"usageMetadata": _gemini_usage(text)}]]
    chunks: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": {"content": part}, "finish_reason": None}]} for part in parts
    ]
    last: dict[str, Any] = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    usage: dict[str, Any] = {"choices": [], "usage": _openai_usage(text)}
    head = _openai("chat.completion.chunk")
    return [*(_frame(head | chunk) for chunk in [*chunks, last, usage]), "data: [DONE]\n\n"]


def error(request: ModelRequest, status: int) -> dict[str, Any]:
    """Return the body of an error."""
    if request.vendor == "gemini":
        return {"error": {"code": status, "message": "scripted", "status": "UNAVAILABLE"}}
    return {"error": {"message": "scripted", "type": "scripted", "code": None}}


def _frame(body: dict[str, Any]) -> str:
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n"


def _openai(kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": "scripted"}


def _openai_usage(text: str) -> dict[str, int]:
    return {"prompt_tokens": 11, "completion_tokens": len(text), "total_tokens": 11 + len(text)}


def _gemini(text: str, *, finished: bool) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
    return {"candidates": [candidate | ({"finishReason": "STOP"} if finished else {})], "modelVersion": "scripted"}


def _gemini_usage(text: str) -> dict[str, int]:
    return {"promptTokenCount": 11, "candidatesTokenCount": len(text), "totalTokenCount": 11 + len(text)}
