"""When an emergency or a drill may sound at a pole, as the proof judges it."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from support.signed import HOUR, MINUTE, SECOND, T0, Signer, asset_of, opus, policy, siren
from support.signed import exercise as drill

from broadcasts.wire.codec import unseal
from broadcasts.wire.jws import SigningKey, Typ
from broadcasts.wire.plan import Plan
from broadcasts.wire.trust import Use
from device_sim import windows
from device_sim.counterpart import Siren
from device_sim.events import Arrived
from device_sim.post import Post, Ran
from device_sim.unit import Config, Enrolled

LENGTH = 10 * SECOND
SOUND = asset_of(opus(LENGTH, "window"), LENGTH)
ALERT, DRILL = "loa/v1/s/commune/alert", "loa/v1/s/commune/drill"


class Scene:
    """A pole that follows one commune, and a controller that said what it said."""

    def __init__(self) -> None:
        self.signer = Signer(T0)
        root = SigningKey.generate("root")
        self.post = Post(0, Enrolled("u-1", "secret", None, root.public), Config(), random.Random(1), 50, 10.0)
        sealed = self.signer.plan("u-1", T0, [], [], policy=policy(scopes=["commune"]))
        key = self.signer.keys[Use.PLAN].public
        self.post.disk.documents.plan = unseal(Plan, sealed, Typ.PLAN, lambda _: key)
        self.said: set[tuple[str, str, bytes]] = set()

    def show(self, at: int, *alerts: Any, topic: str = ALERT, genuine: bool = True, **told: Any) -> None:
        version = at + len(self.post.shown)
        make = self.signer.alert if topic == ALERT else self.signer.drill
        payload = make("commune", at, list(alerts), version=version, **told)
        if genuine:
            self.said.add(("commune", topic.rsplit("/", 1)[1], payload))
        self.post.shown.append((at, Arrived(topic, payload)))

    def ran(self, item: str, at: int, lasts: int = LENGTH, unit: str = "u-1") -> None:
        self.post.ran.append(Ran(item, SOUND.sha256, at, at + lasts, 0))

    def broken(self, **changed: Any) -> list[str]:
        told: dict[str, Any] = {
            "id": "a-1", "drill": False, "silent": False, "units": ["u-1"], "released": T0, "begins": T0,
            "hard_end": T0 + HOUR, "times": 2, "blind_ms": 600_000, "lengths": {SOUND.sha256: LENGTH},
        }  # fmt: skip
        return list(windows.judge([self.post], [Siren(**told | changed)], self.said))  # type: ignore[typeddict-item]


@pytest.fixture
def scene() -> Scene:
    made = Scene()
    made.show(T0 + SECOND, siren("a-1", SOUND, T0))
    return made


def test_what_was_told_sounds_as_often_as_it_may(scene: Scene) -> None:
    scene.ran("a-1", T0 + 2 * SECOND)
    scene.ran("a-1", T0 + MINUTE)
    assert scene.broken() == []


def test_one_sounding_too_many_is_found_and_a_cut_of_power_excuses_one(scene: Scene) -> None:
    for minute in range(3):
        scene.ran("a-1", T0 + 2 * SECOND + minute * MINUTE)
    assert any("wholly 3 times, and may 2" in each for each in scene.broken())
    assert scene.broken(times=None) == []
    scene.post.touched.append((T0 + MINUTE + 12 * SECOND, T0 + 2 * MINUTE))
    assert scene.broken() == []


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ({"released": None}, "cancelled"),
        ({"released": T0 + 3 * SECOND}, "1000 ms before its release"),
        ({"begins": T0 + MINUTE}, "before its time"),
        ({"units": ["u-2"]}, "not meant for this pole"),
        ({"drill": True, "silent": True}, "a silent drill"),
        ({"hard_end": T0 - MINUTE, "blind_ms": 0}, "after its hard end"),
    ],
)
def test_what_sounds_outside_of_its_window_is_found(scene: Scene, told: dict[str, Any], found: str) -> None:
    scene.ran("a-1", T0 + 2 * SECOND)
    assert any(found in each for each in scene.broken(**told)), scene.broken(**told)


def test_what_no_document_of_the_controller_said_there_is_found(scene: Scene) -> None:
    scene.ran("a-1", T0)
    [found] = scene.broken()
    assert "nothing that had reached this pole said so" in found


def test_a_forged_document_permits_nothing() -> None:
    scene = Scene()
    scene.show(T0 + SECOND, siren("a-1", SOUND, T0), genuine=False)
    scene.ran("a-1", T0 + 2 * SECOND)
    assert len(scene.broken()) == 1


def test_silence_counts_from_when_it_reached_the_pole(scene: Scene) -> None:
    scene.ran("a-1", T0 + 2 * SECOND, lasts=5 * SECOND)
    scene.show(T0 + 7 * SECOND)
    assert scene.broken() == []
    scene.post.ran.clear()
    scene.ran("a-1", T0 + 2 * SECOND)
    [found] = scene.broken()
    assert "on for 5000 ms after its silence had come" in found
    scene.post.ran.clear()
    scene.ran("a-1", T0 + 8 * SECOND)
    [found] = scene.broken()
    assert "(any more)" in found


def test_an_older_document_that_is_shown_again_brings_nothing_back(scene: Scene) -> None:
    scene.show(T0 + 7 * SECOND)
    scene.post.shown.append((T0 + 8 * SECOND, scene.post.shown[0][1]))
    scene.ran("a-1", T0 + 9 * SECOND)
    assert len(scene.broken()) == 1


def test_what_was_voided_stands_no_more(scene: Scene) -> None:
    scene.show(T0 + 7 * SECOND, siren("a-1", SOUND, T0), void_before=T0 + SECOND)
    scene.ran("a-1", T0 + 8 * SECOND)
    assert len(scene.broken()) == 1


def test_a_pole_without_time_sounds_so_long_and_no_longer(scene: Scene) -> None:
    end = T0 + 2 * MINUTE
    scene.ran("a-1", end + MINUTE)
    assert any("after its hard end" in each for each in scene.broken(hard_end=end))
    scene.post.config = replace(scene.post.config, battery=False)
    assert scene.broken(hard_end=end) == []
    assert any("after its hard end" in each for each in scene.broken(hard_end=end, blind_ms=5_000))


def test_a_drill_is_heard_once_and_never_while_an_alert_is_active() -> None:
    scene = Scene()
    scene.show(T0, drill("dr-1", SOUND, T0), topic=DRILL)
    told = {"id": "dr-1", "drill": True, "times": 1, "blind_ms": 0}
    scene.ran("dr-1", T0 + SECOND)
    assert scene.broken(**told) == []
    scene.ran("dr-1", T0 + MINUTE)
    assert any("wholly 2 times, and may 1" in each for each in scene.broken(**told))
    scene.post.ran.pop()
    scene.show(T0 + 30 * MINUTE, siren("a-2", SOUND, T0 + 20 * MINUTE, hard_end=T0 + HOUR))
    scene.ran("dr-1", T0 + 31 * MINUTE, lasts=SECOND)
    assert any("while an alert was active" in each for each in scene.broken(**told))
