"""Alembic's entry: works on the connection that `db.migrate` opened, or on the configured database."""

from alembic import context
from sqlalchemy import Connection

from core.settings import Settings
from db.migrate import migration_engine
from db.migrations.tables import METADATA, is_ours


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        include_schemas=True,
        include_name=is_ours,
        version_table_schema="public",
    )
    with context.begin_transaction():
        context.run_migrations()


def _configured_url() -> str:
    url = Settings.load().database_url
    if url is None:
        raise SystemExit("Set DATABASE_URL, or use `colloquy migrate`, which also knows the embedded database.")
    return url.get_secret_value()


def main() -> None:
    """Run the migrations."""
    connection = context.config.attributes.get("connection")
    if connection is not None:
        _migrate(connection)
        return
    engine = migration_engine(_configured_url())
    with engine.begin() as opened:
        _migrate(opened)
    engine.dispose()


main()
