"""Alembic's scripts: how the tables came to be as `schema` has them."""
