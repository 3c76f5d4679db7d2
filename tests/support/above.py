"""People who look after more than one commune."""

from __future__ import annotations

from support.services import HERE, House

from controller.services import accounts
from controller.services.rights import Role


def people_above(house: House) -> None:
    """`chief`, `writer` and `head` of the province, and a `clerk` who administers the commune HERE alone."""
    with house.ctx.db.write() as session:
        for name, role, area in (
            ("chief", Role.ADMINISTRATOR, "p-94"),
            ("clerk", Role.ADMINISTRATOR, f"c-{HERE}"),
            ("writer", Role.BROADCASTER, "p-94"),
            ("head", Role.APPROVER, "p-94"),
        ):
            accounts.create_user(house.ctx, session, accounts.FirstPassword.make(), name, name, role, area, "test")
    house.add_as("writer")
