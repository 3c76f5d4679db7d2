"""From a form to a submitted broadcast: what is refused, what an edit does, who may do it where."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from support.services import HERE, NOON, THERE, House, raises

from broadcasts.domain.delivery import State
from broadcasts.domain.model import Field, Priority
from broadcasts.errors import Conflict, LoaError, Refused
from controller.db.tables import AuditEntry, Broadcast, Bulletin, Delivery, Rendition, Station
from controller.services import composing
from controller.services.composing import Preview
from controller.services.views.dry_run import dry_run

TODAY = date(2026, 3, 3)


def preview(house: House, **changed: Any) -> Preview:
    return composing.preview(house.ctx, house.actor("author"), house.draft(**changed))


def keys(problems: Preview) -> list[str]:
    return [problem.key for problem in problems.problems]


def submit_again(house: House, broadcast: str, revision: int | None = None, **changed: Any) -> None:
    composing.submit(house.ctx, house.actor("author"), house.draft(**changed), broadcast, revision)


def status(house: House, broadcast: str) -> tuple[str, int]:
    with house.ctx.db.read() as session:
        row = session.get_one(Broadcast, broadcast)
        return row.status, row.revision


BAD_FORMS: list[tuple[dict[str, Any], str]] = [
    ({"at": time(11, 59)}, "time.past"),
    ({"at": time(12, 0, 5)}, "time.past"),
    ({"first_day": date(2026, 3, 2)}, "time.past"),
    ({"repeat": "daily", "first_day": date(2026, 2, 1), "until_day": date(2026, 3, 2)}, "time.past"),
    ({"at": None}, "time.missing"),
    ({"first_day": None}, "time.missing"),
    ({"first_day": date(9999, 12, 31)}, "time.far"),
    ({"repeat": "daily", "until_day": date(2026, 3, 1)}, "time.until_before_first"),
    ({"areas": ()}, "target.empty"),
    ({"areas": (f"c-{THERE}",)}, "target.empty"),
    ({"areas": ("c-99999",)}, "target.empty"),
    ({"areas": (), "clusters": (f"cl-{THERE}-1",)}, "target.empty"),
    ({"asset": ""}, "asset.missing"),
    ({"asset": "0" * 64}, "asset.missing"),
    ({"title": "   "}, "title.missing"),
    ({"title": "x" * 201}, "title.long"),
    ({"title": "a\x00b"}, "choice.unknown"),
    ({"volume": 101}, "volume.range"),
    ({"volume": -1}, "volume.range"),
    ({"late": "soon"}, "choice.unknown"),
    ({"repeat": "hourly"}, "choice.unknown"),
    ({"on_preempt": "shout"}, "choice.unknown"),
    ({"at": time(12, 9, 59)}, "time.locked"),
    ({"at": time(20, 59, 59)}, "time.quiet"),
    ({"at": time(4, 59), "first_day": date(2026, 3, 4)}, "time.quiet"),
]


def test_a_form_that_cannot_be_is_refused_with_its_reason_and_nothing_is_saved(house: House) -> None:
    for changed, key in BAD_FORMS:
        assert key in keys(preview(house, **changed)), changed
        with pytest.raises(LoaError):
            house.submit(**changed)
    with house.ctx.db.read() as session:
        assert session.scalar(select(func.count()).select_from(Broadcast)) == 0
        assert session.scalar(select(func.count()).select_from(Bulletin)) == 0


@pytest.mark.requirement("R-051")
def test_nothing_is_saved_that_would_sound_outside_five_to_nine_even_with_its_last_second(house: House) -> None:
    """The recording takes two seconds and an encoder's tail."""
    wednesday = date(2026, 3, 4)
    for at in (time(5, 0), time(20, 59, 57)):
        assert keys(preview(house, at=at, first_day=wednesday)) == [], at
    for at in (time(4, 59, 59), time(20, 59, 59), time(23, 0), time(0, 0)):
        assert keys(preview(house, at=at, first_day=wednesday)) == ["time.quiet"], at


@pytest.mark.requirement("R-032")
def test_a_station_with_its_own_regulation_is_held_to_its_own_hours_and_the_refusal_names_it(house: House) -> None:
    with house.ctx.db.write() as session:
        station = session.get_one(Station, f"s-{HERE}")
        station.hours, station.regulation_number = [[6 * 60, 7 * 60], [17 * 60, 18 * 60]], "12/QC-UBND"
    [refused] = preview(house).problems
    assert refused.key == "time.quiet"
    assert refused.fields["number"] == "12/QC-UBND"
    assert refused.fields["hours"] == "06:00-07:00, 17:00-18:00"
    assert keys(preview(house, at=time(17, 30))) == []


def test_a_daily_schedule_is_refused_when_a_single_day_falls_outside_the_hours(house: House) -> None:
    assert keys(preview(house, repeat="daily", at=time(21, 0))) == ["time.quiet"]
    assert len(preview(house, repeat="daily", at=time(6, 0)).starts) == 7


@pytest.mark.requirement("R-014", "R-022")
def test_there_are_three_priorities_the_lower_number_is_the_more_urgent_and_a_form_cannot_ask_for_the_first(
    house: House,
) -> None:
    assert [(each.name, each.value) for each in sorted(Priority)] == [
        ("EMERGENCY", 1),
        ("PRIORITY", 2),
        ("ORDINARY", 3),
    ]
    assert keys(preview(house, priority=1)) == ["priority.emergency"]
    assert [keys(preview(house, priority=level)) for level in (2, 3)] == [[], []]
    assert [keys(preview(house, priority=level)) for level in (0, 4)] == [["choice.unknown"]] * 2


@pytest.mark.requirement("R-021")
def test_the_field_is_one_of_six_by_number(house: House) -> None:
    assert [each.value for each in Field] == [1, 2, 3, 4, 5, 6]
    assert [keys(preview(house, field=number)) for number in (1, 6)] == [[], []]
    assert [keys(preview(house, field=number)) for number in (0, 7)] == [["choice.unknown"]] * 2


@pytest.mark.requirement("R-027")
def test_a_language_must_be_given(house: House) -> None:
    assert [keys(preview(house, language=language)) for language in ("vi", "km")] == [[], []]
    for none in ("", "VI", "vietnamese", "v1", "vi\n"):
        assert keys(preview(house, language=none)) == ["choice.unknown"]


@pytest.mark.requirement("R-027")
def test_a_khmer_title_is_kept_letter_by_letter_with_its_language(house: House) -> None:
    title = "សេចក្តីជូនដំណឹងអំពីទឹកប្រៃ"
    broadcast = house.submit(title=title, language="km", text="ទឹកប្រៃ")
    with house.ctx.db.read() as session:
        bulletin = session.get_one(Bulletin, session.get_one(Broadcast, broadcast).bulletin_id)
        rendition = session.scalars(select(Rendition).where(Rendition.bulletin_id == bulletin.id)).one()
    assert (bulletin.title, rendition.language, rendition.text) == (title, "km", "ទឹកប្រៃ")


def test_what_was_chosen_is_frozen_to_clusters_at_submission(house: House) -> None:
    broadcast = house.submit(areas=(f"c-{HERE}",), clusters=(f"cl-{HERE}-1",))
    with house.ctx.db.read() as session:
        assert session.get_one(Broadcast, broadcast).clusters == [f"cl-{HERE}-{n}" for n in range(1, 6)]


@pytest.mark.requirement("R-008")
def test_a_commune_user_reaches_his_own_poles_only_whatever_he_asks_for(house: House) -> None:
    """Building, editing: `test_approving` has the rest of the walk."""
    found = preview(house, areas=("p-94",), clusters=(f"cl-{THERE}-1",))
    assert {cluster.station_id for cluster in found.clusters} == {f"s-{HERE}"}
    broadcast = house.submit()
    with raises(Refused, "not_yours"):
        composing.submit(house.ctx, house.actor("neighbour"), house.draft(areas=(f"c-{THERE}",)), broadcast)
    assert status(house, broadcast) == ("submitted", 1)


def test_only_a_broadcaster_composes(house: House) -> None:
    for name in ("boss", "kythuat", "tinh"):
        with raises(Refused, "no_right"):
            house.submit(by=name)


def test_a_start_inside_the_lock_window_goes_by_push_now(house: House) -> None:
    soon = {"at": time(12, 2)}
    found = preview(house, **soon)
    assert (found.inside_lock, keys(found)) == (True, ["time.locked"])
    assert keys(preview(house, **soon, push_now=True)) == []
    assert keys(preview(house, at=time(12, 10))) == []


def test_an_edit_reopens_approval_takes_the_old_deliveries_off_the_air_and_is_a_new_revision(house: House) -> None:
    broadcast = house.on_air()
    house.compile()
    assert len(house.plan(f"u-{HERE}-1").items) == 1
    submit_again(house, broadcast, 1, title="Sửa lại", at=time(15, 0))
    assert status(house, broadcast) == ("submitted", 2)
    assert {delivery.state for delivery in house.deliveries(broadcast)} == {State.WITHDRAWN}
    house.compile()
    assert house.plan(f"u-{HERE}-1").items == []


def test_an_edit_of_what_begins_within_the_lock_window_needs_push_now(house: House) -> None:
    broadcast = house.on_air()
    house.clock.set(NOON + timedelta(hours=1, minutes=55))
    with raises(Refused, "time.locked"):
        submit_again(house, broadcast, at=time(17, 0))
    submit_again(house, broadcast, at=time(17, 0), push_now=True)
    assert status(house, broadcast) == ("submitted", 2)


def test_an_edit_of_an_older_revision_is_told_that_the_thing_changed(house: House) -> None:
    broadcast = house.submit()
    submit_again(house, broadcast, 1, title="Lần hai")
    with raises(Conflict, "broadcast.changed"):
        submit_again(house, broadcast, 1, title="Lần ba")
    assert status(house, broadcast) == ("submitted", 2)


def test_the_preview_says_whom_it_displaces_and_who_displaces_it(house: House) -> None:
    ordinary = house.on_air(title="Ca nhạc")
    [clash] = [each for each in preview(house, priority=2).clashes if each.loser.cluster == f"cl-{HERE}-1"]
    assert (clash.loser.broadcast, clash.winner.broadcast) == (ordinary, "")
    assert preview(house, priority=2).titles[ordinary] == "Ca nhạc"
    assert preview(house, at=time(16, 0)).clashes == []


def test_a_submission_is_logged_in_the_same_breath(house: House) -> None:
    broadcast = house.submit()
    with house.ctx.db.read() as session:
        line = session.scalars(select(AuditEntry).where(AuditEntry.about == broadcast)).one()
    assert (line.actor, line.act, line.detail["clusters"]) == ("author", "broadcast.submit", 5)


def test_what_wakes_the_compiler_is_said_after_the_submission(house: House) -> None:
    house.submit()
    assert house.woken == [NOON]
    with house.ctx.db.read() as session:
        assert session.scalar(select(func.count()).select_from(Delivery)) == 0


@pytest.mark.parametrize("name", ["areas", "clusters", "groups", "asset"])
def test_a_sign_that_is_none_is_refused_wherever_it_stands(house: House, name: str) -> None:
    """PostgreSQL takes it in no text; a program that sends it is told so."""
    wish: dict[str, Any] = {name: "\x00" if name == "asset" else ("\x00",)}
    with pytest.raises(Refused):
        composing.submit(house.ctx, house.actor("author"), house.draft(**{"areas": ()} | wish))
    with pytest.raises(Refused), house.ctx.db.read() as session:
        dry_run(session, house.actor("author"), house.now, cluster="\x00")
