"""The disks of live units as files: what is there after the process died, at any moment."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.rig import Rig
from support.signed import MINUTE, T0, asset_of, item, opus, siren

from device_sim.disk import Disk
from device_sim.hardware import Hardware
from device_sim.journal import Journal
from device_sim.storage import COMPACT_AFTER_LINES, Shelf, UnitStorage

SOUND = opus(2_000, "storage")
ASSET = asset_of(SOUND, 2_000)


def lived() -> Disk:
    """The disk of a unit that has played, follows an alert and holds a file."""
    rig = Rig()
    rig.hold((ASSET, SOUND))
    rig.plan([item("d-1", ASSET, T0 + MINUTE)], [ASSET])
    rig.alert("province", [siren("al-1", ASSET, T0 + 10 * MINUTE)])
    rig.run(T0 + 5 * MINUTE)
    assert "d-1" in [sound.item for sound in rig.heard]
    return rig.disk


def saved(folder: Path, disk: Disk, hardware: Hardware | None = None) -> UnitStorage:
    storage = UnitStorage(Shelf(folder), "u-1")
    storage.load()
    storage.save(disk, hardware or Hardware())
    return storage


def loaded(folder: Path) -> tuple[Disk, Hardware]:
    return UnitStorage(Shelf(folder), "u-1").load()


def test_a_new_unit_has_an_empty_disk(tmp_path: Path) -> None:
    assert loaded(tmp_path) == (Disk(), Hardware())


def test_what_was_saved_is_there_again(tmp_path: Path) -> None:
    disk = lived()
    disk.command_seq, disk.capturing, disk.journal.blind = 7, "k-7", {"a-1": 30_000}
    hardware = Hardware(clock_error_ms=-40_000, wire_intact=False, mains=False)
    saved(tmp_path, disk, hardware)
    assert disk.documents.plan is not None
    assert disk.documents.alerts
    assert disk.journal.frames
    assert disk.cache.files
    assert loaded(tmp_path) == (disk, hardware)


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    disk = lived()
    storage = saved(tmp_path, disk)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    storage.save(disk, Hardware())
    assert {path: path.stat().st_mtime_ns for path in files} == files
    disk.command_seq += 1
    storage.save(disk, Hardware())
    changed = [path.name for path, at in files.items() if path.stat().st_mtime_ns != at]
    assert changed == ["state.json"]


def test_a_journal_grows_by_its_new_entries_and_is_read_back_whole(tmp_path: Path) -> None:
    disk = Disk()
    disk.journal.journal_id = "j-1"
    storage = saved(tmp_path, disk)
    log = tmp_path / "units/u-1/journal.log"
    frames = list(lived().journal.frames)
    for number, frame in enumerate(frames, 1):
        disk.journal.frames.append(frame)
        storage.save(disk, Hardware())
        assert log.read_bytes().count(b"\n") == number
    assert list(loaded(tmp_path)[0].journal.frames) == frames


@pytest.mark.parametrize("cut", [1, 20])
def test_a_torn_last_entry_is_dropped_and_the_journal_goes_on(tmp_path: Path, cut: int) -> None:
    disk = lived()
    saved(tmp_path, disk)
    log = tmp_path / "units/u-1/journal.log"
    log.write_bytes(log.read_bytes()[:-cut])
    storage = UnitStorage(Shelf(tmp_path), "u-1")
    again, hardware = storage.load()
    assert list(again.journal.frames) == list(disk.journal.frames)[:-1]
    again.journal.frames.append(disk.journal.frames[-1])
    storage.save(again, hardware)
    assert loaded(tmp_path)[0].journal.frames == disk.journal.frames
    assert Journal(again.journal).last_seq == Journal(disk.journal).last_seq


def test_a_lost_storage_leaves_nothing_of_the_old_journal(tmp_path: Path) -> None:
    storage = saved(tmp_path, lived())
    storage.save(Disk(), Hardware())
    assert loaded(tmp_path) == (Disk(), Hardware())
    assert list((tmp_path / "assets").iterdir()) == []


def test_a_ring_that_turned_is_written_anew_now_and_then(tmp_path: Path) -> None:
    disk = Disk()
    storage = saved(tmp_path, disk)
    frame = lived().journal.frames[0]
    for _ in range(COMPACT_AFTER_LINES + 50):
        disk.journal.frames.append(bytes(bytearray(frame)))
        while len(disk.journal.frames) > 10:
            disk.journal.frames.popleft()
        storage.save(disk, Hardware())
    assert (tmp_path / "units/u-1/journal.log").read_bytes().count(b"\n") < COMPACT_AFTER_LINES
    assert list(loaded(tmp_path)[0].journal.frames)[-10:] == list(disk.journal.frames)


def test_many_units_share_one_copy_until_the_last_one_drops_it(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    disks = [Disk(), Disk()]
    storages = [UnitStorage(shelf, f"u-{number}") for number in (1, 2)]
    for disk, storage in zip(disks, storages, strict=True):
        disk.cache.files[ASSET.sha256] = bytes(bytearray(SOUND))
        storage.save(disk, Hardware())
    assert disks[0].cache.files[ASSET.sha256] is disks[1].cache.files[ASSET.sha256]
    kept = tmp_path / "assets" / ASSET.sha256
    for disk, storage in zip(disks, storages, strict=True):
        assert kept.read_bytes() == SOUND
        disk.cache.files.clear()
        storage.save(disk, Hardware())
    assert not kept.exists()


def test_a_held_file_that_rotted_is_not_held(tmp_path: Path) -> None:
    saved(tmp_path, lived())
    kept = tmp_path / "assets" / ASSET.sha256
    kept.write_bytes(SOUND[:-1] + b"x")
    assert loaded(tmp_path)[0].cache.files == {}


def test_a_begun_download_is_there_next_time(tmp_path: Path) -> None:
    disk = lived()
    disk.cache.parts["a" * 64] = bytearray(b"begun")
    storage = saved(tmp_path, disk)
    storage.close(disk)
    assert loaded(tmp_path)[0].cache.parts == {"a" * 64: bytearray(b"begun")}
    disk.cache.parts.clear()
    storage.close(disk)
    assert loaded(tmp_path)[0].cache.parts == {}


def test_without_a_folder_nothing_is_written_and_copies_are_still_shared(tmp_path: Path) -> None:
    storage = UnitStorage(Shelf(None), "u-1")
    assert storage.load() == (Disk(), Hardware())
    storage.save(lived(), Hardware())
    storage.close(Disk())
    assert list(tmp_path.iterdir()) == []
