"""A local stand-in for Gemini's Files API; see `ModelServer.files`."""

import threading
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


@dataclass
class UploadedFiles:
    """Keeps what was uploaded until it is deleted.

    Attributes:
        kept: name to content and media type.
        place: where the content is to be sent, in place of the right address.
        states: what a file's states are, from look to look; the last one is repeated.
        refusals: HTTP statuses of requests to come (`start`, `upload`, `look`, `delete`), taken from the front.
        deleted: names, in the order of their deletion.
        requests: how many there were, by kind.
    """

    kept: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    place: str | None = None
    states: list[str] = field(default_factory=lambda: ["ACTIVE"])
    refusals: dict[str, list[int]] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    requests: dict[str, int] = field(default_factory=dict)
    _begun: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reset(self) -> None:
        """Forget everything."""
        with self._lock:
            for kept in (self.kept, self.refusals, self.deleted, self.requests, self._begun):
                kept.clear()
            self.states = ["ACTIVE"]
            self.place = None

    def routes(self) -> list[Route]:
        """Return the routes of the API."""
        return [
            Route("/upload/v1beta/files", self._upload, methods=["POST"]),
            Route("/v1beta/files/{name}", self._look, methods=["GET"]),
            Route("/v1beta/files/{name}", self._delete, methods=["DELETE"]),
        ]

    def _refused(self, kind: str, request: Request) -> Response | None:
        with self._lock:
            self.requests[kind] = self.requests.get(kind, 0) + 1
            refusals = self.refusals.get(kind, [])
            status = refusals.pop(0) if refusals else 0
        if request.headers.get("x-goog-api-key") != "scripted":
            status = 401
        return JSONResponse({"error": {"code": status, "message": "scripted"}}, status_code=status) if status else None

    async def _upload(self, request: Request) -> Response:
        command = request.headers["x-goog-upload-command"]
        if (refused := self._refused("start" if command == "start" else "upload", request)) is not None:
            return refused
        if command == "start":
            size = int(request.headers["x-goog-upload-header-content-length"])
            begun = ((await request.json())["file"]["name"], request.headers["x-goog-upload-header-content-type"], size)
            number = str(len(self._begun))
            self._begun[number] = begun
            # Another host than the one that was asked: nobody may follow it there.
            url = self.place or f"http://elsewhere.invalid/upload/v1beta/files?upload_id={number}"
            return JSONResponse({}, headers={"x-goog-upload-url": url, "x-goog-upload-status": "active"})
        name, media_type, size = self._begun[request.query_params["upload_id"]]
        content = await request.body()
        assert (command, len(content)) == ("upload, finalize", size)
        self.kept[name] = (content, media_type)
        return JSONResponse({"file": self._file(name)}, headers={"x-goog-upload-status": "final"})

    async def _look(self, request: Request) -> Response:
        refused = self._refused("look", request)
        return refused or JSONResponse(self._file(f"files/{request.path_params['name']}"))

    async def _delete(self, request: Request) -> Response:
        if (refused := self._refused("delete", request)) is not None:
            return refused
        name = f"files/{request.path_params['name']}"
        if self.kept.pop(name, None) is None:
            return JSONResponse({"error": {"code": 403, "message": "scripted"}}, status_code=403)
        self.deleted.append(name)
        return JSONResponse({})

    def _file(self, name: str) -> dict[str, Any]:
        with self._lock:
            state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {"name": name, "uri": f"https://generativelanguage.googleapis.com/v1beta/{name}", "state": state}
