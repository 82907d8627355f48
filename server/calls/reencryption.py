"""Brings Alibaba's secrets and tokens under the newest key (X032), so that an older one may go."""

from collections.abc import AsyncIterator, Callable
from typing import Final
from uuid import UUID

from psycopg.sql import SQL, Identifier

from core.keyring import Keyring, KeyringError
from db.database import Pool
from db.rewriting import Count, Row, Values, rewrite
from server.calls.aliyun_tokens import secret_purpose, token_purpose

_PURPOSES: Final[dict[str, Callable[[UUID], str]]] = {"access_key_secret": secret_purpose, "token": token_purpose}


async def reencrypt(pool: Pool, keyring: Keyring) -> AsyncIterator[tuple[str, Count]]:
    """Rewrite all that was encrypted with an older key, inactive rows too; yields what became of each column."""
    for column, purpose in _PURPOSES.items():
        # One of another key, or of none that can be told.
        older = SQL("split_part({}, ':', 1) <> %s").format(Identifier(column))
        values = Values("public.aliyun_configs", ("id",), (column,), older)
        yield values.name, await rewrite(pool, values, keyring.newest, _renewing(keyring, purpose))


def _renewing(keyring: Keyring, purpose: Callable[[UUID], str]) -> Callable[[Row, Row], Row | None]:
    def renewed(key: Row, old: Row) -> Row | None:
        [config_id], [stored] = key, old
        try:
            text = keyring.decrypt_text(stored, purpose(config_id))
        except KeyringError:
            return None
        return [keyring.encrypt_text(text, purpose(config_id))]

    return renewed
