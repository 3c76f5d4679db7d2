"""Two days of bad luck with the real controller on PostgreSQL: the same promises hold, and the same seed ends the same
way as on SQLite."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.services import ENGINES, Workshop

from broadcasts.audio.chain import Limits
from broadcasts.audio.store import Store
from broadcasts.clock import ManualClock
from broadcasts.ids import CountingIds
from controller.bootstrap.audio_room import StoredAudio
from controller.bootstrap.keys import FileKeyring
from controller.bootstrap.officers import Officers
from controller.bootstrap.virtual import Furnished, VirtualController
from controller.db import migrate
from controller.db.engine import Database
from controller.services.context import Context
from controller.services.seeding import seed
from device_sim.counterpart import Setting
from device_sim.prove import Result, prove
from device_sim.scenario import Scene

SCENE = Scene(units=5, days=2, seed=3)


def furnished(url: str, setting: Setting) -> Furnished:
    db, clock = Database(url), ManualClock(setting.start)
    migrate.upgrade(db)
    audio = StoredAudio(Store(setting.folder / "audio"), Limits())
    keys = FileKeyring.make_missing(setting.folder / "keys")
    seeded = seed(Context(db, clock, clock, CountingIds(), audio, keys, lambda: None), clusters=setting.units)
    assert seeded is not None
    return Furnished(db, seeded.enrolments)


@pytest.fixture(scope="module")
def results(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    found = []
    for engine in ENGINES:
        folder: Path = tmp_path_factory.mktemp(engine)
        with workshop.empty(engine, folder) as url:

            def open_on(setting: Setting, url: str = url) -> VirtualController:
                return VirtualController(
                    setting,
                    lambda ctx: Officers(ctx, setting.seed, setting.start, setting.days, setting.folder),
                    furnished(url, setting),
                )

            found.append(prove(SCENE, open_on))
    return found


@pytest.mark.requirement("R-048", "R-137")
def test_days_of_bad_luck_break_no_promise_on_either_database(results: list[Result]) -> None:
    for result in results:
        assert result.broken == ()
        assert result.judgement.verdicts["heard"] >= 5
        assert result.exit_code == 0


def test_the_database_makes_no_difference_to_what_is_heard(results: list[Result]) -> None:
    first, second = results
    assert first.judgement == second.judgement
