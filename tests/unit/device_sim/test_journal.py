"""The journal against power cuts and acknowledgements in any order."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasts.wire.journal import JournalAck, JournalBatch, OtherEntry
from device_sim.events import Moment, Sensors
from device_sim.journal import RING_ENTRIES, Journal, JournalStore


def moment(now: int, mono: int | None = None) -> Moment:
    return Moment(now, now if mono is None else mono, 0, True, False, False, Sensors())


def note(journal: Journal, now: int) -> None:
    journal.fault(moment(now), "speaker_wire", "speaker_wire" not in journal.faults)


def sent(journal: Journal, now: int) -> list[JournalBatch]:
    return list(journal.batches("u-1", 1, moment(now)))


deeds = st.lists(
    st.sampled_from(["write", "write", "write", "tear", "reboot", "send", "ack", "lose", "epoch"]), max_size=60
)


@given(deeds)
def test_no_number_is_ever_given_to_two_published_entries_and_none_is_lost(order: list[str]) -> None:
    store = JournalStore("j-1")
    journal = Journal(store)
    received: dict[int, object] = {}
    now, epoch, high = 1_000_000, 0, 0

    def receive(batches: list[JournalBatch]) -> None:
        for batch in batches:
            for entry in batch.entries:
                assert received.setdefault(entry.seq, entry) == entry

    for deed in order:
        now += 1_000
        match deed:
            case "write":
                note(journal, now)
                receive(sent(journal, now))
            case "tear":
                note(journal, now)
                store.tear()
                journal = Journal(store)
            case "reboot":
                journal = Journal(store)
            case "send":
                journal.joined()
                receive(sent(journal, now))
            case "lose":
                note(journal, now)
            case "ack":
                high = max([seq for seq in received if all(n in received for n in range(1, seq))], default=0)
                journal.acknowledge(JournalAck(unit="u-1", journal_id="j-1", seq=high, epoch=epoch))
            case "epoch":
                epoch += 1
                received.clear()
                journal.acknowledge(JournalAck(unit="u-1", journal_id="j-1", seq=0, epoch=epoch))
    journal.joined()
    receive(sent(journal, now + 1))
    assert set(range(store.acked + 1, journal.last_seq + 1)) <= set(received)
    assert journal.last_seq == len(store.frames)


def test_acknowledged_entries_leave_the_ring_and_unacknowledged_never_do() -> None:
    store = JournalStore("j-1")
    journal = Journal(store)
    for n in range(RING_ENTRIES + 5):
        note(journal, n)
    assert len(store.frames) == RING_ENTRIES + 5
    journal.acknowledge(JournalAck(unit="u-1", journal_id="j-1", seq=journal.last_seq, epoch=0))
    note(journal, RING_ENTRIES + 6)
    assert len(store.frames) == RING_ENTRIES
    assert sent(journal, RING_ENTRIES + 7)[0].oldest == 7


def test_the_ring_lasts_14_days() -> None:
    journal = Journal(JournalStore("j-1"))
    note(journal, 0)
    journal.acknowledge(JournalAck(unit="u-1", journal_id="j-1", seq=1, epoch=0))
    note(journal, 14 * 86_400_000)
    assert len(journal.store.frames) == 2
    journal.acknowledge(JournalAck(unit="u-1", journal_id="j-1", seq=2, epoch=0))
    note(journal, 14 * 86_400_000 + 1)
    assert len(journal.store.frames) == 2


def test_a_mark_above_all_that_is_held_moves_the_numbers_on() -> None:
    store = JournalStore("j-1")
    journal = Journal(store)
    note(journal, 1)
    journal.acknowledge(JournalAck(unit="u-1", journal_id="j-1", seq=40, epoch=0))
    note(journal, 2)
    assert [entry.seq for batch in sent(journal, 3) for entry in batch.entries] == [41]
    assert Journal(store).last_seq == 41


@pytest.mark.parametrize(("journal_id", "epoch"), [("j-2", 0), ("j-1", 0)])
def test_a_mark_of_another_journal_or_a_lower_epoch_is_ignored(journal_id: str, epoch: int) -> None:
    journal = Journal(JournalStore("j-1", epoch=1))
    note(journal, 1)
    journal.acknowledge(JournalAck(unit="u-1", journal_id=journal_id, seq=1, epoch=epoch))
    assert journal.store.acked == 0


def test_a_controller_that_asks_for_everything_is_told_a_thousand_at_a_time() -> None:
    journal = Journal(JournalStore("j-1"))
    for n in range(3_000):
        note(journal, n)
    seen: list[int] = []
    while len(seen) < 3_000:
        batches = sent(journal, 5_000)
        assert 0 < sum(len(batch.entries) for batch in batches) <= 1_000
        assert all(len(batch.entries) <= 200 for batch in batches)
        seen += [entry.seq for batch in batches for entry in batch.entries]
        journal.acknowledge(JournalAck(unit="u-1", journal_id="j-1", seq=seen[-1], epoch=0))
    assert seen == list(range(1, 3_001))


def test_old_and_new_entries_do_not_travel_in_one_batch() -> None:
    journal = Journal(JournalStore("j-1"))
    note(journal, 0)
    note(journal, 3_600_000)
    assert [(batch.historical, len(batch.entries)) for batch in sent(journal, 3_600_001)] == [(True, 1), (False, 1)]


def test_what_a_newer_firmware_wrote_is_read_over_and_sent_like_all_else() -> None:
    store = JournalStore("j-1")
    journal = Journal(store)
    note(journal, 1_000)
    body = b'{"seq":2,"at":2000,"kind":"door_opened","item":"d-1","badge":[7]}'
    store.frames.append(b"%08x" % zlib.crc32(body) + body)
    journal = Journal(store)
    note(journal, 3_000)
    entries = [entry for batch in sent(journal, 4_000) for entry in batch.entries]
    assert [(entry.seq, entry.kind) for entry in entries] == [(1, "fault"), (2, "door_opened"), (3, "fault")]
    assert isinstance(entries[1], OtherEntry)
    assert entries[1].model_extra == {"item": "d-1", "badge": [7]}
    assert journal.record("d-1") is None
