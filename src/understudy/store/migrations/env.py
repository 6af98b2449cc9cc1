"""Run by Alembic, on the connection that `migrate` opened and in its transaction."""

from alembic import context

from understudy.store.schema import METADATA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
