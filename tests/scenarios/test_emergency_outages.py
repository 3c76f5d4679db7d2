"""Emergencies while something is broken: what the villager below each pole hears."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from support.audio import tone
from support.bad_day import HOUR, MINUTE, BadDay
from support.sirens import typed

from broadcasts.wire import codec, topics
from broadcasts.wire.alert import AlertDocument, AlertKind, Repeat
from broadcasts.wire.jws import SigningKey, Typ
from broadcasts.wire.topics import ScopeTopic
from broadcasts.wire.trust import Trust, TrustedKey, Use
from controller.db.tables import Drill, ScopeDocument
from controller.services import accounts, alerting, drill_lists, drilling, emergency_set, texting
from controller.services.seeding import PROVINCE
from controller.services.trusting import TRUST
from device_sim.events import SmsReceived
from device_sim.faults import Fault
from device_sim.post import Post

SCOPE = PROVINCE[0]
EVERY_MINUTE = Repeat(every_s=60)


@pytest.fixture
def ready(open_day: Callable[..., BadDay], tmp_path: Path) -> BadDay:
    """Every pole holds the words for a storm, 12 s; at 07:30."""
    day, path = open_day("07:00"), tmp_path / "storm.wav"
    path.write_bytes(tone(12, 820))
    with day.ctx.db.read() as session:
        actor = accounts.actor_by_name(session, "tinh", day.ctx.wall.now())
    sha256 = emergency_set.put(day.ctx, actor, SCOPE, AlertKind.STORM, "vi", path, path.name).sha256
    day.studio.sounds["storm"] = sha256
    day.until("07:30")
    assert all(sha256 in post.disk.cache.files for post in day.posts)
    return day


def warn(day: BadDay, lasts: int = 10) -> str:
    """Of what they hold, every minute, for so many minutes; and the controller looks at once."""
    content = [("vi", day.studio.sounds["storm"])]
    minutes = timedelta(minutes=lasts)
    word = typed(day.ctx, day.on_duty, SCOPE)
    name = alerting.sound(
        day.ctx, day.on_duty, SCOPE, AlertKind.STORM, content, "bão", minutes, repeat=EVERY_MINUTE, confirmed=word
    )
    day.world.backstage.nudge()
    return name


def loud_drill(day: BadDay, ahead: int = 0) -> str:
    """Approved by a second person, as good as at once; the siren stands for the spoken word in front of the storm."""
    storm, words = day.studio.sounds["storm"], day.studio.sounds["siren"]
    name, now = day.ctx.ids.new("dr"), day.ctx.clock.now()
    with day.ctx.db.write() as session:
        starts_at = now + timedelta(seconds=ahead)
        drill = Drill(
            id=name, kind="storm", target={"areas": [SCOPE]}, places=[[SCOPE, None]], areas=[SCOPE], silent=False,
            prefix=[["vi", words]], content=[["vi", storm]], volume=70, reason="Diễn tập", asked_at=now,
            asked_by="tinh", starts_at=starts_at, hard_end=starts_at + timedelta(minutes=20), state="issued",
            issued_at=now,
        )  # fmt: skip
        session.add(drill)
        session.flush()
        drill_lists.sign(day.ctx, session, [SCOPE], now)
    day.ctx.publish_soon()
    day.world.backstage.nudge()
    return name


def hush(day: BadDay) -> None:
    day.silence()
    day.world.backstage.nudge()


def starts(day: BadDay, post: Post) -> list[int]:
    """Seconds after 07:30, of every sounding of the storm; each whole unless it says otherwise."""
    storm = day.studio.sounds["storm"]
    return [round((each.from_ms - day.moment("07:30")) / 1000) for each in post.pole.heard if each.asset == storm]


def grid(first: int, last: int) -> list[int]:
    return list(range(first, last, 60))


def near(told: list[int], wanted: list[int]) -> bool:
    return len(told) == len(wanted) and all(abs(a - b) <= 4 for a, b in zip(told, wanted, strict=True))


def test_an_alert_goes_on_and_ends_by_itself_while_the_controller_is_dead(ready: BadDay) -> None:
    day, late = ready, ready.posts[0]
    day.befall(Fault.POWER_CUT, late, lasts=4 * MINUTE)
    warn(day)
    day.wait(5)
    day.befall(Fault.CONTROLLER_KILL, lasts=2 * HOUR)
    day.until("08:30")
    for post in day.posts[1:]:
        assert near(starts(day, post), grid(0, 600))
    assert starts(day, late)[0] >= 240, "who boots during the flood learns of it from the broker"
    assert starts(day, late)[1:]
    assert starts(day, late)[-1] < 600
    day.until("10:00")
    assert all(starts(day, post)[-1] < 600 for post in day.posts)


def test_a_broker_that_lost_everything_silences_nobody_and_tells_again_who_missed_it(ready: BadDay) -> None:
    day, late = ready, ready.posts[0]
    day.befall(Fault.LINK_DOWN, late, lasts=3 * MINUTE)
    warn(day)
    day.until("07:31")
    day.befall(Fault.BROKER_WIPE, lasts=60_000)
    day.until("07:50")
    for post in day.posts[1:]:
        assert near(starts(day, post), grid(0, 600))
    assert 170 <= starts(day, late)[0] <= 240, "the controller saw the empty store and said it again"


def test_a_silence_that_the_wiped_broker_never_showed_holds_for_who_heard_it_and_for_who_boots(ready: BadDay) -> None:
    day, booted = ready, ready.posts[0]
    warn(day, lasts=30)
    day.until("07:32")
    hush(day)
    day.wait(5)
    day.befall(Fault.BROKER_WIPE, lasts=30_000)
    day.befall(Fault.POWER_CUT, booted, lasts=20_000)
    day.until("08:10")
    for post in day.posts:
        assert starts(day, post)[-1] <= 125


@pytest.mark.requirement("R-064")
def test_who_was_away_when_it_was_cancelled_never_plays_the_old_warning(ready: BadDay) -> None:
    """One never heard it, one heard it and lost its link, one lost its power in the middle of a sounding."""
    day = ready
    never, linkless, dark, *others = day.posts
    day.befall(Fault.LINK_DOWN, never, lasts=20 * MINUTE)
    warn(day, lasts=60)
    day.until("07:31")
    day.wait(6)
    day.befall(Fault.LINK_DOWN, linkless, lasts=6 * MINUTE)
    day.befall(Fault.POWER_CUT, dark, lasts=6 * MINUTE)
    day.until("07:32")
    hush(day)
    day.until("09:00")
    assert starts(day, never) == []
    assert starts(day, dark)[-1] <= 66, "it comes back, asks, and stays silent"
    assert 360 < starts(day, linkless)[-1] <= 440, "nobody could tell it; it fell silent with its link"
    assert all(starts(day, post)[-1] <= 125 for post in others)


def test_two_alerts_that_cross_sound_in_turn_and_are_silenced_apart(ready: BadDay) -> None:
    day = ready
    warn(day)
    day.wait(4)
    siren = day.alert(lasts=timedelta(minutes=10))
    day.world.backstage.nudge()
    day.until("07:32")
    alerting.silence(day.ctx, day.on_duty, SCOPE, siren)
    day.world.backstage.nudge()
    day.until("07:50")
    storm, other = day.studio.sounds["storm"], day.studio.sounds["siren"]
    for post in day.posts:
        order = [each.asset for each in post.pole.heard]
        assert order[:3] == [storm, other, storm], "the newer one cuts in, the older one is owed as a whole"
        assert order.count(other) == 1
        assert order[3:] == [storm] * len(order[3:]), "and goes on when the other was taken back"
        assert len(order) >= 11


def test_a_wrong_clock_neither_silences_an_alert_nor_keeps_it_alive(ready: BadDay) -> None:
    day = ready
    jumped, lost, *others = day.posts
    day.befall(Fault.CLOCK_JUMP, jumped, amount=-3 * HOUR)
    day.befall(Fault.CLOCK_LOST, lost, lasts=20_000)
    day.wait(60)
    warn(day)
    day.until("09:00")
    for post in (jumped, lost, *others):
        told = starts(day, post)
        assert near(told, grid(60, 660)), (post.name, told)


def test_a_clock_hours_ahead_neither_ends_a_warning_nor_begins_one_early(ready: BadDay) -> None:
    day = ready
    ahead, away, *others = day.posts
    for post in (ahead, away):
        day.befall(Fault.CLOCK_JUMP, post, amount=5 * HOUR)
    day.wait(60)
    day.befall(Fault.LINK_DOWN, away, lasts=4 * MINUTE)
    day.wait(5)
    warn(day)
    day.until("09:00")
    for post in (ahead, *others):
        assert near(starts(day, post), grid(65, 665)), (post.name, starts(day, post))
    late = starts(day, away)
    assert 300 <= late[0] <= 400, "as soon as its link is back"
    assert all(second - first >= 50 for first, second in pairwise(late)), "never more often"
    assert late[-1] <= 665, "and not beyond its end"


def test_a_pole_that_boots_again_and_again_without_time_sounds_no_longer_than_it_may_blind(ready: BadDay) -> None:
    day, blind, *others = ready, *ready.posts
    warn(day, lasts=120)
    day.until("07:31")
    day.befall(Fault.LINK_DOWN, blind, lasts=5 * HOUR)
    for minute in range(2, 42, 4):
        day.befall(Fault.CLOCK_LOST, blind, lasts=20_000)
        day.until(f"{7 + (30 + minute) // 60:02}:{(30 + minute) % 60:02}")
    day.until("11:00")
    told = starts(day, blind)
    sounded = sum(each.to_ms - each.from_ms for each in blind.pole.heard if each.asset == day.studio.sounds["storm"])
    assert len(told) >= 3, "it warns after a boot"
    assert sounded <= (600 + 120) * 1000, "ten minutes blind in all, whatever the power does"
    assert told[-1] < 3600, "and is silent for the rest of two hours"
    for post in others:
        assert near(starts(day, post), grid(0, 7200)), (post.name, len(starts(day, post)))


def test_a_loud_drill_beside_an_outage_is_heard_whole_once_or_not_at_all(ready: BadDay) -> None:
    day = ready
    dark, late, *others = day.posts
    drill = loud_drill(day)
    day.wait(20)
    day.befall(Fault.POWER_CUT, dark, lasts=3 * MINUTE)
    day.until("07:40")
    words, storm = day.studio.sounds["siren"], day.studio.sounds["storm"]
    for post in (late, *others):
        assert [each.asset for each in post.pole.heard] == [words, storm], (post.name, drill)
    cut = [each.asset for each in dark.pole.heard]
    assert cut[:1] == [words], "it had begun with the word that it is a drill"
    assert cut.count(words) == 1, "and is never begun again after the cut"


def test_a_drill_that_was_ended_while_a_pole_was_away_is_never_heard_there(ready: BadDay) -> None:
    day = ready
    away, *others = day.posts
    day.befall(Fault.LINK_DOWN, away, lasts=10 * MINUTE)
    drill = loud_drill(day, ahead=120)
    day.wait(30)
    drilling.end(day.ctx, day.on_duty, drill)
    day.world.backstage.nudge()
    day.until("08:00")
    assert all(post.pole.heard == [] for post in (away, *others))


def test_a_real_warning_during_a_drill_takes_the_horn_and_the_drill_never_comes_back(ready: BadDay) -> None:
    day = ready
    away, *others = day.posts
    loud_drill(day)
    day.wait(12)
    warn(day, lasts=3)
    day.until("08:00")
    words, storm = day.studio.sounds["siren"], day.studio.sounds["storm"]
    for post in (away, *others):
        order = [each.asset for each in post.pole.heard]
        assert order[0] == words, "what had begun said that it was a drill"
        assert order.count(words) == 1, "and no drill sounds after the warning"
        assert len(starts(day, post)) in (3, 4), (post.name, starts(day, post))
        assert order[-1] == storm


def test_a_pole_without_time_and_link_sounds_no_longer_than_it_may_blind(ready: BadDay) -> None:
    day, blind = ready, ready.posts[0]
    warn(day, lasts=60)
    day.until("07:31")
    day.befall(Fault.CLOCK_LOST, blind, lasts=30_000)
    day.befall(Fault.LINK_DOWN, blind, lasts=5 * HOUR)
    day.until("11:00")
    told = starts(day, blind)
    assert told[-1] - 90 <= 600 + 60, "ten minutes by its own monotonic clock"
    assert len(told) >= 5


def test_the_emergency_key_is_changed_during_an_alert_and_no_pole_is_touched(ready: BadDay) -> None:
    """The old key was stolen: it dies at every pole with one document, the alert goes on, the new key silences it."""
    day = ready
    warn(day, lasts=60)
    day.until("07:32")
    stolen, fresh = day.ctx.keys.signer(Use.ALERT), SigningKey.generate("alert-new")
    trust, document = _stored(day)
    keys = [key for key in trust.keys if key.use is not Use.ALERT]
    old = next(key for key in trust.keys if key.use is Use.ALERT)
    keys.append(
        TrustedKey(kid=fresh.kid, use=Use.ALERT, x=fresh.public.x, not_before=old.not_before, not_after=old.not_after)
    )
    now = day.world.now
    renewed = trust.model_copy(update={"version": now, "issued_at": now, "keys": keys})
    root = day.ctx.keys.root()
    assert root is not None
    for post in day.posts:
        day.smuggle(post, topics.TRUST, codec.seal(renewed, Typ.TRUST, root))
    topic = topics.to_scope(SCOPE, ScopeTopic.ALERT)
    forged = document.model_copy(
        update={
            "version": now + 1,
            "issued_at": now,
            "alerts": [
                each.model_copy(update={"id": "forged", "issued_at": now, "not_before": now})
                for each in document.alerts
            ],
        }
    )
    for post in day.posts:
        day.smuggle(post, topic, codec.seal(forged, Typ.ALERT, stolen))
    day.until("07:33:45")
    assert all(each.item != "forged" for post in day.posts for each in post.pole.heard)
    assert all(near(starts(day, post), grid(0, 240)) for post in day.posts), "what was applied stays"
    silent = document.model_copy(update={"version": now + 2, "issued_at": day.world.now, "alerts": []})
    for post in day.posts:
        day.smuggle(post, topic, codec.seal(silent, Typ.ALERT, fresh))
        assert post.pole.playing is None
    day.until("07:40")
    assert all(len(starts(day, post)) == 4 for post in day.posts)


def _stored(day: BadDay) -> tuple[Trust, AlertDocument]:
    with day.ctx.db.read() as session:
        trust = session.get_one(ScopeDocument, TRUST).document
        alert = session.get_one(ScopeDocument, SCOPE).document
    keys = day.ctx.keys
    root, own = keys.root_public(), keys.signer(Use.ALERT).public
    return (
        codec.unseal(Trust, trust, Typ.TRUST, lambda kid: root if kid == root.kid else None),
        codec.unseal(AlertDocument, alert, Typ.ALERT, lambda kid: own if kid == own.kid else None),
    )


def test_a_pole_without_a_link_is_warned_and_silenced_by_sms(ready: BadDay) -> None:
    """The text that the office reads off its page is what the pole's modem takes."""
    day = ready
    alone, linked = day.posts[:2]
    day.befall(Fault.LINK_DOWN, alone, lasts=2 * HOUR)
    name = warn(day, lasts=60)
    day.wait(20)
    assert starts(day, alone) == []
    (said,) = texting.texts(day.ctx, day.on_duty, name)
    for post in (alone, linked):
        day.world.give(post, SmsReceived(said.text.encode()))
    day.until("07:32:30")
    assert near(starts(day, alone), [20, 60, 120])
    assert near(starts(day, linked), [0, 60, 120]), "who knew already hears it no more often"
    day.silence()
    (over,) = texting.texts(day.ctx, day.on_duty, name)
    assert not over.sounds
    day.world.give(alone, SmsReceived(over.text.encode()))
    day.world.give(alone, SmsReceived(said.text.encode()))
    day.until("09:45")
    assert len(starts(day, alone)) == 3
    kinds = {entry.kind for entry in day.journal(alone, name)}
    assert kinds == {"started", "ended"}, "and when its link is back it tells of the one alert that it was"
