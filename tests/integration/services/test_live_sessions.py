"""Live voices as state: asked for, approved, on air, cut off, kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from support.live_studio import Studio
from support.live_voice import told_of

from broadcasts.clock import unix_ms
from broadcasts.errors import Conflict, Refused
from broadcasts.wire.trust import Use
from controller.db.tables import Asset, AuditEntry, Cluster, RoleGrant, Station, User
from controller.services import live_keeping, live_sessions
from controller.services.live_air import Air, Share
from controller.services.live_room import LiveRoom
from controller.services.live_rules import lists
from controller.services.recordings import heard_by


def test_nothing_is_on_air_that_nobody_else_approved(studio: Studio) -> None:
    name = live_sessions.ask(studio.ctx, studio.author, studio.wish())
    with pytest.raises(Refused, match=r"live\.not_approved"):
        studio.begin(name)
    live_sessions.decide(studio.ctx, studio.approver, name, yes=False, note="Không cần phát trực tiếp")
    with pytest.raises(Refused, match=r"live\.over"):
        studio.begin(name)
    assert not studio.ears.documents
    assert studio.row(name).state == "rejected"


def test_an_approved_voice_reaches_the_commune_and_is_kept(studio: Studio) -> None:
    name = studio.approved(chime="")
    mouth = studio.begin(name)
    studio.speak(mouth, 3)
    assert studio.row(name).state == "on_air"
    scope, document = studio.ears.documents[0]
    assert scope == document.scope == studio.house.commune
    assert (document.item, document.target, document.level) == (name, "all", 3)
    assert document.key == studio.row(name).key_x
    assert len(studio.ears.packets) >= 28
    live_sessions.stop(studio.ctx, studio.author, name, studio.room)
    studio.wait(1)
    row = studio.row(name)
    assert (row.state, row.end_why, row.ended_by) == ("ended", "hand", "phatthanh")
    assert row.packets == len(studio.ears.packets)
    live_keeping.keep(studio.ctx, studio.clock.now())
    with studio.ctx.db.read() as session:
        asset = session.get_one(Asset, studio.row(name).asset_sha256)
    assert 2_500 < asset.duration_ms < 3_100
    assert asset.loudness_lufs is not None
    assert abs(asset.loudness_lufs + 16) < 1
    assert heard_by(studio.ctx, studio.approver, asset.sha256).is_file()
    with pytest.raises(Refused, match=r"asset\.unknown"):
        heard_by(studio.ctx, studio.house.actor("noi-khac"), asset.sha256)
    assert not list((studio.ctx.audio.store.root / "live").iterdir()), "the samples are not kept twice"
    assert studio.lines(name) == ["live.ask", "live.decide", "live.begin", "live.stop", "live.end", "live.recording"]


def test_who_has_no_right_asks_and_decides_nothing(studio: Studio) -> None:
    name = live_sessions.ask(studio.ctx, studio.author, studio.wish())
    with pytest.raises(Refused, match="no_right"):
        live_sessions.ask(studio.ctx, studio.approver, studio.wish())
    with pytest.raises(Refused, match="no_right"):
        live_sessions.decide(studio.ctx, studio.author, name, yes=True)


def test_nobody_speaks_what_another_one_asked_for(studio: Studio) -> None:
    name = studio.approved()
    with pytest.raises(Refused, match="not_yours"):
        live_sessions.begin(studio.ctx, studio.house.actor("nguoi-khac"), name, studio.room)


def test_a_decision_stands_once_and_a_no_says_why(studio: Studio) -> None:
    name = live_sessions.ask(studio.ctx, studio.author, studio.wish())
    with pytest.raises(Refused, match=r"reason\.missing"):
        live_sessions.decide(studio.ctx, studio.approver, name, yes=False)
    live_sessions.decide(studio.ctx, studio.approver, name, yes=True)
    with pytest.raises(Conflict, match=r"live\.decided"):
        live_sessions.decide(studio.ctx, studio.approver, name, yes=False, note="Thôi")


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"reason": "  "}, "live.reason"),
        ({"areas": ()}, "target.empty"),
        ({"areas": ("c-99999",)}, "target.empty"),
        ({"minutes": 0}, "live.longest"),
        ({"minutes": 31}, "live.longest"),
        ({"begins_at": -60}, "live.window"),
        ({"begins_at": 15 * 24 * 60}, "live.window"),
        ({"chime": "loud"}, "choice.unknown"),
        ({"begins_at": 12 * 60}, "live.hours"),
        ({"begins_at": 8 * 60 + 55}, "live.hours"),
        ({"priority": 1, "kind": "flood"}, "live.emergency"),
    ],
)
def test_a_wish_that_does_not_fit_is_refused_with_its_reason(studio: Studio, changed: dict[str, Any], key: str) -> None:
    if minutes := changed.get("begins_at"):
        changed = changed | {"begins_at": studio.clock.now() + timedelta(minutes=minutes)}
    with pytest.raises(Refused) as refused:
        live_sessions.ask(studio.ctx, studio.author, studio.wish(**changed))
    assert refused.value.key == key


def test_before_its_window_and_after_it_nothing_begins(studio: Studio) -> None:
    name = studio.approved(begins_at=studio.clock.now() + timedelta(minutes=30))
    with pytest.raises(Refused, match=r"live\.early"):
        studio.begin(name)
    studio.clock.advance(41 * 60)
    with pytest.raises(Refused, match=r"live\.over"):
        studio.begin(name)


def test_the_window_ends_the_voice_however_late_it_began(studio: Studio) -> None:
    name = studio.approved(chime="")
    studio.clock.advance(9 * 60 + 55)
    mouth = studio.begin(name)
    studio.speak(mouth, 4)
    studio.wait(2)
    row = studio.row(name)
    assert (row.state, row.end_why) == ("ended", "window")
    assert row.ended_at == row.hard_end
    assert all(packet.ends_at <= unix_ms(row.hard_end) for _, packet in studio.ears.packets)


def test_hours_that_are_taken_away_meanwhile_cut_it_off(studio: Studio) -> None:
    name = studio.approved(chime="")
    mouth = studio.begin(name)
    studio.speak(mouth, 2)
    with studio.ctx.db.write() as session:
        for station in session.scalars(select(Station)):
            station.hours = [[0, 60]]
    live_keeping.step(studio.ctx, studio.room, studio.clock.now())
    with pytest.raises(Refused, match=r"live\.over"):
        studio.speak(mouth, 3)
    studio.wait(1)
    assert studio.row(name).end_why == "window"


def test_a_limit_of_the_station_counts_what_was_spoken_before(studio: Studio) -> None:
    with studio.ctx.db.write() as session:
        for station in session.scalars(select(Station)):
            station.rules = {"day": 15}
    studio.approved()
    with pytest.raises(Refused, match=r"live\.limit"):
        studio.approved(begins_at=studio.clock.now() + timedelta(hours=1))
    studio.approved(begins_at=studio.clock.now() + timedelta(hours=1), minutes=5)


def test_an_approved_window_that_nobody_used_takes_nothing_of_the_limit(studio: Studio) -> None:
    with studio.ctx.db.write() as session:
        for station in session.scalars(select(Station)):
            station.rules = {"day": 15}
    studio.approved()
    studio.clock.advance(11 * 60)
    studio.begin(studio.approved())


def test_an_hour_that_surprises_people_is_confirmed_twice(studio: Studio) -> None:
    with studio.ctx.db.write() as session:
        for station in session.scalars(select(Station)):
            station.hours = [[0, 1440]]
    at = studio.clock.now() + timedelta(hours=11)
    with pytest.raises(Refused, match=r"live\.unusual"):
        live_sessions.ask(studio.ctx, studio.author, studio.wish(begins_at=at))
    with studio.ctx.db.read() as session:
        mark = live_sessions.look_ahead(studio.ctx, session, studio.author, studio.wish(begins_at=at)).unusual
    assert mark.startswith("23:00:00;")
    name = live_sessions.ask(studio.ctx, studio.author, studio.wish(begins_at=at, unusual=mark))
    with pytest.raises(Refused, match=r"live\.unusual"):
        live_sessions.decide(studio.ctx, studio.approver, name, yes=True)
    live_sessions.decide(studio.ctx, studio.approver, name, yes=True, unusual=mark)


def test_two_ordinary_voices_do_not_share_a_horn(studio: Studio) -> None:
    studio.begin(studio.approved())
    second = studio.approved()
    with pytest.raises(Conflict, match=r"live\.busy"):
        studio.begin(second)
    more_urgent = studio.approved(priority=2)
    studio.begin(more_urgent)
    studio.room.turn()
    assert studio.room.on_air == (more_urgent,)


def test_anybody_with_a_right_there_cuts_a_voice_off_and_nobody_else(studio: Studio) -> None:
    name = studio.approved(chime="")
    mouth = studio.begin(name)
    studio.speak(mouth, 1)
    with pytest.raises(Refused, match="not_yours"):
        live_sessions.stop(studio.ctx, studio.house.actor("noi-khac"), name, studio.room)
    live_sessions.stop(studio.ctx, studio.approver, name, studio.room)
    studio.room.turn()
    assert studio.ears.last.ends_at == unix_ms(studio.clock.now())
    studio.wait(0.5)
    assert (studio.row(name).end_why, studio.row(name).ended_by) == ("stopped", "lanhdao")
    with pytest.raises(Conflict, match=r"live\.over"):
        live_sessions.stop(studio.ctx, studio.approver, name, studio.room)


def test_what_has_not_begun_is_withdrawn(studio: Studio) -> None:
    name = studio.approved()
    live_sessions.stop(studio.ctx, studio.author, name, studio.room)
    with pytest.raises(Refused, match=r"live\.over"):
        studio.begin(name)


def test_a_right_that_is_taken_away_ends_the_voice(studio: Studio) -> None:
    name = studio.approved(chime="")
    mouth = studio.begin(name)
    studio.speak(mouth, 1)
    with studio.ctx.db.write() as session:
        session.get_one(User, studio.author.id).disabled_at = studio.clock.now()
    studio.speak(mouth, 0.2)
    studio.wait(0.5)
    assert studio.row(name).end_why == "rules"


def test_part_of_a_commune_is_named_unit_by_unit_and_each_as_loud_as_its_site_allows(studio: Studio) -> None:
    here = [each for each in studio.house.clusters() if each.station_id == studio.house.commune.replace("c-", "s-")]
    some = here[:3] if len(here) > 3 else here[:1]
    with studio.ctx.db.write() as session:
        session.get_one(Cluster, some[0].id).site = "school"
        station = session.get_one(Station, some[0].station_id)
        station.rules = {"special": [[0, 1440, 30]]}
    name = studio.approved(areas=(), clusters=tuple(each.id for each in some))
    studio.begin(name)
    studio.room.turn()
    volumes = {told.volume: told.target for _, told in studio.ears.documents}
    assert 30 in volumes
    assert len(volumes[30]) == 1
    named = [unit for target in volumes.values() if target != "all" for unit in target]
    assert len(named) == len(some)


def test_a_crash_leaves_nothing_on_air_and_keeps_what_was_said(studio: Studio) -> None:
    name = studio.approved(chime="")
    mouth = studio.begin(name)
    studio.speak(mouth, 3)
    seat = studio.room._seats[name]
    assert seat.air._disk is not None
    seat.air._disk.flush()
    studio.room = LiveRoom(studio.clock, studio.ears.send)  # another process
    live_keeping.take_up(studio.ctx)
    row = studio.row(name)
    assert (row.state, row.end_why) == ("ended", "restart")
    assert not studio.room.on_air
    live_keeping.keep(studio.ctx, studio.clock.now())
    assert studio.row(name).asset_sha256 is not None
    seat.air.cut(unix_ms(studio.clock.now()))


def test_a_voice_nobody_heard_a_second_of_leaves_no_recording(studio: Studio) -> None:
    name = studio.approved(chime="")
    mouth = studio.begin(name)
    studio.speak(mouth, 0.3)
    live_sessions.stop(studio.ctx, studio.author, name, studio.room)
    studio.wait(1)
    live_keeping.keep(studio.ctx, studio.clock.now())
    row = studio.row(name)
    assert (row.recording, row.asset_sha256, row.recording_error) == ("", None, "")


def test_a_recording_that_is_not_there_is_mended_by_nobody(studio: Studio) -> None:
    assert not live_keeping.mend(studio.house.folder / "nothing.wav")


def test_a_disk_that_takes_no_recording_stops_nobody_and_it_is_said(studio: Studio) -> None:
    name = studio.approved(chime="")
    mouth = studio.begin(name)
    recording = live_sessions.recording_of(studio.ctx, name)
    recording.mkdir(parents=True)  # where a file should be
    studio.speak(mouth, 2)
    live_sessions.stop(studio.ctx, studio.author, name, studio.room)
    studio.wait(1)
    row = studio.row(name)
    assert row.packets >= 18
    assert (row.recording, row.recording_error) == ("", "torn")
    with studio.ctx.db.read() as session:
        ends = select(AuditEntry).where(AuditEntry.about == name, AuditEntry.act == "live.end")
        assert session.scalars(ends).one().detail["recording"] == "torn"


def test_a_right_that_is_left_only_elsewhere_neither_begins_a_voice_nor_keeps_it(studio: Studio) -> None:
    """He still writes somewhere, but no more where these poles stand."""
    name, waiting = studio.approved(chime=""), studio.approved(chime="", begins_at=studio.clock.now())
    studio.speak(studio.begin(name), 1)
    with studio.ctx.db.write() as session:
        elsewhere = session.scalars(select(Station.area_id).where(Station.area_id != studio.house.commune)).first()
        for grant in session.scalars(select(RoleGrant).where(RoleGrant.user_id == studio.author.id)):
            grant.area_id = elsewhere or ""
    studio.wait(0.4)
    assert studio.row(name).end_why == "rules"
    with pytest.raises(Refused, match="not_yours"):
        live_sessions.begin(studio.ctx, studio.house.actor("phatthanh"), waiting, studio.room)


def test_a_voice_that_was_stopped_in_the_instant_in_which_it_began_is_silent_within_a_second(studio: Studio) -> None:
    name = studio.approved(chime="")
    real = studio.room.open

    def stopped_just_before(*told: Any) -> Any:
        live_sessions.stop(studio.ctx, studio.approver, name, studio.room)
        return real(*told)

    studio.room.open = stopped_just_before  # type: ignore[method-assign]
    studio.begin(name)
    studio.wait(1)
    assert not studio.room.on_air
    assert (studio.row(name).end_why, studio.row(name).ended_by) == ("stopped", "lanhdao")


@pytest.mark.parametrize("name", ["u-%04d", "a-name-as-long-as-any-may-be%04d"])
def test_lists_of_units_fit_into_documents_beside_the_longest_reason(studio: Studio, name: str) -> None:
    names = [name % n for n in range(300)]
    listed = lists(names)
    assert [unit for each in listed for unit in each] == names
    told = told_of(
        studio.house.folder / "told",
        studio.ctx.keys.signer(Use.PLAN),
        unix_ms(studio.clock.now()),
        shares=tuple(Share("s" * 32, each, 100) for each in listed),
        reason="🌊" * 300,
    )
    air = Air(told, studio.ears.send)
    air.tick(unix_ms(studio.clock.now()))
    assert len(studio.ears.documents) == len(listed)
