"""Files, evidence, presence and commands of one unit: CONTRACT.md sections 7 to 10."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from support.rig import UNIT, Rig
from support.signed import CHUNK, DAY, HOUR, MINUTE, SECOND, T0, asset_of, item, opus

from broadcasts.wire import topics
from broadcasts.wire.codec import decode, encode, unseal
from broadcasts.wire.journal import CommandResult, Ended, JournalBatch, Skipped
from broadcasts.wire.jws import Typ
from broadcasts.wire.status import CommandKind, Presence, PresenceState
from broadcasts.wire.topics import In, Out
from device_sim.events import Connect, Fetch, FetchFailed, Got, Inbox
from device_sim.unit import Config

NEWS = opus(5 * MINUTE, "news", filler=20_000)
NEWS_ASSET = asset_of(NEWS, 5 * MINUTE)
START = T0 + 10 * MINUTE


def ready(config: Config | None = None) -> Rig:
    rig = Rig(config=config)
    rig.hold((NEWS_ASSET, NEWS))
    return rig


def plan_news(rig: Rig) -> None:
    rig.plan([item("news", NEWS_ASSET, START)], [NEWS_ASSET])


def batches(rig: Rig) -> list[JournalBatch]:
    mine = [out for out in rig.published if out.topic.endswith(Out.JOURNAL)]
    return [unseal(JournalBatch, out.payload, Typ.JOURNAL, {UNIT: rig.key.public}.get) for out in mine]


def presences(rig: Rig) -> list[Presence]:
    return [decode(Presence, out.payload) for out in rig.published if out.topic.endswith(Out.PRESENCE)]


# --- files


@pytest.mark.requirement("R-144")
def test_a_download_broken_at_byte_n_resumes_there() -> None:
    rig = ready()
    broken = [7_000]

    def serve(fetch: Fetch) -> Sequence[Inbox]:
        if broken:
            size = broken.pop()
            return [Got(fetch.sha256, 0, NEWS[:size], False), FetchFailed(fetch.sha256, 0, "broken off")]
        return rig.serve_whole(fetch)

    rig.serve = serve
    plan_news(rig)
    rig.run(T0 + MINUTE)
    assert [(fetch.offset, fetch.size) for fetch in rig.fetched] == [(0, len(NEWS)), (7_000, len(NEWS) - 7_000)]
    assert rig.reported().assets == [NEWS_ASSET.sha256]


def test_a_chunk_corrupted_on_the_way_is_fetched_again_alone() -> None:
    rig = ready()
    bad = bytearray(NEWS)
    bad[CHUNK + 5] ^= 255
    rig.files[NEWS_ASSET.sha256] = bytes(bad)
    answers = [True]

    def serve(fetch: Fetch) -> Sequence[Inbox]:
        out = rig.serve_whole(fetch)
        if answers:
            answers.pop()
            rig.files[NEWS_ASSET.sha256] = NEWS
        return out

    rig.serve = serve
    plan_news(rig)
    rig.run(START + 10 * MINUTE)
    assert [(fetch.offset, fetch.size) for fetch in rig.fetched] == [(0, len(NEWS)), (CHUNK, CHUNK)]
    assert [sound.item for sound in rig.heard] == ["news"]


def test_a_file_that_stays_corrupt_raises_a_fault_and_is_told_with_the_reason() -> None:
    rig = ready()
    rig.files[NEWS_ASSET.sha256] = bytes(NEWS[:-1]) + b"?"
    plan_news(rig)
    rig.run(START + 10 * MINUTE)
    assert rig.heard == []
    [skipped] = rig.journal("news")
    assert isinstance(skipped, Skipped)
    assert (skipped.why, skipped.detail) == ("no_asset", "asset_corrupt")
    assert "asset_corrupt" in rig.reported().faults
    last_chunk = (len(NEWS) - 1) // CHUNK * CHUNK
    assert [fetch.offset for fetch in rig.fetched][:5] == [0, last_chunk, last_chunk, last_chunk, 0]


def test_failures_are_tried_again_after_growing_pauses() -> None:
    rig = ready()
    del rig.files[NEWS_ASSET.sha256]
    moments: list[int] = []

    def serve(fetch: Fetch) -> Sequence[Inbox]:
        moments.append(rig.now)
        return rig.serve_whole(fetch)

    rig.serve = serve
    plan_news(rig)
    rig.run(T0 + 30 * MINUTE)
    pauses = [round((b - a) / SECOND) for a, b in pairwise(moments)]
    for pause, most in zip(pauses, [5, 10, 20, 40, 80, 160, 300], strict=False):
        assert 0.8 * most - 1 <= pause <= most
    assert max(pauses) <= 300


def test_a_download_that_never_ends_is_given_up_after_ten_minutes() -> None:
    rig = ready()
    rig.serve = lambda fetch: []
    plan_news(rig)
    rig.run(T0 + 10 * MINUTE - SECOND)
    assert len(rig.fetched) == 1
    rig.run(T0 + 11 * MINUTE)
    assert len(rig.fetched) == 2


@pytest.mark.requirement("R-082")
def test_a_full_cache_drops_what_nothing_names_and_keeps_what_something_does() -> None:
    old = opus(MINUTE, "old", filler=15_000)
    old_asset = asset_of(old, MINUTE)
    rig = ready(Config(cache_bytes=30_000))
    rig.hold((old_asset, old))
    rig.plan([item("old", old_asset, START)], [old_asset])
    rig.run(T0 + MINUTE)
    rig.plan([item("old", old_asset, START), item("news", NEWS_ASSET, START + HOUR)], [old_asset, NEWS_ASSET])
    rig.run(T0 + 2 * MINUTE)
    assert rig.reported().assets == [old_asset.sha256]
    assert "cache_full" in rig.reported().faults
    rig.plan([item("news", NEWS_ASSET, START + HOUR)], [NEWS_ASSET])
    rig.run(T0 + 3 * MINUTE)
    assert rig.reported().assets == [NEWS_ASSET.sha256]
    assert "cache_full" not in rig.reported().faults


def test_a_half_fetched_file_survives_power() -> None:
    rig = ready()
    rig.serve = lambda fetch: [Got(fetch.sha256, 0, NEWS[:5_000], False)]
    plan_news(rig)
    rig.power_off()
    rig.serve = rig.serve_whole
    rig.power_on()
    rig.run(T0 + 2 * SECOND)
    assert [fetch.offset for fetch in rig.fetched] == [0, 5_000]
    assert rig.reported().assets == [NEWS_ASSET.sha256]


def test_a_unit_without_a_link_does_not_wake_for_files_it_cannot_fetch() -> None:
    rig = ready()
    del rig.files[NEWS_ASSET.sha256]
    plan_news(rig)
    rig.run(T0 + MINUTE)
    rig.link_down()
    rig.steps = 0
    rig.run(T0 + DAY)
    assert rig.steps <= 10


# --- evidence


def test_unacknowledged_entries_are_sent_again_after_60_s_doubling_to_15_minutes() -> None:
    rig = ready()
    rig.acks = False
    plan_news(rig)
    rig.run(START + 5 * MINUTE)
    sent = len(batches(rig))
    times: list[int] = []
    while len(times) < 6:
        rig.run(rig.now + SECOND)
        if len(batches(rig)) > sent:
            sent = len(batches(rig))
            times.append(rig.now)
    pauses = [round((b - a) / SECOND) for a, b in pairwise(times)]
    assert pauses[-1] == 900
    assert pauses == sorted(pauses)
    assert {entry.seq for entry in batches(rig)[-1].entries} == {1, 2}
    assert batches(rig)[-1].historical


def test_everything_unacknowledged_is_said_again_on_reconnect() -> None:
    rig = ready()
    rig.acks = False
    plan_news(rig)
    rig.run(START + 6 * MINUTE)
    before = len(batches(rig))
    rig.link_down()
    rig.run(rig.now + 2 * MINUTE)
    rig.link_up()
    assert {entry.seq for batch in batches(rig)[before:] for entry in batch.entries} == {1, 2}


def test_a_restored_controller_with_a_higher_epoch_is_told_again() -> None:
    rig = ready()
    plan_news(rig)
    rig.run(START + 6 * MINUTE)
    before = len(batches(rig))
    rig.acks = False
    journal_id = batches(rig)[0].journal_id
    ack = topics.to_unit(UNIT, In.JOURNAL_ACK)
    rig.say(ack, rig.signer.ack(UNIT, journal_id, 0, epoch=0))
    assert len(batches(rig)) == before
    rig.say(ack, rig.signer.ack(UNIT, journal_id, 0, epoch=7))
    assert [entry.seq for entry in batches(rig)[-1].entries] == [1, 2]
    rig.say(ack, rig.signer.ack(UNIT, journal_id, 2, epoch=6))
    rig.run(rig.now + 2 * MINUTE)
    assert len(batches(rig)) == before + 2


def test_numbers_never_restart() -> None:
    rig = ready()
    for hour in range(3):
        rig.plan([item(f"n-{hour}", NEWS_ASSET, T0 + hour * HOUR + 10 * MINUTE)], [NEWS_ASSET])
        rig.run(T0 + (hour + 1) * HOUR)
        rig.power_off()
        rig.power_on()
    assert sorted(rig.entries) == list(range(1, 7))


def test_a_long_night_offline_fits_the_packet_limit() -> None:
    rig = ready()
    short = opus(10 * SECOND, "short", filler=320)
    asset = asset_of(short, 10 * SECOND)
    rig.hold((asset, short))
    rig.plan([item(f"n-{n}", asset, T0 + n * MINUTE) for n in range(200)], [asset])
    rig.run(T0 + SECOND)
    rig.link_down()
    rig.run(T0 + DAY)
    rig.link_up()
    assert sorted(rig.entries) == list(range(1, 401))
    assert all(
        len(out.payload) <= topics.MANNERS[Out.JOURNAL].max_bytes for out in rig.published if "journal" in out.topic
    )
    assert all(batch.historical for batch in batches(rig)[-5:])


# --- presence, numbers, commands


def test_every_connection_has_a_greater_pair_and_its_own_will() -> None:
    rig = Rig(power=False)
    wills: list[Presence] = []
    real = rig._carry_out

    def watch(out: object) -> None:
        if isinstance(out, Connect):
            wills.append(decode(Presence, out.will_payload))
        real(out)

    rig._carry_out = watch  # type: ignore[method-assign]
    rig.power_on()
    rig.link_down()
    rig.run(T0 + 5 * MINUTE)
    rig.link_up()
    rig.power_off()
    rig.power_on()
    births = [(each.boot_id, each.conn) for each in presences(rig) if each.state is PresenceState.ONLINE]
    assert births == sorted(set(births))
    assert len(births) == 3
    assert births[2][0] == births[0][0] + 1
    assert set(births) <= {(each.boot_id, each.conn) for each in wills}
    assert all(each.state is PresenceState.OFFLINE for each in wills)


def test_a_connected_unit_that_sees_its_own_death_is_born_again() -> None:
    rig = ready()
    births = len(presences(rig))
    dead = presences(rig)[-1].model_copy(update={"state": PresenceState.OFFLINE})
    rig.say(topics.from_unit(UNIT, Out.PRESENCE), encode(dead), keep=False)
    assert len(presences(rig)) == births + 1
    for _ in range(5):
        rig.say(topics.from_unit(UNIT, Out.PRESENCE), encode(dead), keep=False)
    rig.run(rig.now + 9 * SECOND)
    assert len(presences(rig)) == births + 1
    rig.run(rig.now + 2 * SECOND)
    assert len(presences(rig)) == births + 2


@pytest.mark.requirement("R-144")
def test_an_idle_unit_says_its_numbers_every_15_minutes_and_little_else() -> None:
    rig = ready()
    rig.plan([], [])
    rig.run(T0 + HOUR)
    rig.published.clear()
    rig.steps = 0
    rig.run(rig.now + DAY)
    kinds = [out.topic.rsplit("/", 1)[1] for out in rig.published]
    assert kinds.count("telemetry") == 96
    assert kinds.count("time-ask") == 4
    assert len(kinds) == 100
    assert rig.steps <= 110


@pytest.mark.parametrize("times", [1, 3])
def test_a_command_is_done_once_however_often_it_is_said(times: int) -> None:
    rig = ready()
    command = rig.signer.command(UNIT, 5, CommandKind.QUIET_TEST, rig.now)
    for _ in range(times):
        rig.say(topics.to_unit(UNIT, In.COMMAND), command, keep=False)
    results = [entry for entry in rig.journal() if isinstance(entry, CommandResult)]
    assert [(entry.command, entry.done, entry.detail) for entry in results] == [("cmd-5", True, "line closed")]


def test_an_expired_or_older_command_is_not_obeyed() -> None:
    rig = ready()
    rig.say(topics.to_unit(UNIT, In.COMMAND), rig.signer.command(UNIT, 5, CommandKind.QUIET_TEST, rig.now), keep=False)
    rig.say(topics.to_unit(UNIT, In.COMMAND), rig.signer.command(UNIT, 4, CommandKind.REBOOT, rig.now), keep=False)
    late = rig.signer.command(UNIT, 6, CommandKind.REBOOT, rig.now - HOUR)
    rig.say(topics.to_unit(UNIT, In.COMMAND), late, keep=False)
    assert len([entry for entry in rig.journal() if isinstance(entry, CommandResult)]) == 1


def test_a_reboot_that_is_asked_for_in_the_middle_of_a_bulletin_waits_for_its_end() -> None:
    rig = ready()
    plan_news(rig)
    rig.run(START + MINUTE)
    boot = rig.disk.boot_id
    rig.say(topics.to_unit(UNIT, In.COMMAND), rig.signer.command(UNIT, 1, CommandKind.REBOOT, rig.now), keep=False)
    rig.run(START + 10 * MINUTE)
    assert rig.disk.boot_id == boot + 1
    assert [(s.from_ms, s.offset_ms) for s in rig.heard] == [(START, 0)]
    (ended,) = (entry for entry in rig.journal("news") if isinstance(entry, Ended))
    assert ended.at >= START + 3 * MINUTE
    (done,) = (entry for entry in rig.entries.values() if isinstance(entry, CommandResult))
    assert done.done
    assert done.at >= ended.at


def test_a_unit_without_a_key_of_its_own_sends_the_same_journal_unsigned() -> None:
    rig = Rig(power=False)
    rig.enrolled = replace(rig.enrolled, key=None)
    rig.hold((NEWS_ASSET, NEWS))
    rig.power_on()
    plan_news(rig)
    rig.run(START + HOUR)
    said = [out for out in rig.published if out.topic.endswith(Out.JOURNAL)]
    told = [entry.kind for out in said for entry in decode(JournalBatch, out.payload).entries]
    assert told == ["started", "ended"], "as JSON, and acknowledged: nothing is said twice"
