"""Every sentence that code or pages ask for is there, in Vietnamese and in English, and nothing is said outside."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from broadcasts.audio import keys
from broadcasts.clock import VIETNAM
from broadcasts.domain.alert_rules import Rule
from broadcasts.domain.command_life import State as CommandState
from broadcasts.domain.delivery import State
from broadcasts.domain.ear import Answer
from broadcasts.domain.fault_classes import CLASSES, Code, Question, Urgency
from broadcasts.domain.fault_life import MOVES
from broadcasts.domain.fault_life import State as Life
from broadcasts.domain.model import Field, Late, OnPreempt, Priority
from broadcasts.domain.occasions import OCCASIONS
from broadcasts.domain.presence import Presence
from broadcasts.domain.programme import PartKind
from broadcasts.domain.relay import SourceKind
from broadcasts.domain.round_rules import CHECKS, RoundState, Seen, StopState, Which
from broadcasts.domain.tally import Why
from broadcasts.domain.timeline import Outcome
from broadcasts.domain.verdict import Verdict
from broadcasts.errors import LoaError, Refused
from broadcasts.wire.alert import AlertKind
from broadcasts.wire.journal import Amplifier, NotPlayed
from broadcasts.wire.journal import Outcome as Ending
from broadcasts.wire.status import ClockSource, CommandKind, PowerSource
from controller.services.edit_effect import WHAT
from controller.services.regulating import Rules
from controller.services.rescheduling import Extent
from controller.services.rights import Role
from controller.services.sandbox import ACTS
from controller.services.stations import SITES
from controller.services.views.clusters import FILTERS
from controller.services.views.dry_run import CLOSED
from controller.services.views.faults import FILTERS as SHOWN
from controller.web.catalogue import LANGUAGES, say, sentences
from controller.web.chain_words import KINDS
from controller.web.emergency_form import REPEATS
from controller.web.schedule_form import PRESETS
from controller.web.tallying import ORDER
from controller.web.words import PARTS_OF_DAY, Words

ROOT = Path(__file__).parents[3]
TEMPLATES = ROOT / "controller" / "web" / "templates"
RAISED = re.compile(r'(?:Refused|Conflict|Fault)\(\s*"([a-z_.]+)"')
ASKED = re.compile(r"""\bt\(\s*"([a-z_.0-9]+[a-z0-9])"\s*[,)]""")
SHAPE = re.compile(r"\{% block shape %\}.*?\{% endblock %\}")
"""Names of classes."""
JINJA = re.compile(r"\{#.*?#\}|\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
EITHER = re.compile(r"""\bt\(\s*"([a-z_.0-9]+)" if .*? else "([a-z_.0-9]+)"\s*[,)]""")


def raised() -> set[str]:
    folders = ("broadcasts/audio", "broadcasts/domain", "controller")
    return {
        f"errors.{key}"
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        for key in RAISED.findall(path.read_text(encoding="utf-8"))
    } | {f"errors.{key}" for key in (*keys.REFUSALS, *keys.FAULTS)}


def asked() -> set[str]:
    found: set[str] = set()
    for path in (*TEMPLATES.glob("*.html"), *(ROOT / "controller" / "web").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        found |= set(ASKED.findall(text))
        found |= {key for pair in EITHER.findall(text) for key in pair}
    return found


def named() -> Iterator[str]:
    """Keys that are put together from a name."""
    families: dict[str, list[object]] = {
        "verdict": list(Verdict),
        "trouble": list(Code),
        "trouble_why": list(Code),
        "trouble_state": list(Life),
        "trouble_act": sorted({after for _, after in MOVES}),
        "trouble_show": list(SHOWN),
        "round.state": list(RoundState),
        "round.stop": list(StopState),
        "round.seen": list(Seen),
        "round.check": list(CHECKS),
        "round.photo": list(Which),
        "round.outcome": ["later", "done", "could_not"],
        "urgency": list(Urgency),
        "answers": list(Question),
        "answers.is": list(Answer),
        "bring": sorted({what for each in CLASSES.values() for what in each.bring}),
        "alert_kind": list(AlertKind),
        "alert_rule": [*Rule, "every"],
        "emergency.state": ["counting", "sounding", "silenced", "ended", "cancelled", "lapsed"],
        "emergency.repeat": list(REPEATS),
        "tally": [*ORDER, "late"],
        "tally.why": [*Why, "no_current"],
        "guide.phone": list(range(1, 8)),
        "guide.blank": list(range(1, 5)),
        "state": list(State),
        "presence": list(Presence),
        "priority": [int(one) for one in Priority],
        "field": [int(one) for one in Field],
        "on_preempt": list(OnPreempt),
        "preview.then": list(OnPreempt),
        "late": list(Late),
        "relay_kind": list(SourceKind),
        "role": list(Role),
        "reason": [*NotPlayed, "displaced", "unknown", "other"],
        "clock_source": [*ClockSource, "other"],
        "power": [*PowerSource, "other"],
        "clusters.filter": list(FILTERS),
        "sandbox.act": [act.name for act in ACTS],
        "sandbox.why": [act.name for act in ACTS],
        "weekday": list(range(7)),
        "status": ["submitted", "approved", "rejected", "withdrawn"],
        "done": [
            "password",
            "submitted",
            "approved",
            "rejected",
            "withdrawn",
            "copied",
            "left_out",
            "command",
            "ordered",
            "order_cancelled",
            "regulation",
        ],
        "command.kind": list(CommandKind),
        "command.why": [kind for kind in CommandKind if kind is not CommandKind.REBOOT],
        "command.state": list(CommandState),
        "form.when": list(PRESETS),
        "form.extent": list(Extent),
        "occasion": list(OCCASIONS),
        "part": list(PartKind),
        "language.own": list(LANGUAGES),
        "warnings": [*keys.WARNINGS, "other"],
        "ahead.outcome": [*Outcome, *CLOSED],
        "site": list(SITES),
        "regulation": [field.name for field in fields(Rules)],
        "regulation.help": [field.name for field in fields(Rules)],
        "upload.stage": ["started", *keys.STAGES],
        "part_of_day": [name for _, name in PARTS_OF_DAY],
        "in_words": ["hour", "minute", "today", "tomorrow", "other"],
        "edit.what": list(WHAT),
        "preview.change": ["added", "removed", "moved"],
        "errors.limit": ["session", "day", "week"],
        "duration": ["hours", "minutes", "seconds"],
        "fault": ["other"],
        "why": ["other", "plan_published", "plan_applied_file_held", "plan_or_file_lost", "approval_over"],
        "chain": [*KINDS, "signed", "unsigned"],
        "chain.rule": [*Verdict, "other"],
        "chain.outcome": [*Ending, "other"],
        "chain.amplifier": [*Amplifier, "other"],
        "spoken": ["vi", "km", "other"],
        "sandbox.fault": ["other"],
    }
    for family, names in families.items():
        yield from (f"{family}.{name}" for name in names)


@pytest.mark.parametrize("language", ["vi", "en"])
def test_everything_that_is_asked_for_is_in_the_catalogue(language: str) -> None:
    wanted = raised() | asked() | set(named())
    assert len(raised()) > 40, "the search for raised keys no longer finds them"
    assert len(asked()) > 150, "the search for asked keys no longer finds them"
    assert sorted(wanted - sentences(language).keys()) == []


def test_vietnamese_and_english_say_the_same_things_with_the_same_gaps() -> None:
    vietnamese, english = sentences("vi"), sentences("en")
    assert vietnamese.keys() == {key for key in english if not key.endswith(".one")}
    gaps = {
        key: (_gaps(vietnamese[key]), _gaps(english[key]))
        for key in vietnamese
        if not key.startswith("errors.") and _gaps(vietnamese[key]) != _gaps(english[key])
    }
    assert gaps == {}


def test_khmer_is_there_in_part_and_falls_back_to_vietnamese() -> None:
    khmer = sentences("km")
    assert 50 < len(khmer) < len(sentences("vi"))
    assert khmer.keys() <= sentences("vi").keys()
    assert say("km", "verdict.heard") == khmer["verdict.heard"]
    assert say("km", "form.upload") == sentences("vi")["form.upload"]
    assert all(any("ក" <= letter <= "៿" for letter in said) for key, said in khmer.items() if _is_khmer(key))


def _is_khmer(key: str) -> bool:
    return key not in ("app.name", "language.own.vi", "language.own.en", "when")


def _gaps(pattern: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(pattern) if name}


def test_no_error_is_only_the_word_error() -> None:
    bare = re.compile(r"^(?:lỗi|error|thất bại|failed)\W*$", re.IGNORECASE)
    for language in ("vi", "en"):
        said = {key: text for key, text in sentences(language).items() if key.startswith("errors.")}
        assert [key for key, text in said.items() if bare.match(text) or len(text) < 15] == []


def test_a_failure_is_said_in_words_and_an_unknown_one_too() -> None:
    words = Words("vi", datetime(2026, 3, 3, 5, 0, tzinfo=UTC))
    quiet = Refused("time.quiet", station="Đài A", at=words.now + timedelta(hours=17), hours="05:00-21:00", number="01")
    assert words.failure(quiet).startswith("Đài A chỉ được phát 05:00-21:00 (quy chế 01); lượt 05:00 ngày mai")
    unknown = words.failure(LoaError("never.heard.of"))
    assert "never" not in unknown
    assert unknown == say("vi", "errors.unforeseen")


def test_times_are_said_as_people_say_them() -> None:
    now = datetime(2026, 3, 3, 5, 0, tzinfo=UTC)
    vietnamese, english = Words("vi", now), Words("en", now)
    assert vietnamese.when(now + timedelta(hours=5)) == "17:00 hôm nay"
    assert vietnamese.when(now + timedelta(days=2, minutes=1, seconds=3)) == "12:01:03 thứ Năm, 05/03"
    assert english.when(now - timedelta(days=1)) == "12:00 yesterday"
    assert vietnamese.tenth(now + timedelta(milliseconds=199)) == "12:00:00,1"
    assert english.tenth(now + timedelta(milliseconds=999)) == "12:00:00.9"
    assert vietnamese.duration(timedelta(minutes=3, seconds=12)) == "3 phút 12 giây"
    assert english.t("count.clusters", n=1) == "1 cluster"
    assert english.t("count.clusters", n=2) == "2 clusters"
    assert vietnamese.ago(now - timedelta(minutes=90)) == "1 giờ trước"


@pytest.mark.parametrize(
    ("hour", "minute", "vietnamese", "english"),
    [
        (3, 15, "3 giờ 15 sáng mai, thứ Tư", "3:15 in the morning tomorrow, Wednesday"),
        (15, 15, "3 giờ 15 chiều mai, thứ Tư", "3:15 in the afternoon tomorrow, Wednesday"),
        (0, 5, "0 giờ 05 đêm mai, thứ Tư", "0:05 at night tomorrow, Wednesday"),
        (12, 0, "12 giờ trưa mai, thứ Tư", "12 o'clock around noon tomorrow, Wednesday"),
        (21, 0, "9 giờ tối mai, thứ Tư", "9 o'clock in the evening tomorrow, Wednesday"),
        (23, 59, "11 giờ 59 đêm mai, thứ Tư", "11:59 at night tomorrow, Wednesday"),
    ],
)
def test_an_hour_in_words_leaves_no_doubt_about_the_half_of_the_day(
    hour: int, minute: int, vietnamese: str, english: str
) -> None:
    now = datetime(2026, 3, 3, 5, 0, tzinfo=UTC)
    then = datetime(2026, 3, 4, hour, minute, tzinfo=VIETNAM)
    assert Words("vi", now).in_words(then) == vietnamese
    assert Words("en", now).in_words(then) == english


def test_a_midnight_is_the_end_of_the_day_before() -> None:
    words = Words("vi", datetime(2026, 3, 3, 5, tzinfo=UTC))
    midnight = datetime(2026, 3, 5, 17, tzinfo=UTC)
    assert words.until(midnight) == "hết thứ Năm, 05/03"
    assert words.until(midnight + timedelta(minutes=1)) == "00:01 thứ Sáu, 06/03"
    assert words.until(None) == "–"


def test_an_hour_in_words_names_the_day() -> None:
    words = Words("vi", datetime(2026, 3, 3, 5, 0, tzinfo=UTC))
    assert words.in_words(datetime(2026, 3, 3, 22, 0, tzinfo=VIETNAM)) == "10 giờ đêm nay, thứ Ba"
    assert words.in_words(datetime(2026, 3, 6, 4, 30, tzinfo=VIETNAM)) == "4 giờ 30 sáng thứ Sáu, 06/03"


def test_templates_say_nothing_outside_the_catalogue() -> None:
    spoken = re.compile(r'\s(?:title|aria-label|placeholder|alt|label|value)="([^"]*)"')
    letters = re.compile(r"[^\W\d_]{2,}")
    found: list[str] = []
    for path in sorted(TEMPLATES.glob("*.html")):
        text = SHAPE.sub("", path.read_text(encoding="utf-8"))
        text = JINJA.sub("", text)
        between = re.sub(r"<[^>]*>", "\n", text)
        attributes = [value for value in spoken.findall(text) if value not in ALLOWED]
        found += [f"{path.name}: {word}" for word in letters.findall(between)]
        found += [f"{path.name}: {value}" for value in attributes if letters.search(value)]
    assert found == []


ALLOWED = frozenset(
    {"save", "preview", "upload", "sample", "submit", "day", "nth", "approve", "reject", "reboot", "yes"}
    | {"sound", "clip", "text"}
    | {"speak", "speak_second", "read", "import", "voice", "warnings", "frame"}
    | {"open", "hour", "soon", "once", "daily", "weekdays", "/login", "/more"}
)
"""Values that only the server reads."""
