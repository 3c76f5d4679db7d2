"""One workshop for the whole run: `house` is a furnished database, on SQLite and again on PostgreSQL."""

from support.services import ctx, house, workshop

__all__ = ["ctx", "house", "workshop"]
