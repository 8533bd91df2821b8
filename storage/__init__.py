"""Repositories, one module an aggregate, over one SQLite file an actor."""

from storage.database import Database, Reader, Schema, Unit

__all__ = ["Database", "Reader", "Schema", "Unit"]
