"""What can go wrong for a caller: each class carries the HTTP status, each error its code and sentence.

ColloquyError
├── InvalidInput       400  the request breaks a rule
├── Unauthenticated    401  no valid credentials
├── Forbidden          403  known, but not allowed
├── NotFound           404  it does not exist, or it is somebody else's
├── Conflict           409  it exists, in a state that refuses the request
├── TooLarge           413  more bytes than the limit
├── TooManyRequests    429  more often than the limit
├── ModelFailed        502  a model (or another upstream) did not give a usable answer
├── Unavailable        503  a part of our own is down
└── TimedOut           504  the answer was not ready within the budget
"""

from typing import ClassVar


class ColloquyError(Exception):
    """An error with a public code and a sentence that is safe to show.

    `message` goes to the client as it stands: never put an exception's text, a key or user data into it.
    `retry_after` is the number of seconds after which it is worth trying again; `allow` names the methods that a path
    has. `detail` is filled where errors are rendered.
    """

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.retry_after: int | None = None
        self.allow: str | None = None
        self.detail: str | None = None


class InvalidInput(ColloquyError):
    """The request breaks a rule; nothing was changed."""

    status = 400
    default_code = "INVALID_PARAM"


class Unauthenticated(ColloquyError):
    """No credentials, or none that are valid."""

    status = 401
    default_code = "UNAUTHORIZED"


class Forbidden(ColloquyError):
    """The caller is known but not allowed to do this."""

    status = 403
    default_code = "FORBIDDEN"


class NotFound(ColloquyError):
    """It does not exist, or the caller may not know that it does."""

    status = 404
    default_code = "NOT_FOUND"


class Conflict(ColloquyError):
    """The thing is in a state that refuses the request."""

    status = 409
    default_code = "CONFLICT"


class TooLarge(ColloquyError):
    """More bytes than the limit allows."""

    status = 413
    default_code = "TOO_LARGE"


class TooManyRequests(ColloquyError):
    """More often than the limit allows."""

    status = 429
    default_code = "RATE_LIMITED"

    def __init__(self, message: str, *, retry_after: int, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after = retry_after


class ModelFailed(ColloquyError):
    """A model gave no usable answer after all attempts."""

    status = 502
    default_code = "MODEL_FAILED"


class Unavailable(ColloquyError):
    """A part of the service is down."""

    status = 503
    default_code = "UNAVAILABLE"


class TimedOut(ColloquyError):
    """The answer was not ready within its budget."""

    status = 504
    default_code = "TIMEOUT"
