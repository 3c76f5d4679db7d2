"""The languages of a bulletin, as programs send them and are told of them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from controller.services.renditions import Hearing


class TranslationIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    language: str = Field(pattern="^[a-z]{2,3}$")
    asset: str = Field(pattern="^[0-9a-f]{64}$")
    title: str = Field("", max_length=200)
    text: str = Field("", max_length=20_000)


class HearingOut(BaseModel):
    """What some clusters hear of it; `missing` are languages of theirs that it has not."""

    languages: list[str]
    missing: list[str]
    duration_ms: int
    clusters: int

    @classmethod
    def of(cls, it: Hearing) -> HearingOut:
        choice, length = it.layout.choice, round(it.layout.length.total_seconds() * 1000)
        return cls(
            languages=list(choice.languages),
            missing=list(choice.missing),
            duration_ms=length,
            clusters=len(it.clusters),
        )
