"""Tokens: what was not signed here, with our algorithm and for us, is nobody's (X030, K18)."""

import base64
import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Unauthenticated
from core.ids import RandomIds
from server.auth.principal import Principal
from server.auth.tokens import Claims, Tokens
from tests.kit.people import SetClock

SECRET = "s" * 32
PRINCIPAL = Principal(uuid4(), is_admin=True, realm="phone")


def service(secret: str = SECRET, clock: SetClock | None = None) -> Tokens:
    return Tokens(secret, timedelta(hours=168), clock or SetClock(), RandomIds())


def claims(**changes: Any) -> dict[str, Any]:
    made = jwt.decode(service().issue(PRINCIPAL).text, options={"verify_signature": False})
    return {name: value for name, value in (made | changes).items() if value is not None}


def test_what_a_token_says() -> None:
    token = service().issue(PRINCIPAL)
    said = jwt.decode(token.text, options={"verify_signature": False})
    assert set(said) == {"iss", "aud", "sub", "realm", "role", "iat", "exp", "jti"}
    assert (said["sub"], said["realm"], said["role"]) == (str(PRINCIPAL.user_id), "phone", "admin")
    assert said["exp"] - said["iat"] == token.expires_in == 604800
    assert jwt.get_unverified_header(token.text)["alg"] == "HS256"
    assert service().read(token.text) == Claims(PRINCIPAL.user_id, "phone")


def test_no_two_tokens_are_equal() -> None:
    assert service().issue(PRINCIPAL).text != service().issue(PRINCIPAL).text


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "other"},
        {"aud": "other"},
        {"sub": "7"},
        {"sub": None},
        {"realm": "root"},
        {"realm": None},
        {"role": None},
        {"jti": None},
        {"exp": None},
        {"exp": "never"},
        {"exp": 10**30},
        {"exp": -1},
        {"nbf": 10**12},
    ],
    ids=str,
)
def test_a_signature_is_not_enough(changes: dict[str, Any]) -> None:
    forged = jwt.encode(claims(**changes), SECRET, "HS256") if changes.get("exp") != "never" else _raw(changes)
    with pytest.raises(Unauthenticated):
        service().read(forged)


def _raw(changes: dict[str, Any]) -> str:
    return jwt.PyJWS().encode(json.dumps(claims(**changes)).encode(), SECRET, "HS256")


def test_another_secret_and_other_algorithms() -> None:
    with pytest.raises(Unauthenticated):
        service().read(service("t" * 32).issue(PRINCIPAL).text)
    for algorithm in ("HS384", "HS512"):
        with pytest.raises(Unauthenticated):
            service().read(jwt.encode(claims(), SECRET * 2, algorithm))
    unsigned = ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in ({"alg": "none", "typ": "JWT"}, claims())
    )
    with pytest.raises(Unauthenticated):
        service().read(unsigned + ".")


@given(st.text(max_size=200))
def test_any_text_at_all(text: str) -> None:
    with pytest.raises(Unauthenticated):
        service().read(text)


@given(st.integers(0, 400), st.integers(0, 255))
def test_any_changed_byte(position: int, byte: int) -> None:
    token = service().issue(PRINCIPAL).text.encode()
    position %= len(token)
    changed = token[:position] + bytes([byte]) + token[position + 1 :]
    # The last characters of a base64 part may have bits that mean nothing.
    if changed == token:
        return
    try:
        assert service().read(changed.decode("latin-1")) == Claims(PRINCIPAL.user_id, "phone")
    except Unauthenticated:
        return
    assert token[:-1] == changed[:-1]
