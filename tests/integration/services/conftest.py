"""Every test here runs on SQLite and on PostgreSQL."""

from support.services import ctx, house, workshop

__all__ = ["ctx", "house", "workshop"]
