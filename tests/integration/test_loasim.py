"""`loasim` as a person meets it: exit codes, words, and a process that ends or dies."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.brokers import running_broker
from support.live import FileServer, Hand, write_fleet
from support.parties import OverSockets
from support.signed import asset_of, item, opus
from support.wait import until

from broadcasts.wire.journal import Started
from device_sim.cli import main
from device_sim.control import ask
from device_sim.mischief import Mischief

SOUND = opus(5_000, "process", filler=20_000)
ASSET = asset_of(SOUND, 5_000)


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main([str(each) for each in arguments]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    return told.err


class TestWords:
    @pytest.mark.parametrize(
        "arguments",
        [
            [],
            ["sing"],
            ["run"],
            ["prove", "--units", "0"],
            ["prove", "--seed", "1", "--seeds", "1-2"],
            ["prove", "--seeds", "9-1"],
            ["describe", "--loud"],
        ],
        ids=" ".join,
    )
    def test_wrong_usage_is_exit_code_2(self, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 2
        assert "usage: loasim" in capsys.readouterr().err

    def test_describe_says_every_fault_to_people_and_machines(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["describe"]) == 0
        words = capsys.readouterr().out
        assert main(["describe", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["contract"] == 1
        assert set(told["faults"]) == {str(kind) for kind in Mischief}
        assert all(name in words for name in [*told["faults"], *told["virtual_faults"]])

    @pytest.mark.parametrize(
        ("content", "mode", "words"),
        [
            (None, 0o600, "no fleet file"),
            ("{}", 0o640, "chmod 600"),
            ("{}", 0o600, "units is missing"),
            ("[1", 0o600, "not a fleet file"),
            ('{"root": {"kid": "r", "x": "x"}, "units": [{"unit": "u"}]}', 0o600, "cluster is missing"),
            ('{"units": [], "broker": {"host": "h", "port": "x"}, "files": ""}', 0o600, "not a fleet file"),
        ],
    )
    def test_a_fleet_file_that_cannot_be_used_is_refused_in_words(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, mode: int, words: str
    ) -> None:
        path = tmp_path / "fleet.json"
        if content is not None:
            path.write_text(content, encoding="utf-8")
            path.chmod(mode)
        assert words in refused(capsys, "run", "--fleet", path)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (["--broker", "nowhere"], "not host:port"),
            (["--broker", "127.0.0.1:99999"], "not host:port"),
            (["--broker", "no-such-host.invalid:1883"], "no broker at no-such-host.invalid:1883"),
            (["--ca", "no-such-file"], "cannot read the certificates"),
            (["--ca", "FLEET"], "cannot read the certificates"),
            (["--state", "FLEET"], "cannot be used"),
            (["--control", "no-such-folder/sim.sock"], "cannot listen"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else None,
    )
    def test_an_option_that_cannot_be_used_is_refused_in_words(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
    ) -> None:
        path = tmp_path / "fleet.json"
        path.touch(mode=0o600)
        path.write_text('{"units": [], "broker": {"host": "127.0.0.1", "port": 1}, "files": "http://127.0.0.1:1"}')
        given = [str(path) if option == "FLEET" else option for option in options]
        assert words in refused(capsys, "run", "--fleet", path, *given)

    def test_a_state_folder_belongs_to_one_simulator_at_a_time(
        self, here: Here, capsys: pytest.CaptureFixture[str]
    ) -> None:
        child = here.start()
        assert "another simulator works on" in refused(capsys, "run", "--fleet", here.fleet, "--state", here.state)
        here.end(child, signal.SIGTERM)

    def test_a_scene_that_makes_no_sense_is_refused_in_words(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        scene = tmp_path / "scene.toml"
        scene.write_text("units = 0\n")
        assert "units: not between 1 and" in refused(capsys, "prove", "--scene", scene)
        assert "there is loa" in refused(capsys, "prove", "--counterpart", "nobody")


class Here:
    """A broker, files, a controller by hand, and `loasim run` as a process."""

    def __init__(self, folder: Path, broker: OverSockets) -> None:
        self.folder, self.state, self.socket = folder, folder / "state", folder / "sim.sock"
        self.files = FileServer(broker.secrets)
        self.files.files[ASSET.path] = SOUND
        self.hand = Hand(broker, ["u-1", "u-2", "u-3"])
        self.fleet = folder / "fleet.json"
        write_fleet(self.fleet, self.hand, broker, self.files.base)

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "device_sim", "run", "--fleet", self.fleet, "--state", self.state]
        child = subprocess.Popen(
            [*command, "--control", self.socket, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

        def answers() -> bool:
            assert child.poll() is None, child.communicate()
            try:
                return all(pole["time_trusted"] for pole in self.poles())
            except OSError:
                return False

        self.hand.until(answers, "the fleet is up")
        return child

    def poles(self) -> list[dict[str, Any]]:
        poles: list[dict[str, Any]] = ask(self.socket, {"do": "poles"})["poles"]
        return poles

    def end(self, child: subprocess.Popen[str], number: signal.Signals) -> tuple[str, str]:
        child.send_signal(number)
        return child.communicate(timeout=10)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    with running_broker("mosquitto", tmp_path) as broker:
        assert isinstance(broker, OverSockets)
        made = Here(tmp_path, broker)
        yield made
        made.hand.goodbye()
        made.files.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_and_every_will_is_spoken(here: Here, number: signal.Signals) -> None:
    child = here.start()
    out, err = here.end(child, number)
    assert child.returncode == 0
    assert json.loads(out) == {"units": 3, "sounds": 0}
    assert "3 units" in err
    assert "Traceback" not in err
    assert not here.socket.exists()
    here.hand.until(lambda: [each.state for each in here.hand.presence.values()] == ["offline"] * 3, "three wills")


def test_killed_in_the_middle_of_a_bulletin_the_next_run_proves_both_parts(here: Here) -> None:
    hand = here.hand
    child = here.start()
    start = hand.now() + 1_200
    for unit in hand.units:
        hand.plan(unit, [item("d-1", ASSET, start)], [ASSET])
    hand.until(lambda: all(pole["playing"] == "d-1" for pole in here.poles()), "all of them play")
    child.kill()
    child.communicate()
    before = dict(hand.reported)
    again = here.start()
    wanted = ["started", "ended played sound"]
    hand.until(lambda: all(hand.kinds(unit, "d-1")[-1:] == wanted[-1:] for unit in hand.units), "the proof")
    for unit in hand.units:
        first, *_, last = [
            entry for (who, _, _), entry in sorted(hand.entries.items()) if who == unit and isinstance(entry, Started)
        ]
        assert (first.offset_ms, first.item) == (0, "d-1")
        assert last.offset_ms > 0, "joined at the right place"
        assert hand.reported[unit].journal_id == before[unit].journal_id
        assert hand.reported[unit].boot_id > before[unit].boot_id
    until(lambda: all(pole["playing"] is None for pole in here.poles()), "silence")
    here.end(again, signal.SIGINT)
    assert again.returncode == 0


def test_seeds_that_are_proved_side_by_side_tell_the_same_in_the_same_order(capsys: pytest.CaptureFixture[str]) -> None:
    def proofs(jobs: int) -> list[dict[str, Any]]:
        asked = ["prove", "--units", "5", "--days", "2", "--seeds", "1-2", "--jobs", str(jobs), "--json"]
        assert main(asked) == 0
        told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return [{name: value for name, value in each.items() if name != "seconds"} for each in told]

    one_by_one = proofs(1)
    assert [each["seed"] for each in one_by_one] == [1, 2]
    assert proofs(2) == one_by_one
