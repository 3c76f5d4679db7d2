"""Series through the services: handed in by the door of all broadcasts, proven by evidence, ended for good."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from support.series import at, begin, broadcast, gaps, open_day_and_night, proposal, settle, statuses, told
from support.services import HERE, House, raises

from broadcasts.domain.campaign import Status
from broadcasts.domain.programme import Part, PartKind
from broadcasts.errors import Conflict, Refused
from controller.db.tables import AuditEntry, Broadcast, Campaign, Cluster, Revision, UnitStatus
from controller.services import campaigns, compiling, facts, issue_time, rescheduling, settling
from controller.services.composing import Draft
from controller.services.rescheduling import Extent
from controller.services.schedules import schedule_of
from controller.services.views.campaigns import published

FULL, MAYBE, NOT = Status.FULFILLED, Status.POSSIBLE, Status.NOT_FULFILLED


def rows(house: House) -> list[Campaign]:
    with house.ctx.db.read() as session:
        return list(session.scalars(select(Campaign)))


@pytest.mark.requirement("R-037")
def test_a_series_waits_for_approval_as_every_broadcast_and_then_sounds_on_three_days(house: House) -> None:
    series = begin(house, approved=False)
    one = broadcast(house, series)
    assert house.deliveries(one) == []
    assert statuses(house, series) == [MAYBE] * 5
    house.approve(one)
    assert sorted({each.start for each in house.deliveries(one)}) == [at(4), at(5), at(6)]


@pytest.mark.requirement("R-043", "R-037")
def test_it_is_fulfilled_in_each_hamlet_where_it_sounded_on_all_days(house: House) -> None:
    series = begin(house)
    settle(house, series, 4, 5, 6)
    house.clock.set(at(7))
    assert statuses(house, series) == [FULL] * 5
    assert gaps(house, series) == []
    report = told(house, series)
    assert (report.status, report.sounded) == (FULL, [at(4), at(5), at(6)])
    playing = report.hamlets[0].places[0].playings[0]
    assert playing.asset_sha256 == house.bulletin.sha256
    assert playing.end - playing.start == timedelta(milliseconds=house.bulletin.duration_ms)


@pytest.mark.requirement("R-043")
def test_a_cluster_that_was_down_on_the_second_day_breaks_it_for_its_hamlet_alone(house: House) -> None:
    series = begin(house)
    settle(house, series, 4, 5, 6)
    settle(house, series, 5, cluster=3, state="missed", verdict="not_played", reason="power_off")
    house.clock.set(at(7))
    assert statuses(house, series) == [FULL, FULL, NOT, FULL, FULL]
    assert gaps(house, series) == ["Ấp mẫu 3, ngày 2: power_off"]
    assert told(house, series).status is NOT


@pytest.mark.requirement("R-043")
def test_a_cluster_that_is_told_to_another_hamlet_takes_no_proof_along(house: House) -> None:
    series = begin(house)
    settle(house, series, 4, 5, 6)
    settle(house, series, 5, cluster=3, state="missed", verdict="not_played", reason="power_off")
    house.clock.set(at(7))
    with house.ctx.db.write() as session:
        session.get_one(Cluster, f"cl-{HERE}-3").hamlet = "Ấp mẫu 1"
    assert statuses(house, series) == [FULL, FULL, NOT, FULL, FULL]
    assert gaps(house, series) == ["Ấp mẫu 3, ngày 2: power_off"]


def test_half_a_playing_is_no_playing(house: House) -> None:
    series = begin(house)
    settle(house, series, 4, 5, 6)
    settle(house, series, 6, cluster=1, coverage=0.5)
    house.clock.set(at(7))
    assert statuses(house, series)[0] is NOT
    assert gaps(house, series) == ["Ấp mẫu 1, ngày 3: partial"]


def test_a_programme_is_one_playing_and_only_whole_where_each_part_of_it_sounded(house: House) -> None:
    parts = (Part(PartKind.INTRO, "Nhạc hiệu", house.other.sha256), Part(PartKind.BULLETIN, "", house.bulletin.sha256))
    series = begin(house, parts=parts)
    settle(house, series, 4, 5, 6)
    house.clock.set(at(7))
    places = [place for hamlet in told(house, series).hamlets for place in hamlet.places]
    assert {(len(place.playings), place.found.sounded) for place in places} == {(6, 3)}
    assert statuses(house, series) == [FULL] * 5
    broken = places[0].playings[3]
    with house.ctx.db.write() as session:
        row = session.get_one(type(broken), broken.id)
        row.verdict, row.reason = "failed_to_sound", "silent_amplifier"
    assert statuses(house, series) == [NOT, FULL, FULL, FULL, FULL]
    assert gaps(house, series) == ["Ấp mẫu 1, ngày 2: silent_amplifier"]


@pytest.mark.requirement("R-043")
def test_a_silent_unit_leaves_it_open_and_the_report_says_since_when_nothing_was_heard_of_it(house: House) -> None:
    series = begin(house)
    house.compile()
    unit = f"u-{HERE}-3"
    with house.ctx.db.write() as session:
        session.add(UnitStatus(unit_id=unit, connected=False, last_sign=at(4, 16, 50)))
    settle(house, series, 4, 5, 6)
    settle(house, series, 4, cluster=3, state="published", verdict=None)
    house.clock.set(at(4, 19))
    settling.step(house.ctx, house.now)
    assert statuses(house, series)[2] is MAYBE
    (gap,) = told(house, series).hamlets[2].places[0].found.gaps
    assert (gap.cause, gap.since, gap.final) == ("unknown", at(4, 16, 50), False)


def test_what_nobody_approved_in_time_is_a_gap_everywhere(house: House) -> None:
    series = begin(house, approved=False)
    house.clock.set(at(4, 18))
    assert statuses(house, series) == [NOT] * 5
    assert gaps(house, series)[0] == "Ấp mẫu 1, ngày 1: not_approved"


def edit_all(house: House, one: str, **changed: object) -> None:
    with house.ctx.db.read() as session:
        draft = rescheduling.draft_for(session, house.actor("author"), one, Extent.ALL, None, house.now)
    edited: Draft = replace(draft, **changed)  # type: ignore[arg-type]
    assert rescheduling.change(house.ctx, house.actor("author"), one, edited, Extent.ALL) == one


def test_a_series_that_was_edited_before_it_began_may_still_be_fulfilled(house: House) -> None:
    """What the edit took off the plans comes back with the approval; and is a gap where that comes too late."""
    series = begin(house)
    edit_all(house, broadcast(house, series), title="Danh sách đã sửa")
    assert (statuses(house, series), gaps(house, series)) == ([MAYBE] * 5, [])
    house.clock.set(at(4, 18))
    assert statuses(house, series) == [NOT] * 5
    assert gaps(house, series) == [f"Ấp mẫu {each}, ngày 1: not_approved" for each in range(1, 6)]


def test_a_day_that_was_added_later_counts_for_the_series(house: House) -> None:
    """The broadcaster makes up for a lost day: an edit of the rest is part of the same series."""
    series = begin(house)
    one = broadcast(house, series)
    settle(house, series, 4)
    settle(house, series, 4, cluster=1, state="missed", verdict="not_played", reason="power_off")
    house.clock.set(at(4, 18))
    assert statuses(house, series)[0] is NOT
    actor = house.actor("author")
    with house.ctx.db.read() as session:
        draft = rescheduling.draft_for(session, actor, one, Extent.FOLLOWING, at(5), house.now)
    longer = Draft(**{**vars(draft), "until_day": date(2026, 3, 7)})
    later = rescheduling.change(house.ctx, actor, one, longer, Extent.FOLLOWING, at(5))
    house.approve(later)
    assert statuses(house, series) == [MAYBE] * 5
    settle(house, series, 5, 6, 7, only=later)
    house.clock.set(at(8))
    assert statuses(house, series) == [FULL] * 5


@pytest.mark.parametrize(
    ("template", "wrong", "key"),
    [
        ("storm_news", {"issued_at": None, "ends_at": at(4, 20), "first": at(3, 14)}, "campaign.issue_time"),
        ("storm_news", {"ends_at": at(3, 20), "first": at(3, 14), "spoken": False}, "campaign.unspoken"),
        ("storm_urgent", {"ends_at": at(4, 3), "first": at(3, 14)}, "campaign.quiet"),
        ("democracy", {"title": " "}, "title.missing"),
        ("democracy", {"areas": ()}, "target.empty"),
        ("democracy", {"first": at(2)}, "campaign.issued_later"),
        ("democracy", {"asset": "0" * 64}, "asset.missing"),
        ("democracy", {"other_forms": "x" * 2001}, "text.long"),
        ("meeting", {}, "campaign.event"),
    ],
)
@pytest.mark.requirement("R-061")
def test_what_is_wrong_is_said_and_nothing_is_half_saved(
    house: House, template: str, wrong: dict[str, object], key: str
) -> None:
    asked = proposal(house, template, **wrong)
    ahead = campaigns.preview_series(house.ctx, house.actor("author"), asked)
    assert key in [each.key for each in ahead.problems]
    with raises(Refused, ahead.problems[0].key):
        campaigns.create(house.ctx, house.actor("author"), asked)
    assert rows(house) == []
    with house.ctx.db.read() as session:
        assert session.scalars(select(Broadcast)).all() == []


def test_a_template_that_nobody_knows_is_refused(house: House) -> None:
    with raises(Refused, "campaign.template"):
        campaigns.create(house.ctx, house.actor("author"), proposal(house, "no_such_law"))


def test_only_who_may_compose_makes_a_series_and_only_the_own_commune_sees_it(house: House) -> None:
    with raises(Refused, "no_right"):
        campaigns.create(house.ctx, house.actor("boss"), proposal(house))
    series = begin(house)
    with raises(Refused, "not_yours"):
        told(house, series, by="neighbour")
    with raises(Refused, "not_yours"):
        campaigns.end(house.ctx, house.actor("stranger"), series, "cancel", "nhầm")


@pytest.mark.requirement("R-060", "R-064")
def test_a_cancelled_warning_is_over_on_every_cluster_and_cannot_be_cancelled_twice(house: House) -> None:
    series = begin(house, "storm_urgent", first=at(3, 13), ends_at=at(3, 20))
    one = broadcast(house, series)
    house.clock.set(at(3, 14, 30))
    settle(house, series, 3)
    house.compile()
    with raises(Refused, "reason.missing"):
        campaigns.end(house.ctx, house.actor("boss"), series, "cancel", " ")
    stopped = campaigns.end(house.ctx, house.actor("boss"), series, "cancel", "Bão đã đổi hướng")
    left = [each for each in house.deliveries(one) if each.start > at(3, 14, 30)]
    assert stopped == len(left) == 2 * 5
    assert {each.state for each in left} == {"withdrawn"}
    house.compile()
    assert {len(house.plan(f"u-{HERE}-{n}").items) for n in range(1, 6)} == {0}
    with raises(Conflict, "campaign.ended"):
        campaigns.end(house.ctx, house.actor("boss"), series, "final", "Bản tin cuối")
    house.clock.set(at(3, 21))
    assert statuses(house, series) == [FULL] * 5
    with house.ctx.db.read() as session:
        acts = list(session.scalars(select(AuditEntry.act).where(AuditEntry.about == series).order_by(AuditEntry.id)))
    refused = "campaign.end.refused"
    assert acts == ["campaign.create", refused, "campaign.end", refused]


@pytest.mark.requirement("R-064")
def test_a_plan_names_a_warning_only_a_few_hours_ahead_and_the_next_ones_follow_in_time(house: House) -> None:
    open_day_and_night(house)
    series = begin(house, "storm_urgent", first=at(3, 12, 30), ends_at=at(5, 12))
    one, unit, end = broadcast(house, series), f"u-{HERE}-1", at(5, 12)
    now, wanted = house.now, set(told(house, series).rule.due)
    named: set[object] = set()
    while now < end:
        house.clock.set(now)
        again = compiling.step(house.ctx, now)
        starts = [each.start for each in house.plan(unit).items]
        ahead = (max(starts) / 1000 - now.timestamp()) / 3600 if starts else 0
        assert ahead <= 2.5
        due = [each for each in wanted if now < each <= now + timedelta(hours=1)]
        assert {round(each.timestamp() * 1000) for each in due} <= set(starts)
        named |= set(starts)
        now = max(again, now + timedelta(minutes=1))
    assert len(named) == len(wanted)
    with house.ctx.db.read() as session:
        assert session.get_one(Broadcast, one).ahead_minutes == 120


def test_a_warning_is_kept_as_it_was_handed_in_with_how_far_ahead_units_hold_it(house: House) -> None:
    open_day_and_night(house)
    series = begin(house, "storm_urgent", first=house.now + timedelta(minutes=30), ends_at=at(3, 23), approved=False)
    with house.ctx.db.read() as session:
        row = session.get_one(Broadcast, broadcast(house, series))
        assert row.ahead_minutes == 120
        kept = session.get_one(Revision, (row.id, 1))
        assert kept.content_sha256 == facts.content_hash(session, row)


def test_a_warning_of_the_day_leaves_the_night_out_where_the_hours_say_so(house: House) -> None:
    series = begin(house, "storm_urgent", first=at(3, 19, 30), ends_at=at(4, 7), within_hours=True)
    house.clock.set(at(3, 19))
    house.compile()
    local = [each.start for each in house.deliveries(broadcast(house, series)) if each.cluster_id.endswith("-1")]
    assert local[0] == at(3, 19, 30)
    assert local[2:] == [at(3, 20)]
    with house.ctx.db.read() as session:
        assert schedule_of(session.get_one(Broadcast, broadcast(house, series))).pattern.last_at == time(20)


@pytest.mark.requirement("R-039")
def test_the_quarterly_list_holds_what_was_made_public_in_it_in_what_form_and_when(house: House) -> None:
    series = begin(house, other_forms="Niêm yết tại trụ sở từ 04/03")
    begin(house, title="Chưa ai nghe")
    begin(house, "storm_news", first=at(3, 14), ends_at=at(3, 20))
    settle(house, series, 4, 5, 6)
    house.clock.set(at(7))
    with house.ctx.db.read() as session:
        found = published(session, house.actor("boss"), 2026, 1, house.now)
        assert published(session, house.actor("boss"), 2026, 2, house.now) == []
        assert published(session, house.actor("boss"), 2025, 4, house.now) == []
        assert published(session, house.actor("stranger"), 2026, 1, house.now) == []
    (line,) = found
    assert (line.report.campaign.id, line.times, line.first, line.last) == (series, 3, at(4), at(6))
    assert line.report.campaign.other_forms == "Niêm yết tại trụ sở từ 04/03"


def test_how_else_it_was_made_public_can_be_noted_later(house: House) -> None:
    series = begin(house)
    campaigns.note_forms(house.ctx, house.actor("boss"), series, "Họp dân ngày 5/3")
    assert rows(house)[0].other_forms == "Họp dân ngày 5/3"
    with raises(Refused, "not_yours"):
        campaigns.note_forms(house.ctx, house.actor("neighbour"), series, "khác")


@pytest.mark.requirement("R-061")
def test_each_repeat_of_a_warning_begins_with_the_spoken_time_at_which_it_was_issued(
    house: House, tmp_path: Path
) -> None:
    issued, author = at(3, 11, 30), house.actor("author")
    assert issue_time.told(issued) == "Bản tin ban hành lúc 11 giờ 30 phút, ngày 3 tháng 3 năm 2026."
    assert issue_time.told(at(3, 14)).startswith("Bản tin ban hành lúc 14 giờ, ngày 3")
    said = issue_time.spoken(house.ctx, author, issued, tmp_path)
    assert issue_time.spoken(house.ctx, author, issued, tmp_path) == said, "made once"
    asked: dict[str, Any] = {
        "every_minutes": 60,
        "issued_at": issued,
        "first": at(3, 14),
        "ends_at": at(3, 20),
        "spoken": False,
    }
    series = begin(house, "storm_news", announced=said, **asked)
    found = [each for each in house.deliveries(broadcast(house, series)) if each.cluster_id == f"cl-{HERE}-1"]
    assert len(found) >= 2
    assert [(each.asset_sha256 == said, each.frame) for each in found] == [(True, True), (False, False)] * (
        len(found) // 2
    )
    assert {each.begin for each in found} == {each.start for each in found if each.asset_sha256 == said}


def test_the_spoken_time_is_that_of_this_bulletin_and_no_other(house: House, tmp_path: Path) -> None:
    author = house.actor("author")
    said = issue_time.spoken(house.ctx, author, at(3, 11, 30), tmp_path)
    other: dict[str, Any] = {"issued_at": at(3, 10), "first": at(3, 14), "ends_at": at(3, 20)}
    for spoken in (False, True):
        with raises(Refused, "campaign.unspoken"):
            begin(house, "storm_news", announced=said, spoken=spoken, **other)
