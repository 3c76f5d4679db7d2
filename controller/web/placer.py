"""Forms with a file of whoever looks after places: photos of poles, tables of clusters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends

from controller.services.rights import Right
from controller.web.desk import Desk, large_form, person


def placer(desk: Annotated[Desk, Depends(person)]) -> Desk:
    """Raises Refused("no_right") before anything of a large body is read."""
    desk.actor.need(Right.PLACES)
    return desk


async def placer_form(desk: Annotated[Desk, Depends(placer)]) -> AsyncIterator[Desk]:
    async for read in large_form(desk):
        yield read


PlacerForm = Annotated[Desk, Depends(placer_form)]
