"""Brings what is encrypted of checkpoints under the newest key (X032), so that an older one may go."""

from collections.abc import AsyncIterator
from typing import Final

from psycopg.sql import SQL

from checkpoints.encryption import KeyringCipher
from core.keyring import Keyring, KeyringError
from db.database import Pool
from db.rewriting import Count, Row, Values, rewrite

# A value's type ends with its cipher's name; one that was written without a key has none, and stays as it is.
_OLDER: Final = SQL("type LIKE '%%+aes256gcm:%%' AND split_part(type, '+', 2) <> %s")
_PLACE: Final = ("thread_id", "checkpoint_ns")
_VALUES: Final = tuple(
    Values(f"checkpoints.{table}", _PLACE + key, ("type", "blob"), _OLDER)
    for table, key in {
        "checkpoint_blobs": ("channel", "version"),
        "checkpoint_writes": ("checkpoint_id", "task_id", "idx"),
        "list_items": ("channel", "seq"),
    }.items()
)


async def reencrypt(pool: Pool, keyring: Keyring) -> AsyncIterator[tuple[str, Count]]:
    """Rewrite all values that were encrypted with an older key; yields what became of each table's."""
    cipher = KeyringCipher(keyring)
    newest = cipher.newest

    def renewed(_key: Row, old: Row) -> Row | None:
        kind, _plus, name = old[0].partition("+")
        try:
            plain = cipher.decrypt(name, bytes(old[1]))
        except KeyringError:
            return None
        name, data = cipher.encrypt(plain)
        return f"{kind}+{name}", data

    for values in _VALUES:
        yield values.name, await rewrite(pool, values, newest, renewed)
