"""One emergency over any target: who hears it, what stands in which list, what keeps it back, how it ends."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from support.services import HERE, NOON, THERE, House, raises
from support.sirens import HOUR, call, documents, heard, meant, preload, reached, sounded

from broadcasts.clock import from_unix_ms, unix_ms
from broadcasts.errors import Conflict, Refused
from broadcasts.wire.alert import AlertKind, Repeat
from controller.db.tables import Asset, Assignment, AuditEntry, Cluster, Emergency, EmergencyReach, StandingAlert
from controller.services import alert_speech, emergencies, emergency_voice, groups
from controller.services.alert_calls import Call, Content
from controller.services.emergency_rules import EmergencyRules
from controller.services.seeding import PROVINCE
from controller.services.targets import Target

ROOT, COMMUNE, OTHER = PROVINCE[0], f"c-{HERE}", f"c-{THERE}"
CLUSTERS = [f"cl-{code}-{n}" for code in (HERE, THERE) for n in range(1, 6)]
SAME_HOUSE = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def unit_of(cluster: str) -> str:
    return cluster.replace("cl-", "u-")


def lists(house: House) -> dict[str, list[str]]:
    """What stands in the lists that say something."""
    return {scope: [each.id for each in told.alerts] for scope, told in documents(house).items() if told.alerts}


def act(house: House, name: str) -> Emergency:
    with house.ctx.db.read() as session:
        return session.get_one(Emergency, name)


def guarded(house: House, **rules: object) -> House:
    return replace(house, ctx=replace(house.ctx, emergencies=replace(EmergencyRules(), **rules)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("target", "scopes"),
    [
        (Target(areas=(ROOT,)), {ROOT: "all"}),
        (Target(areas=(COMMUNE, OTHER)), {ROOT: "all"}),
        (Target(areas=(COMMUNE,)), {COMMUNE: "all"}),
        (Target(clusters=tuple(CLUSTERS[:5])), {COMMUNE: "all"}),
        (Target(clusters=(CLUSTERS[0],)), {unit_of(CLUSTERS[0]): "all"}),
        (Target(clusters=tuple(CLUSTERS[:2])), {COMMUNE: [unit_of(each) for each in CLUSTERS[:2]]}),
        (Target(areas=(COMMUNE,), clusters=(CLUSTERS[7],)), {COMMUNE: "all", unit_of(CLUSTERS[7]): "all"}),
    ],
)
def test_an_alert_stands_in_the_smallest_lists_that_cover_its_target(
    house: House, target: Target, scopes: dict[str, object]
) -> None:
    name = sounded(house, target)
    found = {scope: told.alerts[0].target for scope, told in documents(house).items()}
    assert found == scopes
    assert {each.id for told in documents(house).values() for each in told.alerts} == {name}
    assert reached(house, name) == meant(house, name)


@given(chosen=st.sets(st.sampled_from(CLUSTERS), min_size=1), whole=st.sets(st.sampled_from([COMMUNE, OTHER])))
@settings(max_examples=15, suppress_health_check=SAME_HOUSE)
def test_the_units_that_the_documents_reach_are_exactly_those_of_the_target(
    house: House, chosen: set[str], whole: set[str]
) -> None:
    many = guarded(house, per_person=1_000, per_scope=1_000)
    name = sounded(many, Target(areas=tuple(whole), clusters=tuple(chosen)))
    want = {unit_of(each) for each in CLUSTERS if each in chosen or f"c-{each[3:8]}" in whole}
    assert reached(house, name) == want == meant(house, name)
    emergencies.silence(house.ctx, house.on_duty, name)
    assert reached(house, name) == set()


def test_a_shape_a_tag_and_a_saved_group_are_targets(house: House) -> None:
    with house.ctx.db.write() as session:
        spot = session.get_one(Cluster, CLUSTERS[3])
        spot.tags = ["chợ"]
        x, y = spot.longitude or 0, spot.latitude or 0
    around = ((x - 0.001, y - 0.001), (x + 0.001, y - 0.001), (x + 0.001, y + 0.001), (x - 0.001, y + 0.001))
    group = groups.keep(house.ctx, house.actor("author"), "Bờ sông", CLUSTERS[:2])
    for target, clusters in (
        (Target(polygon=(around,)), CLUSTERS[3:4]),
        (Target(tags=("chợ",)), CLUSTERS[3:4]),
        (Target(groups=(group,)), CLUSTERS[:2]),
    ):
        assert reached(house, sounded(house, target)) == {unit_of(each) for each in clusters}


def test_a_pole_without_a_unit_is_told_and_keeps_nobody_back(house: House) -> None:
    with house.ctx.db.write() as session:
        row = session.scalars(select(Assignment).where(Assignment.cluster_id == CLUSTERS[0])).one()
        row.until = house.now
    with house.ctx.db.read() as session:
        found = emergencies.preview(house.ctx, session, house.on_duty, Target(areas=(COMMUNE,)))
    assert (len(found.clusters), len(found.units), found.without_unit) == (5, 4, (CLUSTERS[0],))
    assert [place.scope for place in found.scopes] == [COMMUNE]
    name = sounded(house, Target(clusters=tuple(CLUSTERS[:2])))
    assert reached(house, name) == {unit_of(CLUSTERS[1])}
    alone = sounded(house, Target(clusters=(CLUSTERS[0],)))
    assert reached(house, alone) == set()
    with house.ctx.db.read() as session:
        assert session.get_one(EmergencyReach, (alone, CLUSTERS[0])).unit_id is None


def test_two_alerts_live_side_by_side_and_are_silenced_apart(house: House) -> None:
    first = sounded(house, Target(areas=(ROOT,)))
    house.clock.advance(1)
    second = sounded(house, Target(clusters=tuple(CLUSTERS[:2])), kind=AlertKind.FIRE, reason="Cháy chợ")
    unit = unit_of(CLUSTERS[0])
    assert [each.id for each in heard(house, unit)] == [second, first]
    assert emergencies.silence(house.ctx, house.on_duty, second) == 1
    assert [each.id for each in heard(house, unit)] == [first]
    assert emergencies.silence(house.ctx, house.on_duty, first) == 1
    assert lists(house) == {}
    assert emergencies.silence(house.ctx, house.on_duty, first) == 0
    assert [act(house, name).state for name in (first, second)] == ["silenced", "silenced"]


def test_silence_of_everything_is_said_by_one_list_first_and_cleans_up_behind(house: House) -> None:
    names = [sounded(house, Target(clusters=(each,))) for each in (CLUSTERS[0], CLUSTERS[6])]
    names.append(sounded(house, Target(areas=(COMMUNE,))))
    assert emergencies.silence_all(house.ctx, house.on_duty) == 3
    said = documents(house)
    assert said[ROOT].void_before > unix_ms(NOON)
    newest = {scope: told.version for scope, told in said.items()}
    assert newest[ROOT] == min(newest.values())
    assert all(not told.alerts for told in said.values())
    assert {act(house, name).state for name in names} == {"silenced"}
    again = sounded(house, Target(areas=(COMMUNE,)))
    assert len(reached(house, again)) == 5


def test_an_alert_of_the_same_millisecond_is_silenced_too_and_the_next_one_is_not(house: House) -> None:
    first = sounded(house, Target(areas=(COMMUNE,)))
    emergencies.silence(house.ctx, house.on_duty, scope=ROOT)
    kept = documents(house)[ROOT].void_before
    second = sounded(house, Target(areas=(COMMUNE,)))
    assert house.now == NOON
    with house.ctx.db.read() as session:
        one, two = (session.get_one(StandingAlert, (name, COMMUNE)).entry for name in (first, second))
    assert one["issued_at"] < kept <= two["issued_at"]
    assert len(reached(house, second)) == 5


def test_a_commune_hears_its_own_words_where_it_has_some(house: House) -> None:
    preload(house, ROOT)
    preload(house, OTHER, sha256=house.other.sha256)
    name = sounded(house, Target(areas=(ROOT,)), kind=AlertKind.STORM, content=emergencies.PRELOADED)
    words = {unit: heard(house, unit)[0].content[0].asset.sha256 for unit in (f"u-{HERE}-1", f"u-{THERE}-1")}
    assert words == {f"u-{HERE}-1": house.bulletin.sha256, f"u-{THERE}-1": house.other.sha256}
    assert lists(house) == {ROOT: [name], OTHER: [name]}
    said = documents(house)
    assert said[OTHER].version < said[ROOT].version  # published first: nobody begins with the wrong words
    assert emergencies.silence(house.ctx, house.on_duty, name) == 1
    assert lists(house) == {}


def test_without_a_preloaded_recording_nothing_is_decided(house: House) -> None:
    preload(house, OTHER)
    with raises(Refused, "emergency.none"):
        sounded(house, Target(areas=(ROOT,)), kind=AlertKind.STORM, content=emergencies.PRELOADED)
    assert lists(house) == {}


def test_the_template_says_how_long_how_loud_and_how_often(house: House) -> None:
    name = sounded(house, Target(areas=(COMMUNE,)), kind=AlertKind.TSUNAMI, lasts=None)
    [told] = documents(house)[COMMUNE].alerts
    assert told.repeat == Repeat(every_s=1200, opening_s=[0, 300, 600])
    assert (told.volume, told.hard_end - told.not_before) == (100, 6 * 3_600_000)
    assert act(house, name).rule == "tsunami_severe"
    calmer = sounded(house, Target(areas=(OTHER,)), kind=AlertKind.TSUNAMI, level=2, volume=40)
    [told] = documents(house)[OTHER].alerts
    assert (told.repeat, told.volume) == (Repeat(every_s=1800, opening_s=[0, 300, 600]), 40)
    assert act(house, calmer).rule == "tsunami"
    free = sounded(house, Target(clusters=(CLUSTERS[0],)), repeat=Repeat(every_s=60, times=3))
    assert heard(house, unit_of(CLUSTERS[0]))[0].repeat == Repeat(every_s=60, times=3)
    assert act(house, free).rule == ""
    with raises(Refused, "alert.rule"):
        sounded(house, Target(areas=(COMMUNE,)), rule="hourly-ish")


def test_a_wide_reach_is_typed_in_before_anything_sounds(house: House) -> None:
    small = guarded(house, wide_clusters=5)
    with house.ctx.db.read() as session:
        found = emergencies.preview(small.ctx, session, house.on_duty, Target(areas=(COMMUNE,)))
    assert (found.wide, found.word, found.share) == (True, "5", 0.5)
    for typed in ("", "4", "5 cụm"):
        with raises(Refused, "alert.confirm_reach"):
            sounded(small, Target(areas=(COMMUNE,)), confirmed=typed)
    assert lists(house) == {}
    sounded(small, Target(areas=(COMMUNE,)), confirmed=" 5 ")
    sounded(small, Target(areas=(COMMUNE,)), confirmed=found.names[0].upper())
    sounded(small, Target(clusters=tuple(CLUSTERS[:4])), confirmed="")
    share = guarded(house, wide_share=0.3)
    with raises(Refused, "alert.confirm_reach"):
        sounded(share, Target(clusters=tuple(CLUSTERS[:4])), confirmed="")


def test_too_many_emergencies_are_refused_and_silence_never_is(house: House) -> None:
    few = guarded(house, per_person=2)
    names = [sounded(few, Target(clusters=(each,))) for each in CLUSTERS[:2]]
    with raises(Refused, "alert.rate_person"):
        sounded(few, Target(clusters=(CLUSTERS[2],)))
    for name in names:
        assert emergencies.silence(few.ctx, few.on_duty, name) == 1
    emergencies.silence_all(few.ctx, few.on_duty)
    house.clock.advance(3601)
    sounded(few, Target(clusters=(CLUSTERS[2],)))
    calm = guarded(house, per_scope=2)
    for _ in range(2):
        sounded(calm, Target(areas=(OTHER,)))
    with raises(Refused, "alert.rate_scope"):
        sounded(calm, Target(areas=(OTHER,)))
    sounded(calm, Target(areas=(COMMUNE,)))


def test_until_the_interval_is_over_nobody_hears_of_it_and_it_can_be_cancelled(house: House) -> None:
    slow = guarded(house, cancel=timedelta(seconds=5))
    gone = sounded(slow, Target(areas=(COMMUNE,)))
    kept = sounded(slow, Target(areas=(OTHER,)))
    assert documents(house) == {}
    house.clock.advance(4)
    assert emergencies.step(slow.ctx, house.now) == NOON + timedelta(seconds=5)
    assert documents(house) == {}
    emergencies.cancel(slow.ctx, house.on_duty, gone)
    house.clock.advance(1)
    emergencies.step(slow.ctx, house.now)
    assert lists(house) == {OTHER: [kept]}
    assert (act(house, gone).state, act(house, kept).state) == ("cancelled", "issued")
    [told] = documents(house)[OTHER].alerts
    assert from_unix_ms(told.not_before) == NOON + timedelta(seconds=5)
    with raises(Conflict, "alert.released"):
        emergencies.cancel(slow.ctx, house.on_duty, kept)
    with raises(Conflict, "alert.released"):
        emergencies.cancel(slow.ctx, house.on_duty, gone)


@pytest.mark.parametrize(("seconds", "state"), [(65, "issued"), (66, "lapsed")])
def test_what_could_not_be_released_in_time_lapses_and_never_fires_by_itself(
    house: House, seconds: int, state: str
) -> None:
    slow = guarded(house, cancel=timedelta(seconds=5))
    name = sounded(slow, Target(areas=(COMMUNE,)))
    house.clock.advance(seconds)
    emergencies.step(slow.ctx, house.now)
    assert act(house, name).state == state
    assert (name in lists(house).get(COMMUNE, [])) is (state == "issued")
    house.clock.advance(30)
    emergencies.step(slow.ctx, house.now)
    assert (name in lists(house).get(COMMUNE, [])) is (state == "issued")
    with house.ctx.db.read() as session:
        acts = session.scalars(select(AuditEntry.act).where(AuditEntry.about == name)).all()
        lines = emergencies.every(slow.ctx, session, house.on_duty)
        assert emergencies.waiting(slow.ctx, session, house.actor("boss")) == int(state == "issued")
    assert ("alert.lapse" in acts) is (state == "lapsed")
    assert [(line.alert.id, line.unheard) for line in lines] == [(name, state == "lapsed")]


def test_silence_takes_what_still_waits_with_it(house: House) -> None:
    slow = guarded(house, cancel=timedelta(seconds=5))
    first, second = sounded(slow, Target(areas=(COMMUNE,))), sounded(slow, Target(areas=(OTHER,)))
    emergencies.silence(slow.ctx, house.on_duty, first)
    emergencies.silence_all(slow.ctx, house.on_duty)
    house.clock.advance(10)
    emergencies.step(slow.ctx, house.now)
    assert lists(house) == {}
    assert {act(house, name).state for name in (first, second)} == {"cancelled"}


def test_an_all_clear_takes_back_what_its_poles_hear_in_the_same_list(house: House) -> None:
    flood = sounded(house, Target(areas=(COMMUNE,)))
    other = sounded(house, Target(areas=(OTHER,)))
    house.clock.advance(60)
    clear = sounded(house, Target(areas=(COMMUNE,)), kind=AlertKind.ALL_CLEAR, reason="Nước rút")
    assert lists(house) == {COMMUNE: [clear], OTHER: [other]}
    assert act(house, flood).state == "silenced"
    assert documents(house)[COMMUNE].void_before == 0


def test_an_all_clear_for_one_commune_leaves_the_warning_standing_in_the_others(house: House) -> None:
    storm = sounded(house, Target(areas=(ROOT,)))
    before = heard(house, f"u-{THERE}-1")[0]
    house.clock.advance(60)
    clear = sounded(house, Target(areas=(COMMUNE,)), kind=AlertKind.ALL_CLEAR, reason="Bão qua")
    assert lists(house) == {COMMUNE: [clear], OTHER: [storm]}
    assert heard(house, f"u-{THERE}-1") == [before]  # the same id, the same grid: nobody begins anew
    assert [each.id for each in heard(house, f"u-{HERE}-1")] == [clear]
    assert act(house, storm).state == "issued"
    assert meant(house, storm) == {f"u-{THERE}-{n}" for n in range(1, 6)}
    assert documents(house)[OTHER].version < documents(house)[ROOT].version  # first there, then gone here
    pole = sounded(house, Target(clusters=(CLUSTERS[5],)), kind=AlertKind.ALL_CLEAR, reason="Bão qua")
    assert reached(house, storm) == meant(house, storm) == {f"u-{THERE}-{n}" for n in range(2, 6)}
    assert emergencies.silence(house.ctx, house.on_duty, storm) == 1
    assert lists(house) == {COMMUNE: [clear], unit_of(CLUSTERS[5]): [pole]}


def test_a_commune_takes_back_nothing_that_reaches_beyond_it(house: House) -> None:
    storm = sounded(house, Target(areas=(ROOT,)))
    mine = house.on_duty.only_in(frozenset({COMMUNE}))
    clear = call(house, Target(areas=(COMMUNE,)), kind=AlertKind.ALL_CLEAR, reason="Bão qua")
    with raises(Refused, "not_yours"):
        emergencies.sound(house.ctx, mine, replace(clear, ends=(storm,)))
    for one in (emergencies.silence, emergencies.cancel):
        with raises(Refused, "not_yours"):
            one(house.ctx, mine, storm)
    name = emergencies.sound(house.ctx, mine, clear)
    assert [each.id for each in heard(house, f"u-{HERE}-1")] == [name, storm]
    assert emergencies.silence_all(house.ctx, mine) == 1
    assert lists(house) == {ROOT: [storm]}


def test_what_is_asked_for_elsewhere_or_nowhere_is_refused_and_logged(house: House) -> None:
    mine = house.on_duty.only_in(frozenset({COMMUNE}))
    told = Content(recordings=(("vi", house.bulletin.sha256),))
    for target, key in (
        (Target(areas=(OTHER,)), "not_yours"),
        (Target(clusters=(CLUSTERS[5],)), "not_yours"),
        (Target(tags=("không có",)), "target.empty"),
        (Target(), "target.empty"),
        (Target(groups=("g-x",)), "target.group"),
    ):
        with raises(Refused, key):
            emergencies.sound(house.ctx, mine, Call(AlertKind.FLOOD, target, told, "Nước lên"))
    with house.ctx.db.read() as session:
        lines = session.scalars(select(AuditEntry).where(AuditEntry.act == "alert.sound.refused")).all()
    assert len(lines) == 5
    assert lists(house) == {}


def test_the_log_tells_who_sounded_what_where_and_how_wide(house: House) -> None:
    name = sounded(house, Target(areas=(COMMUNE,)), origin="cap")
    with house.ctx.db.read() as session:
        [line] = session.scalars(select(AuditEntry).where(AuditEntry.about == name)).all()
    assert (line.act, line.actor, line.area) == ("alert.sound", "trực", COMMUNE)
    assert line.detail == {
        "kind": "flood", "reason": "Nước lên", "target": {"areas": [COMMUNE]}, "clusters": 5, "scopes": [COMMUNE],
        "seconds_to_cancel": 0, "origin": "cap",
    }  # fmt: skip
    assert (act(house, name).hard_end - act(house, name).issued_at) == HOUR


@pytest.mark.requirement("R-061")
def test_typed_words_are_spoken_at_once_as_loud_as_alerts_with_the_time_of_issue_before_them(house: House) -> None:
    text = "Nước sông Hậu lên nhanh. Bà con ấp 3 lên chỗ cao."
    name = sounded(house, Target(areas=(COMMUNE,)), content=Content(text=text))
    [part] = documents(house)[COMMUNE].alerts[0].content
    assert part.data is not None
    data = base64.urlsafe_b64decode(part.data + "=" * (-len(part.data) % 4))
    assert hashlib.sha256(data).hexdigest() == part.asset.sha256
    with house.ctx.db.read() as session:
        asset = session.get_one(Asset, part.asset.sha256)
        said = emergency_voice.words_of(session, asset.sha256)
    assert said == f"Bản tin ban hành lúc 12 giờ, ngày 3 tháng 3 năm 2026. {text}"
    assert asset.loudness_lufs == pytest.approx(-14.0, abs=1.0)
    assert act(house, name).content == [["vi", asset.sha256]]
    plain = sounded(house, Target(areas=(OTHER,)), content=Content(text=text, inline=False))
    [part] = documents(house)[OTHER].alerts[0].content
    assert (part.data, act(house, plain).inline) == (None, False)
    for wrong, key in (("", "speech.empty"), ("a" * 1_201, "speech.long")):
        with raises(Refused, key):
            alert_speech.speak(house.ctx, house.on_duty, wrong, house.now)
    with raises(Refused, "no_right"):
        alert_speech.speak(house.ctx, house.actor("author"), text, house.now)
