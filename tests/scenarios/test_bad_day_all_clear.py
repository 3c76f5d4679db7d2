"""The bad day: one storm over the province, an all-clear for one commune, and what each villager hears of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.bad_day import MINUTE, BadDay

from broadcasts.domain.tally import Mark, Why
from broadcasts.wire.alert import AlertKind
from controller.services import emergencies
from controller.services.alert_calls import Call, Content
from controller.services.seeding import PROVINCE
from controller.services.targets import Target
from device_sim.faults import Fault


def press(day: BadDay, kind: AlertKind, sound: str, target: Target, **told: object) -> str:
    content = Content(recordings=(("vi", day.studio.sounds[sound]),))
    actor = day.on_duty
    with day.ctx.db.read() as session:
        word = emergencies.preview(day.ctx, session, actor, target).word
    call = Call(kind, target, content, "Bão số 9", confirmed=word, **told)  # type: ignore[arg-type]
    return emergencies.sound(day.ctx, actor, call)


@pytest.mark.requirement("R-060", "R-064", "R-069")
def test_an_all_clear_ends_the_storm_in_its_commune_and_nowhere_else(day: BadDay) -> None:
    dark, *here = day.posts[:5]
    there = day.posts[5:]
    day.until("07:10")
    storm = press(day, AlertKind.STORM, "song", Target(areas=(PROVINCE[0],)), lasts=timedelta(hours=6))
    day.until("08:05")
    for post in day.posts:
        starts = [sound.from_ms for sound in post.pole.heard]
        assert len(starts) == 3, "twice at once, and on the full hour"
        assert 0 <= starts[0] - day.moment("07:10") < 10_000
        assert starts[1] - post.pole.heard[0].to_ms < 5_000
        assert abs(starts[2] - day.moment("08:00")) < 2_000
    day.befall(Fault.POWER_CUT, dark, lasts=90 * MINUTE)
    day.until("08:20")
    commune = f"c-{here[0].name.split('-')[1]}"
    clear = press(day, AlertKind.ALL_CLEAR, "news", Target(areas=(commune,)))
    day.until("11:30")
    for post in here:
        assert [sound.item for sound in post.pole.heard] == [storm] * 3 + [clear] * 2
    for post in there:
        assert [sound.item for sound in post.pole.heard] == [storm] * 6, "08, 09, 10 and 11 o'clock"
    assert [sound.item for sound in dark.pole.heard] == [storm] * 3, "what it slept through never sounds there"
    with day.ctx.db.read() as session:
        of_storm = emergencies.tally(session, storm, day.ctx.clock.now())
        of_clear = emergencies.tally(session, clear, day.ctx.clock.now())
    assert {line.found.mark for line in of_storm.lines} == {Mark.HEARD}
    assert of_storm.sums.silent == 5
    assert of_storm.sums.last_s is not None
    assert of_storm.sums.last_s < 10
    marks = {line.unit: (line.found.mark, line.found.why) for line in of_clear.lines}
    assert marks.pop(dark.name) == (Mark.NOT_REACHED, Why.EXPIRED)
    assert {mark for mark, _ in marks.values()} == {Mark.HEARD}
