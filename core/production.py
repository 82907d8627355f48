"""What a production server must be told, and what it must not be: one sentence each (X030, K20, K30, W01, W12)."""

from collections.abc import Iterator

from core.settings import SHORTEST_SECRET, Settings


def refusals(settings: Settings) -> list[str]:
    """Return the reasons not to start with these settings; none in development and in tests."""
    return list(_refusals(settings)) if settings.env == "production" else []


def _refusals(settings: Settings) -> Iterator[str]:
    if settings.jwt_secret is None:
        yield f"JWT_SECRET is missing: the key that signs all tokens, at least {SHORTEST_SECRET} random bytes."
    if settings.secrets_key is None:
        yield "SECRETS_KEY is missing: the key that other services' secrets are stored under (openssl rand -base64 32)."
    if settings.database_url is None:
        yield "DATABASE_URL is missing: production needs a PostgreSQL server of its own."
    if settings.frontend_auth is None:
        yield "FRONTEND_AUTH is missing: say `token`, or `off` if anybody may use the chat endpoints."
    if settings.auth_echo_code:
        yield "AUTH_ECHO_CODE is set: it shows login codes to whoever asks for one, and is for development only."
    if settings.debug:
        yield "DEBUG is set: it shows internal errors to clients, and is for development only."
