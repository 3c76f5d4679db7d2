"""`house`: a furnished database, on SQLite and again on PostgreSQL; `cap`: a feed of warnings in it."""

from support.cap_desk import cap, storm
from support.services import ctx, house, workshop

__all__ = ["cap", "ctx", "house", "storm", "workshop"]
