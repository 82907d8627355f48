"""What an error looks like on the wire, one model for each shape that the seeds ask for (K02)."""

from typing import Final, Literal, Self

from pydantic import BaseModel

from core.errors import ColloquyError

SERVER_ERROR: Final = 500


class ErrorBody(BaseModel):
    """The base of all shapes: made from an error, the same for every failure of a family."""

    @classmethod
    def of(cls, error: ColloquyError) -> Self:
        """Return the body that shows `error`."""
        raise NotImplementedError


class DetailBody(ErrorBody):
    """Audio (000), and paths of no family: `detail` is always one sentence (A010, K03)."""

    detail: str

    @classmethod
    def of(cls, error: ColloquyError) -> Self:
        """Return the sentence alone."""
        return cls(detail=error.message)


class _CodeAndMsg(BaseModel):
    code: str
    msg: str


class MsgBody(ErrorBody):
    """Interpret (001): the key is `msg` (B024)."""

    error: _CodeAndMsg

    @classmethod
    def of(cls, error: ColloquyError) -> Self:
        """Return code and sentence."""
        return cls(error=_CodeAndMsg(code=error.code, msg=error.message))


class _CodeAndMessage(BaseModel):
    code: str
    message: str


class NestedBody(ErrorBody):
    """Execute (001, B029) and voice calls (002; its seed gives no shape)."""

    success: Literal[False] = False
    error: _CodeAndMessage

    @classmethod
    def of(cls, error: ColloquyError) -> Self:
        """Return code and sentence under `error`."""
        return cls(error=_CodeAndMessage(code=error.code, message=error.message))


class FlatBody(ErrorBody):
    """Chat (003, D033, G40): the sentence, the code, and for our own failures a `detail` to ask us about."""

    success: Literal[False] = False
    error: str
    error_code: str
    detail: str | None = None

    @classmethod
    def of(cls, error: ColloquyError) -> Self:
        """Return sentence and code; `detail` only where the failure is ours."""
        code = "INTERNAL_ERROR" if error.code == ColloquyError.default_code else error.code
        detail = error.detail if error.status >= SERVER_ERROR else None
        return cls(error=error.message, error_code=code, detail=detail)


_KINDS: Final[dict[int, str]] = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "payload_too_large",
    429: "too_many_requests",
    502: "bad_gateway",
    503: "unavailable",
    504: "timeout",
}


class KindBody(ErrorBody):
    """Counseling (004, E014): what kind of refusal, which one, and the sentence."""

    error: str
    code: str
    message: str

    @classmethod
    def of(cls, error: ColloquyError) -> Self:
        """Return the status's name, the code in lower case, and the sentence."""
        return cls(error=_KINDS.get(error.status, "internal"), code=error.code.lower(), message=error.message)
