"""What the page of a demo may do to the simulated poles. Outside a demo there is no such thing (Office.sandbox)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


class SandboxControl(Protocol):
    """The way to the simulator. Every call may raise Fault("sandbox.silent") when it does not answer, `act` also
    Refused("sandbox.unknown_act") and whatever else stops it."""

    def poles(self) -> list[dict[str, Any]]:
        """One a simulated cluster: `cluster`, `unit` (str), `online` (bool), `sounding` (title or asset, none when
        silent), `volume` (0 to 100), `faults` (list of str) and `heard`, the last sounds first: dicts of `asset`,
        `title` (optional), `from`, `to` (aware datetimes; `to` none while it sounds), `volume`."""
        ...

    def act(self, name: str, **args: str) -> dict[str, Any]:
        """Do one thing of the bad day (`ACTS`). What it answers is shown as it is: `{"done": "…"}`."""
        ...

    def move_clock(self, to: datetime) -> None:
        """Forward only. Raises Refused("sandbox.backward")."""
        ...


@dataclass(frozen=True)
class Act:
    """`pole`: the button wants to know which cluster."""

    name: str
    pole: bool


ACTS: tuple[Act, ...] = (
    Act("cut_link", pole=True),
    Act("restore_link", pole=True),
    Act("forget_connection", pole=True),
    Act("reboot", pole=True),
    Act("cut_wire", pole=True),
    Act("mend_wire", pole=True),
    Act("loosen_wire", pole=True),
    Act("swap_file", pole=True),
    Act("right_file", pole=True),
    Act("loud_neighbour", pole=True),
    Act("quiet_neighbour", pole=True),
    Act("break_ear", pole=True),
    Act("mend_ear", pole=True),
    Act("stick_amplifier", pole=True),
    Act("free_amplifier", pole=True),
    Act("heat_cabinet", pole=True),
    Act("cool_cabinet", pole=True),
    Act("silence_source", pole=True),
    Act("restore_source", pole=True),
    Act("clock_off_linked", pole=True),
    Act("clock_off_alone", pole=True),
    Act("corrupt_asset", pole=True),
    Act("forge_plan", pole=True),
    Act("replay_plan", pole=True),
    Act("older_plan", pole=True),
    Act("far_future_plan", pole=True),
    Act("double_messages", pole=False),
    Act("single_messages", pole=False),
    Act("priority", pole=True),
    Act("restart_broker", pole=False),
    Act("wipe_broker", pole=False),
    Act("kill_controller", pole=False),
    Act("alert", pole=False),
    Act("silence", pole=False),
)
"""The bad day, button by button; the sentences are `sandbox.act.<name>` and `sandbox.why.<name>` of the catalogue."""
