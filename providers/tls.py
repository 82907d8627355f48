"""The certificates that our clients trust, read once."""

import ssl
from functools import cache

import httpx


@cache
def trusted() -> ssl.SSLContext:
    """Return the process's TLS context. Blocking at the first call: it takes 20 ms to read the certificates."""
    return httpx.create_ssl_context()
