"""A local stand-in for OSS: objects in memory, V4 signatures recomputed from the published rules, faults on demand.

It speaks path style: `/bucket/key`. https://help.aliyun.com/zh/oss/developer-reference/recommend-to-use-signature-version-4
"""

import hashlib
import hmac
import time
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.kit.serving import ThreadServer

BUCKET: Final = "recordings-of-tests"
REGION: Final = "cn-hangzhou"
KEY_ID: Final = "LTAI-test"
KEY_SECRET: Final = "a-secret-of-tests"


class ObjectStore(ThreadServer):
    """One bucket. `objects` holds content and time of storing by name; `failing` the statuses of the next answers."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, datetime]] = {}
        self.failing: list[int] = []
        self.requests: list[str] = []
        routes = [Route("/{path:path}", self._answer, methods=["GET", "PUT", "HEAD", "DELETE", "POST"])]
        super().__init__(routes)

    async def _answer(self, request: Request) -> Response:
        self.requests.append(request.method)
        body = await request.body()
        if self.failing and (status := self.failing.pop(0)):
            return _error(status, "InternalError" if status >= 500 else "AccessDenied")
        if not _is_signed(request):
            return _error(403, "SignatureDoesNotMatch")
        bucket, _, name = request.path_params["path"].partition("/")
        if bucket != BUCKET:
            return _error(404, "NoSuchBucket")
        if not name:
            return self._delete_many(body) if request.method == "POST" else self._list(request)
        return self._object(request.method, name, body)

    def _object(self, method: str, name: str, body: bytes) -> Response:
        if method == "PUT":
            self.objects[name] = (body, datetime.now(UTC))
            return Response()
        if method == "DELETE":
            self.objects.pop(name, None)
            return Response(status_code=204)
        if name not in self.objects:
            return _error(404, "NoSuchKey")
        content, stored = self.objects[name]
        return Response(content, headers={"Last-Modified": stored.strftime("%a, %d %b %Y %H:%M:%S GMT")})

    def _list(self, request: Request) -> Response:
        prefix, after = request.query_params.get("prefix", ""), request.query_params.get("continuation-token", "")
        found = sorted(name for name in self.objects if name.startswith(prefix) and name > after)
        page = found[:2]  # Small pages: who lists must ask for the next one.
        entries = "".join(
            f"<Contents><Key>{escape(name)}</Key><LastModified>{self.objects[name][1]:%Y-%m-%dT%H:%M:%S.000Z}"
            f"</LastModified><Size>{len(self.objects[name][0])}</Size></Contents>"
            for name in page
        )
        more = len(found) > len(page)
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        return Response(
            f"<ListBucketResult><Name>{BUCKET}</Name><IsTruncated>{str(more).lower()}</IsTruncated>"
            f"<KeyCount>{len(page)}</KeyCount>{token}{entries}</ListBucketResult>",
            media_type="application/xml",
        )

    def _delete_many(self, body: bytes) -> Response:
        for found in ET.fromstring(body).iter("Key"):
            self.objects.pop(found.text or "", None)
        return Response("<DeleteResult></DeleteResult>", media_type="application/xml")


def _is_signed(request: Request) -> bool:
    query = dict(pair.partition("=")[::2] for pair in request.url.query.split("&") if pair)
    if "x-oss-signature" in query:
        given, moment = query.pop("x-oss-signature"), query["x-oss-date"]
        begun = datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        if time.time() > begun + int(query["x-oss-expires"]):
            return False
    else:
        given = request.headers.get("authorization", "").rpartition("Signature=")[2]
        moment = request.headers.get("x-oss-date", "")
    signed = sorted(
        (name, value)
        for name, value in request.headers.items()
        if name.startswith("x-oss-") or name in {"content-type", "content-md5"}
    )
    canonical = "\n".join(
        (
            request.method,
            quote(f"/{request.path_params['path']}", safe="/"),
            "&".join(f"{name}={value}" if value else name for name, value in sorted(query.items())),
            "".join(f"{name}:{value}\n" for name, value in signed),
            "",
            request.headers.get("x-oss-content-sha256", "UNSIGNED-PAYLOAD"),
        )
    )
    scope = f"{moment[:8]}/{REGION}/oss/aliyun_v4_request"
    text = f"OSS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"aliyun_v4{KEY_SECRET}".encode()
    for part in (moment[:8], REGION, "oss", "aliyun_v4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.compare_digest(hmac.new(key, text.encode(), "sha256").hexdigest(), given)


def _error(status: int, code: str) -> Response:
    return Response(
        f"<Error><Code>{code}</Code><Message>told to</Message></Error>", status, media_type="application/xml"
    )
