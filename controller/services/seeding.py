"""The sample province: 80 illustrative clusters in 16 communes, their units, and four accounts.

Where the 80 clusters of the real purchase stand is not known (circular39.md, part d), so every station is marked as
illustrative. The units' private keys and secrets go into the fleet file for the simulator, and nowhere else here.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.wire.jws import SigningKey
from controller.db.tables import Area, Assignment, Cluster, RelaySource, Station, Unit
from controller.services import accounts, audit, enrolling
from controller.services.context import Context
from controller.services.rights import Role

COMMUNES = Path(__file__).parent / "seed_data" / "communes.csv"
LIST_DATE = date(2025, 3, 1)
"""The official list that names and codes were taken from; the merger of July 2025 is another list."""
PROVINCE = ("p-94", "Tỉnh Sóc Trăng", "94")
DEMO_HOURS = [[5 * 60, 21 * 60]]
DEMO_CEILINGS = [[5 * 60, 6 * 60, 50], [6 * 60, 21 * 60, 80]]
EARLY = "01/QC-MẪU, điều 3 (mẫu)"
"""The commune's decision about early slots, which R-109 wants on record."""
ALL_DAY = [[0, 1440]]
PER_COMMUNE = 5
EARS = ("none", "line_out", "line_out", "microphone", "line_out")
"""What the made-up units hear themselves with, by their number in the commune: so that pages show all three."""
KHMER = ("Thị xã Vĩnh Châu", "Huyện Trần Đề")
"""Where half of the people or more speak Khmer; what the clusters there play is made up like all else."""
ACCOUNTS = (
    ("phatthanh", "Cán bộ truyền thanh (mẫu)", Role.BROADCASTER),
    ("lanhdao", "Lãnh đạo phê duyệt (mẫu)", Role.APPROVER),
    ("kythuat", "Kỹ thuật viên (mẫu)", Role.TECHNICIAN),
    ("tinh", "Trực điều hành tỉnh (mẫu)", Role.PROVINCE),
)


EXAMPLE_STREAM = "https://tiepam.example.vn/vi-du"
EXAMPLE_KHZ = 100_000
"""Nobody's address and nobody's frequency."""


@dataclass(frozen=True)
class Commune:
    code: str
    name: str
    district: str
    latitude: float
    longitude: float


@dataclass(frozen=True)
class Seeded:
    """What the first run has to tell once: one-time passwords by account name, and the units' enrolments."""

    passwords: dict[str, str]
    enrolments: list[dict[str, Any]]


def communes(count: int = 16) -> Iterator[Commune]:
    """All 8 of Cù Lao Dung, then the first 4 each of Vĩnh Châu and Trần Đề by code; beyond 16, all others by code."""
    with COMMUNES.open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: int(row["gso_code"]))
    chosen = [row for row in rows if row["district"] == "Huyện Cù Lao Dung"]
    for district in ("Thị xã Vĩnh Châu", "Huyện Trần Đề"):
        chosen += [row for row in rows if row["district"] == district][:4]
    chosen += [row for row in rows if row not in chosen]
    for row in chosen[:count]:
        yield Commune(row["gso_code"], row["commune"], row["district"], float(row["lat"]), float(row["lon"]))


def seed(
    ctx: Context,
    *,
    clusters: int = 80,
    hours: list[list[int]] | None = None,
    password_only: int = 0,
    mp3_only: int = 0,
) -> Seeded | None:
    """Fill an empty database; none when it is not empty. `hours` in minutes of the day, [[start, end], …]. The first
    `password_only` units have no key of their own, as the cheapest boxes; the last `mp3_only`
    decode nothing but MP3.

    A number above 540 (108 communes) puts more than 5 clusters into a commune.
    """
    with ctx.db.read() as session:
        if session.scalar(select(Area.id).limit(1)) is not None:
            return None
    per_commune = max(PER_COMMUNE, -(-clusters // 108))
    places = list(communes(-(-clusters // per_commune)))
    # Keys and hashes are made before the transaction begins.
    units = [_unit(place, number) for place in places for number in range(1, per_commune + 1)][:clusters]
    units = [replace(unit, key=None) for unit in units[:password_only]] + units[password_only:]
    first = {name: accounts.FirstPassword.make() for name, _, _ in ACCOUNTS}
    with ctx.db.write() as session:
        _areas(session, places)
        for place in places:
            session.add(_station(place, hours or DEMO_HOURS))
        session.flush()
        session.add_all(_relay_sources(ctx))
        enrolments = [_place(ctx, session, made) for made in units]
        for name, full_name, role in ACCOUNTS:
            accounts.create_user(ctx, session, first[name], name, full_name, role, PROVINCE[0], "seed")
        audit.record(session, ctx.clock.now(), "seed", "seed", PROVINCE[0], {"clusters": len(units)})
    root = ctx.keys.root_public()
    for enrolment in enrolments[len(enrolments) - mp3_only :]:
        enrolment["codecs"] = ["mp3"]
    for enrolment in enrolments:
        enrolment |= {"root_kid": root.kid, "root_x": root.x}
    return Seeded({name: password.word for name, password in first.items()}, enrolments)


def _areas(session: Session, places: list[Commune]) -> None:
    name, title, code = PROVINCE
    session.add(Area(id=name, kind="province", name=title, code=code, valid_from=LIST_DATE))
    session.flush()
    for place in places:
        session.add(
            Area(
                id=f"c-{place.code}",
                parent_id=name,
                kind="commune",
                name=f"{place.name}, {place.district}",
                code=place.code,
                valid_from=LIST_DATE,
            )
        )
    session.flush()


def _station(place: Commune, hours: list[list[int]]) -> Station:
    return Station(
        id=f"s-{place.code}",
        area_id=f"c-{place.code}",
        name=f"Đài truyền thanh {place.name[0].lower()}{place.name[1:]}",
        scope=f"c-{place.code}",
        regulation_number="01/QC-MẪU",
        regulation_date=LIST_DATE,
        hours=hours,
        ceilings=DEMO_CEILINGS if hours == DEMO_HOURS else [],
        rules={"early": EARLY} if hours == DEMO_HOURS else {"early": EARLY, "normal": hours},
        illustrative=True,
    )


def _relay_sources(ctx: Context) -> Iterator[RelaySource]:
    """Two that show how the list is kept: what is really relayed here, and where, is for the province to say."""
    now = ctx.clock.now()
    told = {"illustrative": True, "revision": 1, "changed_at": now, "changed_by": "seed"}
    yield RelaySource(id="ts-vi-du-1", name="Đài quốc gia (ví dụ)", kind="vov", url=EXAMPLE_STREAM, **told)
    yield RelaySource(id="ts-vi-du-2", name="Đài tỉnh (ví dụ)", kind="province", frequency_khz=EXAMPLE_KHZ, **told)


@dataclass(frozen=True)
class _Made:
    place: Commune
    number: int
    key: SigningKey | None
    secret: str
    hashes: dict[str, str]

    @property
    def unit(self) -> str:
        return f"u-{self.place.code}-{self.number}"


def _unit(place: Commune, number: int) -> _Made:
    secret = enrolling.new_secret()
    return _Made(
        place,
        number,
        SigningKey.generate(f"u-{place.code}-{number}"),
        secret,
        enrolling.secret_hashes(secret),
    )


def _place(ctx: Context, session: Session, made: _Made) -> dict[str, Any]:
    now, place = ctx.clock.now(), made.place
    around = 2 * math.pi * made.number / PER_COMMUNE
    cluster = Cluster(
        id=f"cl-{place.code}-{made.number}",
        station_id=f"s-{place.code}",
        name=f"Cụm {made.number}, {place.name}",
        hamlet=f"Ấp mẫu {made.number}",
        languages=["vi", "km"] if place.district in KHMER else ["vi"],
        latitude=round(place.latitude + 0.012 * math.sin(around), 5),
        longitude=round(place.longitude + 0.012 * math.cos(around), 5),
        added_at=now,
    )
    unit = Unit(
        id=made.unit,
        vendor="loasim",
        key_x=made.key.public.x if made.key is not None else "",
        password_only=made.key is None,
        secret_hashes=made.hashes,
        enrolled_at=now,
    )
    session.add_all([cluster, unit])
    session.flush()
    session.add(Assignment(unit_id=unit.id, cluster_id=cluster.id, since=now))
    knows = {"password_only": True} if made.key is None else {"key_jwk": made.key.to_jwk()}
    return {"unit": unit.id, "cluster": cluster.id, "secret": made.secret, "ear": EARS[made.number % 5], **knows}
