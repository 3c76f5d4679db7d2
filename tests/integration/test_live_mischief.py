"""What the control socket can do to live units, each told by what the villager hears and what the journal says."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.brokers import running_broker
from support.live import FileServer, Hand, Running, running_fleet, write_fleet
from support.parties import OverSockets
from support.signed import CHUNK, asset_of, item, opus, siren

from broadcasts.errors import Refused
from broadcasts.wire import topics, trigger
from broadcasts.wire.journal import Ended, FaultEntry
from broadcasts.wire.plan import Asset, Late
from broadcasts.wire.relay import Relay
from broadcasts.wire.trust import Use
from device_sim.control import Control
from device_sim.health import HOT_VOLUME
from device_sim.mischief import KINDS, Mischief

SOUND = opus(1_600, "mischief", filler=700_000)
ASSET = asset_of(SOUND, 1_600)
LONG = opus(15_000, "rebooted", filler=50_000)
LONG_ASSET = asset_of(LONG, 15_000)
UNITS = tuple(f"u-{number}" for number in range(1, 11))
SOUND_AND_PROOF = ["started", "ended played sound"]


class Stage:
    def __init__(self, running: Running, hand: Hand, files: FileServer) -> None:
        self.running, self.hand, self.files = running, hand, files

    def pole(self, unit: str) -> dict[str, Any]:
        return self.running.poles()[unit]

    def heard(self, unit: str) -> list[str]:
        return [sound["item"] for sound in self.pole(unit)["heard"]]

    def until_held(self, *units: str) -> None:
        self.hand.until(lambda: all(self.pole(unit)["held"] == 1 for unit in units), "the file is held")

    def until_proven(self, unit: str, name: str, wanted: list[str]) -> None:
        self.hand.until(lambda: self.hand.kinds(unit, name) == wanted, f"{unit}: {wanted}")

    def plan(self, unit: str, name: str, in_ms: int, asset: Asset = ASSET, **fields: Any) -> int:
        """Late it is played whole all the same, where the test says nothing else: the machine may be busy."""
        start = self.hand.now() + in_ms
        self.hand.plan(unit, [item(name, asset, start, **{"late": Late.SHIFT, **fields})], [asset])
        return start

    def asked(self, unit: str) -> list[tuple[str, int]]:
        return [(wanted, status) for who, wanted, status in self.files.asked if who == unit]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("live")
    with running_broker("mosquitto", folder) as broker:
        assert isinstance(broker, OverSockets)
        files, hand = FileServer(broker.secrets), Hand(broker, UNITS)
        files.files.update({ASSET.path: SOUND, LONG_ASSET.path: LONG})
        file = write_fleet(folder / "fleet.json", hand, broker, files.base)
        with running_fleet(file, folder) as running:
            made = Stage(running, hand, files)
            hand.until(lambda: all(each["time_trusted"] for each in running.poles().values()), "signed time")
            yield made
        hand.goodbye()
        files.close()


def test_a_cut_wire_is_heard_by_nobody_and_proven_as_silence(stage: Stage) -> None:
    stage.running.fault("wire_cut", "u-1")
    stage.plan("u-1", "d-wire", 500)
    stage.until_proven("u-1", "d-wire", ["started", "ended played silent"])
    assert stage.heard("u-1") == []
    assert "speaker_wire" in stage.pole("u-1")["reported_faults"]
    stage.running.fault("wire_repair", "u-1")
    stage.plan("u-1", "d-again", 500)
    stage.until_proven("u-1", "d-again", SOUND_AND_PROOF)
    assert stage.heard("u-1") == ["d-again"]


def test_a_bit_turned_on_the_way_costs_one_chunk(stage: Stage) -> None:
    stage.running.fault("corrupt_next_fetch", "u-2")
    assert stage.pole("u-2")["faults"] == ["corrupt_next_fetch"]
    stage.plan("u-2", "d-corrupt", 1_500)
    stage.until_held("u-2")
    (whole, _), (piece, _) = stage.asked("u-2")
    first, last = map(int, piece.removeprefix("bytes=").split("-"))
    assert whole == f"bytes=0-{len(SOUND) - 1}"
    assert (first % CHUNK, last - first) == (0, CHUNK - 1)
    stage.until_proven("u-2", "d-corrupt", SOUND_AND_PROOF)


def test_a_download_that_broke_off_goes_on_where_it_was(stage: Stage) -> None:
    stage.running.fault("break_next_fetch", "u-3", bytes=300_000)
    stage.plan("u-3", "d-break", 9_000)
    stage.until_held("u-3")
    assert stage.asked("u-3") == [
        (f"bytes=0-{len(SOUND) - 1}", 206),
        (f"bytes=300000-{len(SOUND) - 1}", 206),
    ]


def test_every_message_twice_is_heard_once(stage: Stage) -> None:
    stage.running.fault("duplicate_messages", "u-4", on=True)
    assert stage.pole("u-4")["faults"] == ["duplicate_messages"]
    stage.plan("u-4", "d-twice", 500)
    stage.until_proven("u-4", "d-twice", SOUND_AND_PROOF)
    assert stage.heard("u-4") == ["d-twice"]
    stage.running.fault("duplicate_messages", "u-4", on=False)
    assert stage.pole("u-4")["faults"] == []


def test_a_hostile_broker_makes_no_sound(stage: Stage) -> None:
    hand = stage.hand
    stage.plan("u-5", "d-old", 500)
    stage.until_proven("u-5", "d-old", SOUND_AND_PROOF)
    now = hand.now()
    alert = hand.signer.alert("province", now, [siren("al-1", ASSET, now, target=["u-60"])])
    hand.say(topics.to_scope("province", topics.ScopeTopic.ALERT), alert, retain=True)
    stage.plan("u-5", "d-far", 3_600_000)
    hand.until(lambda: "province" in hand.reported["u-5"].alerts, "the alert document is known")
    held = hand.reported["u-5"]
    stage.running.fault("forge", "u-5")
    hand.until(lambda: hand.reported["u-5"].refused is not None, "the refusal is reported")
    refused = hand.reported["u-5"].refused
    assert refused is not None
    assert refused.reason in ("bad_signature", "malformed")
    stage.running.fault("replay_old", "u-5")
    stage.plan("u-5", "d-new", 2_500)  # later than everything forged would have begun
    stage.until_proven("u-5", "d-new", SOUND_AND_PROOF)
    assert stage.heard("u-5") == ["d-old", "d-new"]
    assert hand.reported["u-5"].alerts == held.alerts
    assert hand.reported["u-5"].trust_version == held.trust_version


def test_a_unit_rebooted_in_the_middle_joins_at_the_right_place(stage: Stage) -> None:
    start = stage.plan("u-6", "d-reboot", 800, LONG_ASSET, late=Late.DROP)
    stage.until_held("u-6")
    stage.hand.until(lambda: stage.hand.now() > start + 1_000 and bool(stage.pole("u-6")["playing"]), "it plays")
    stage.running.fault("reboot", "u-6")
    stage.hand.until(lambda: len(stage.heard("u-6")) == 2, "it went on")
    first, second = stage.pole("u-6")["heard"]
    assert second["offset_ms"] > first["offset_ms"]
    assert abs(second["offset_ms"] - (second["from_ms"] - start)) <= 1_000
    stage.hand.until(lambda: "ended played sound" in stage.hand.kinds("u-6", "d-reboot"), "it is proven")


def test_a_clock_forty_seconds_off_is_put_right_by_signed_time(stage: Stage) -> None:
    stage.running.fault("clock_off", "u-7", seconds=40)
    stage.hand.until(lambda: abs(stage.pole("u-7")["clock_error_ms"]) <= 500, "the correction")
    stage.hand.until(
        lambda: any(
            isinstance(entry, FaultEntry) and (unit, entry.code, entry.raised) == ("u-7", "clock_drift", True)
            for (unit, _, _), entry in stage.hand.entries.items()
        ),
        "the fault is in the journal",
    )
    start = stage.plan("u-7", "d-clock", 800)
    stage.until_proven("u-7", "d-clock", SOUND_AND_PROOF)
    # Not forty seconds off; what is left is what a busy machine needs.
    assert abs(stage.pole("u-7")["heard"][0]["from_ms"] - start) <= 20_000


def test_without_power_nothing_sounds_and_the_boot_says_so(stage: Stage) -> None:
    # Time enough to cut the power before the slot, also where much else is going on.
    slot = stage.hand.now() + 6_000
    stage.plan("u-8", "d-dark", 6_000, not_after=slot + 1_000, late=Late.DROP)
    stage.until_held("u-8")
    stage.running.fault("power_off", "u-8")
    assert stage.pole("u-8")["power"] is False
    refused = stage.running.ask(do="fault", kind="forge", unit="u-8")
    assert (refused["ok"], refused["error"]) == (False, "sim_powerless")
    stage.hand.until(lambda: stage.hand.now() > slot + 2_000, "the slot has passed")
    stage.running.fault("power_on", "u-8")
    stage.until_proven("u-8", "d-dark", ["skipped power_off"])
    assert stage.heard("u-8") == []


def test_a_lost_disk_begins_a_new_journal_and_learns_everything_again(stage: Stage) -> None:
    stage.plan("u-9", "d-first", 500)
    stage.until_proven("u-9", "d-first", SOUND_AND_PROOF)
    stage.hand.until(lambda: stage.hand.reported["u-9"].plan_hash is not None, "the plan is reported")
    before = stage.hand.reported["u-9"]
    stage.running.fault("lose_storage", "u-9")
    stage.hand.until(lambda: stage.hand.reported["u-9"].boot_id > before.boot_id, "a later boot")
    stage.until_held("u-9")
    stage.hand.until(lambda: stage.hand.reported["u-9"].plan_hash == before.plan_hash, "the plan is known again")
    assert stage.hand.reported["u-9"].journal_id != before.journal_id


def test_an_amplifier_that_holds_on_and_a_hot_cabinet_are_raised_and_go(stage: Stage) -> None:
    stage.running.fault("cabinet_hot", "u-2", celsius=80)
    stage.hand.until(lambda: stage.pole("u-2")["reported_faults"] == ["cabinet_hot"], "the heat is noticed")
    assert stage.pole("u-2")["faults"] == ["cabinet_hot"]
    stage.plan("u-2", "d-hot", 500)
    stage.until_proven("u-2", "d-hot", SOUND_AND_PROOF)
    assert [sound["volume"] for sound in stage.pole("u-2")["heard"] if sound["item"] == "d-hot"] == [HOT_VOLUME]
    stage.running.fault("cabinet_cool", "u-2")
    stage.hand.until(lambda: stage.pole("u-2")["reported_faults"] == [], "it is cool again")
    stage.running.fault("amplifier_stuck", "u-2")
    stage.plan("u-2", "d-stuck", 500)
    stage.until_proven("u-2", "d-stuck", SOUND_AND_PROOF)
    stage.hand.until(lambda: stage.pole("u-2")["reported_faults"] == ["amplifier_stuck"], "it holds on")
    stage.running.fault("amplifier_free", "u-2")
    stage.hand.until(lambda: stage.pole("u-2")["reported_faults"] == [], "it has let go")
    assert stage.pole("u-2")["faults"] == []


def test_a_forgotten_connection_looks_up(stage: Stage) -> None:
    stage.hand.until(lambda: stage.pole("u-3")["online"], "a link")
    stage.running.fault("nat_timeout", "u-3")
    assert stage.pole("u-3")["online"]
    before = stage.hand.reported["u-3"]
    stage.plan("u-3", "d-nobody-hears", 60_000)
    stage.running.fault("reboot", "u-3")
    stage.hand.until(lambda: stage.hand.reported["u-3"].boot_id > before.boot_id, "a reboot makes a new connection")


@pytest.mark.requirement("R-024")
def test_a_station_that_goes_off_gives_way_to_the_fallback(stage: Stage) -> None:
    """Over a real broker and a real clock, with the simulated station that virtual time has too."""
    start = stage.hand.now() + 1_500
    relay = Relay(source="vov1", frequency_khz=100_400, length_ms=120_000, silence_s=5)
    slot = item("d-relay", ASSET, start, relay=relay, hard_end=start + 120_000, not_after=start)
    stage.hand.plan("u-1", [slot], [ASSET])
    stage.hand.until(lambda: "relay:vov1" in str(stage.pole("u-1")["hearing"]), "the station is heard")
    stage.running.fault("source_off", "u-1")
    assert stage.pole("u-1")["faults"] == ["source_off"]
    stage.hand.until(lambda: ASSET.sha256 in str(stage.pole("u-1")["hearing"]), "the fallback is heard")
    assert "relay_silent" in stage.pole("u-1")["reported_faults"]
    stage.running.fault("source_back", "u-1")
    stage.hand.until(lambda: "relay:vov1" in str(stage.pole("u-1")["hearing"]), "the station is taken back")
    stage.hand.plan("u-1", [], [])
    stage.until_proven("u-1", "d-relay", ["started", "ended withdrawn sound"])
    live, fallback, again = [each for each in stage.pole("u-1")["heard"] if each["item"] == "d-relay"]
    assert (live["asset"], again["asset"]) == ("relay:vov1", "relay:vov1")
    assert fallback["from_ms"] - live["to_ms"] >= 5_000
    rounded = 1  # both ends are told in whole milliseconds
    assert fallback["to_ms"] - fallback["from_ms"] >= ASSET.duration_ms - rounded
    [ended] = [each for each in stage.hand.entries.values() if isinstance(each, Ended) and each.item == "d-relay"]
    assert ended.relay == "vov1"
    assert ended.relay_ms is not None
    assert ended.fallback_ms is not None
    assert ended.fallback_ms >= ASSET.duration_ms
    assert ended.relay_ms + ended.fallback_ms <= ended.played_ms - 5_000


def test_a_pole_without_a_link_is_warned_by_sms(stage: Stage) -> None:
    hand = stage.hand
    hand.plan("u-10", [], [ASSET], emergency_set=[ASSET.sha256], preloaded={"storm/vi": 0})
    stage.until_held("u-10")
    stage.running.fault("offline", "u-10")
    hand.until(lambda: not stage.pole("u-10")["online"], "the link is gone")
    now = hand.now()
    alert = siren("al-sms", ASSET, now)
    told = trigger.of_alert(alert, "province", now + 1, unit="u-10")
    said = trigger.text(trigger.seal(told, hand.signer.keys[Use.ALERT]))
    assert stage.running.ask(do="sms", units=["u-10", "u-7"], text=said)["ok"]
    hand.until(lambda: stage.heard("u-10")[-1:] == ["al-sms"], "it sounds")
    assert "al-sms" not in stage.heard("u-7"), "it was for another pole"
    stage.running.fault("online", "u-10")
    stage.until_proven("u-10", "al-sms", SOUND_AND_PROOF)


@pytest.mark.parametrize(
    ("request_", "error", "words"),
    [
        ({"do": "sing"}, "sim_unknown_request", "poles, fault"),
        ({}, "sim_unknown_request", "poles, fault"),
        ({"do": "poles", "units": ["u-77"]}, "sim_unknown_unit", "u-77"),
        ({"do": "poles", "sounds": "all"}, "sim_request", "number"),
        ({"do": "fault", "kind": "melt", "units": "all"}, "sim_unknown_fault", "offline, online"),
        ({"do": "sms", "units": "all"}, "sim_request", "text"),
        ({"do": "fault", "kind": "offline"}, "sim_request", "list of units"),
        ({"do": "fault", "kind": "offline", "units": []}, "sim_request", "list of units"),
        ({"do": "fault", "kind": "offline", "units": ["u-1", "u-77"]}, "sim_unknown_unit", "u-77"),
        ({"do": "fault", "kind": "clock_off", "units": "all"}, "sim_argument", "seconds"),
        ({"do": "fault", "kind": "clock_off", "units": "all", "seconds": True}, "sim_argument", "float"),
        ({"do": "fault", "kind": "duplicate_messages", "units": "all", "on": 1}, "sim_argument", "bool"),
        ({"do": "fault", "kind": "break_next_fetch", "units": "all", "bytes": "x"}, "sim_argument", "int"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_in_words_and_changes_nothing(
    stage: Stage, request_: dict[str, Any], error: str, words: str
) -> None:
    told = stage.running.ask(**request_)
    assert (told["ok"], told["error"]) == (False, error)
    assert words in told["words"]
    assert all(pole["online"] for pole in stage.running.poles().values() if pole["power"])


def test_the_socket_answers_line_by_line_whatever_is_written(stage: Stage, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(60)
        line.connect(str(stage.running.socket))
        line.sendall(b"nonsense\n[1]\n" + b"[" * 5_000 + b'\n{"do":"describe"}\n')
        with line.makefile("rb") as reader:
            answers = [reader.readline() for _ in range(4)]
    assert [b'"ok": true' in answer for answer in answers] == [False, False, False, True]
    assert set(KINDS) == set(Mischief)
    assert all(f'"{kind}"'.encode() in answers[3] for kind in Mischief)


def test_the_socket_is_for_its_owner_alone_and_taken_only_once(stage: Stage, tmp_path: Path) -> None:
    path = stage.running.socket
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Refused, match="another simulator"):
        Control(path, lambda: None)
    assert stage.running.ask(do="describe")["ok"], "the one that was there goes on"
    left_behind = tmp_path / "sim.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(left_behind))
    Control(left_behind, lambda: None).close()
    with pytest.raises(Refused, match="sim_control"):
        Control(tmp_path / ("x" * 200), lambda: None)
