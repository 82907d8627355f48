"""A local stand-in for both vendors' HTTP APIs: the model's name is the role, answers and faults come from a script.

It runs in a thread of its own, so tests of any kind, and subprocesses under test, can use it.
"""

import asyncio
import json
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.kit import embeddings
from tests.kit.model_faults import Body, CutStream, Delay, Fault, MalformedJson, SlowTokens, Status
from tests.kit.model_files import UploadedFiles
from tests.kit.model_protocols import ModelRequest, error, painted, pieces, read_gemini, read_images, read_openai, whole
from tests.kit.serving import ThreadServer

Answer = str | bytes | Fault
Script = Answer | Callable[[ModelRequest], Answer]


class ModelServer(ThreadServer):
    """Scripted models. The last answer of a script is repeated; a role without one gives a plain sentence.

    An answer of bytes is a picture.
    """

    def __init__(self) -> None:
        self._scripts: dict[str, list[Script]] = {}
        self._requests: dict[str, list[ModelRequest]] = defaultdict(list)
        self._lock = threading.Lock()
        self.files = UploadedFiles()
        routes = [
            *self.files.routes(),
            Route("/v1/chat/completions", self._openai, methods=["POST"]),
            Route("/v1/embeddings", self._openai_embeddings, methods=["POST"]),
            Route("/v1/images/generations", self._images, methods=["POST"]),
            Route("/v1beta/models/{call:path}", self._gemini, methods=["POST"]),
        ]
        super().__init__(routes)

    def environment(self, *, provider: str, roles: Iterable[str]) -> dict[str, str]:
        """Return the settings that make Colloquy ask this server."""
        return {f"MODEL_{role.upper()}": f"{provider}:{role}" for role in roles} | {
            "OPENAI_BASE_URL": f"{self.address}/v1",
            "OPENAI_API_KEY": "scripted",
            "DASHSCOPE_BASE_URL": f"{self.address}/v1",
            "DASHSCOPE_API_KEY": "scripted",
            "GOOGLE_GEMINI_BASE_URL": self.address,
            "GOOGLE_API_KEY": "scripted",
        }

    def script(self, role: str, *answers: Script) -> None:
        """Say what the role's model answers, request by request."""
        with self._lock:
            self._scripts[role] = list(answers)

    def calls(self, role: str) -> int:
        """Return how often the role's model was asked."""
        return len(self.requests(role))

    def requests(self, role: str) -> list[ModelRequest]:
        """Return what the role's model was asked."""
        with self._lock:
            return list(self._requests[role])

    def reset(self) -> None:
        """Forget scripts and requests."""
        with self._lock:
            self._scripts.clear()
            self._requests.clear()
        self.files.reset()

    def _next(self, request: ModelRequest) -> Answer:
        with self._lock:
            self._requests[request.role].append(request)
            script = self._scripts.get(request.role) or ["好的。"]
            chosen = script.pop(0) if len(script) > 1 else script[0]
        return chosen(request) if callable(chosen) else chosen

    async def _openai(self, request: Request) -> Response:
        return await self._answer(read_openai(await request.json()))

    async def _images(self, request: Request) -> Response:
        return await self._answer(read_images(await request.json()))

    async def _gemini(self, request: Request) -> Response:
        model, _, method = request.path_params["call"].partition(":")
        if method == "batchEmbedContents":
            return await self._embed(embeddings.read_gemini(await request.json(), model))
        return await self._answer(
            read_gemini(await request.json(), model, streamed=method.startswith("streamGenerateContent"))
        )

    async def _openai_embeddings(self, request: Request) -> Response:
        return await self._embed(embeddings.read_openai(await request.json()))

    async def _embed(self, request: ModelRequest) -> Response:
        proper = embeddings.answer(request)
        match self._next(request):
            case Status(code, retry_after):
                headers = {} if retry_after is None else {"retry-after": str(retry_after)}
                return JSONResponse(error(request, code), status_code=code, headers=headers)
            case Body() | MalformedJson() as fault:
                return _as_it_is(request, fault)
            case CutStream():
                return StreamingResponse(_broken_off(json.dumps(proper)[:20]), media_type="application/json")
            case Delay(seconds):
                await asyncio.sleep(seconds)
        return JSONResponse(proper)

    async def _answer(self, request: ModelRequest) -> Response:
        match self._next(request):
            case Status(code, retry_after):
                headers = {} if retry_after is None else {"retry-after": str(retry_after)}
                return JSONResponse(error(request, code), status_code=code, headers=headers)
            case Body() | MalformedJson() as fault:
                return _as_it_is(request, fault)
            case CutStream(text, after, quietly):
                return StreamingResponse(_cut(request, text, after, quietly=quietly), media_type="text/event-stream")
            case Delay(seconds, text):
                await asyncio.sleep(seconds)
                return _proper(request, text)
            case SlowTokens(text, seconds):
                return _proper(request, text, pause=seconds)
            case (str() | bytes()) as answer:
                return _proper(request, answer)


def _as_it_is(request: ModelRequest, fault: Body | MalformedJson) -> Response:
    if isinstance(fault, Body):
        return Response(fault.text, media_type=fault.kind)
    if request.streamed:
        return Response('data: {"choices": [{"delta"\n\n', media_type="text/event-stream")
    return Response('{"choices": [{"mess', media_type="application/json")


def _proper(request: ModelRequest, text: str | bytes, pause: float = 0) -> Response:
    if isinstance(text, bytes):
        return JSONResponse(painted(request, text))
    if request.streamed:
        return StreamingResponse(_paused(pieces(request, text), pause), media_type="text/event-stream")
    return JSONResponse(whole(request, text))


async def _broken_off(text: str) -> AsyncIterator[str]:
    yield text
    raise ConnectionResetError("scripted")


async def _paused(frames: list[str], seconds: float) -> AsyncIterator[str]:
    for frame in frames:
        yield frame
        await asyncio.sleep(seconds)


async def _cut(request: ModelRequest, text: str, after: int, *, quietly: bool) -> AsyncIterator[Any]:
    frames = pieces(request, text) if request.streamed else [json.dumps(whole(request, text))[:20]]
    for frame in frames[:after]:
        yield frame
    if not quietly:
        # uvicorn closes the connection of a response that raises, without the closing chunk.
        raise ConnectionResetError("scripted")
