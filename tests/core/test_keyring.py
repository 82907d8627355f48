"""Encryption at rest: what is encrypted under one key of the ring is read with it, and with nothing else (X032)."""

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.keyring import Keyring, KeyringError, new_key
from core.settings import Settings, SettingsError


def key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


OLD, NEW = key(), key()


@given(st.binary(max_size=500))
def test_round_trip(plaintext: bytes) -> None:
    ring = Keyring.parse(NEW)
    key_id, data = ring.encrypt(plaintext, b"p")
    assert ring.decrypt(key_id, data, b"p") == plaintext
    assert ring.encrypt(plaintext, b"p")[1] != data


def test_the_newest_encrypts_and_all_decrypt() -> None:
    _, old = Keyring.parse(f"a:{OLD}").encrypt(b"text", b"p")
    ring = Keyring.parse(f"b:{NEW}, a:{OLD}")
    assert ring.decrypt("a", old, b"p") == b"text"
    assert ring.encrypt(b"text", b"p")[0] == "b"


def test_what_cannot_be_read() -> None:
    ring = Keyring.parse(f"a:{OLD}")
    key_id, data = ring.encrypt(b"text", b"p")
    for wrong_id, wrong_data, purpose in [
        ("b", data, b"p"),
        (key_id, data, b"q"),
        (key_id, data[:-1] + bytes([data[-1] ^ 1]), b"p"),
        (key_id, data[:20], b"p"),
        (key_id, b"", b"p"),
    ]:
        with pytest.raises(KeyringError):
            ring.decrypt(wrong_id, wrong_data, purpose)
    with pytest.raises(KeyringError):
        Keyring.parse(f"a:{NEW}").decrypt(key_id, data, b"p")


@given(st.text(max_size=200), st.text(max_size=20))
def test_texts(text: str, purpose: str) -> None:
    ring = Keyring.parse(f"b:{NEW},a:{OLD}")
    old = Keyring.parse(f"a:{OLD}").encrypt_text(text, purpose)
    new = ring.encrypt_text(text, purpose)
    assert ring.decrypt_text(old, purpose) == ring.decrypt_text(new, purpose) == text
    assert (ring.is_newest(old), ring.is_newest(new)) == (False, True)
    for wrong in (new.replace("b:", "a:", 1), new[:-4], "b:", "", "c:" + new, new + "é"):
        with pytest.raises(KeyringError):
            ring.decrypt_text(wrong, purpose)
    with pytest.raises(KeyringError):
        ring.decrypt_text(new, purpose + "x")


def test_a_new_key_is_a_ring() -> None:
    assert new_key() != new_key()
    Keyring.parse(new_key())


@pytest.mark.parametrize(
    "text",
    ["", "short", OLD[:-4], "a:", f"a b:{OLD}", f"a:{OLD},a:{NEW}", f"{OLD},{NEW}", f"a:{OLD},", "é" * 44],
    ids=range(9),
)
def test_rings_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="key"):
        Keyring.parse(text)


def test_the_setting_is_checked_at_the_start_and_not_quoted() -> None:
    with pytest.raises(SettingsError, match="CHECKPOINT_KEY") as error:
        Settings.load({"CHECKPOINT_KEY": "hunter2"}, dotenv=None)
    assert "hunter2" not in str(error.value)
    assert OLD not in repr(Settings.load({"CHECKPOINT_KEY": OLD}, dotenv=None))
