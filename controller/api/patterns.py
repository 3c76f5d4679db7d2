"""The schedule and the parts of a broadcast, as programs send them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from broadcasts.domain.model import Pattern
from broadcasts.domain.programme import PartKind

Day = Annotated[date, Field(ge=date(2000, 1, 1), lt=date(2101, 1, 1))]
Instant = Annotated[AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2101, 1, 1, tzinfo=UTC))]


class PatternIn(BaseModel):
    """What a schedule says beyond its repeat; each field as in `broadcasts.domain.model.Pattern`."""

    model_config = ConfigDict(extra="forbid")
    every: int = 1
    weekdays: list[int] = Field(default=[], max_length=7)
    month_days: list[int] = Field(default=[], max_length=32)
    nth_weekday: tuple[int, int] | None = None
    months: list[int] = Field(default=[], max_length=12)
    minutes: int | None = None
    last_at: time | None = None
    count: int | None = None
    only_on: list[str] = Field(default=[], max_length=20)
    not_on: list[str] = Field(default=[], max_length=20)
    skip_days: list[Day] = Field(default=[], max_length=400)
    skip: list[Instant] = Field(default=[], max_length=400)
    extra: list[Instant] = Field(default=[], max_length=400)
    before: Instant | None = None

    def pattern(self) -> Pattern:
        told: dict[str, Any] = {
            name: tuple(sorted(set(value))) if isinstance(value, list) else value for name, value in self
        }
        for name in ("skip", "extra"):
            told[name] = tuple(each.astimezone(UTC) for each in told[name])
        if self.last_at is not None:
            told["last_at"] = self.last_at.replace(microsecond=0, tzinfo=None)
        if self.before is not None:
            told["before"] = self.before.astimezone(UTC)
        return Pattern(**told)


class PartIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: PartKind
    title: str = Field("", max_length=200)
    asset: str = Field(pattern="^[0-9a-f]{64}$")
