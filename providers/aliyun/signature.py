"""The signature of Alibaba's RPC services: HMAC-SHA1 over the canonical query (W19).

Source: Alibaba Cloud's help, "Obtain a token by calling the CreateToken operation" (document 113251).
"""

import base64
import hmac
from collections.abc import Mapping
from urllib.parse import quote


def canonical_query(parameters: Mapping[str, str]) -> str:
    """Return the parameters in the order of their names, percent-encoded by RFC 3986 (a space is `%20`)."""
    return "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in sorted(parameters.items()))


def sign(parameters: Mapping[str, str], secret: str) -> str:
    """Return the signature of a GET of `/` with these parameters, base64."""
    text = f"GET&{_encoded('/')}&{_encoded(canonical_query(parameters))}"
    return base64.b64encode(hmac.digest(f"{secret}&".encode(), text.encode(), "sha1")).decode()


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")
