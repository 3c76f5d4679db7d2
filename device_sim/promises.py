"""What a run must not break, judged by the villagers' ears against the controller's account. CONTRACT.md, section 8."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from device_sim.counterpart import Account
from device_sim.ear import Sound
from device_sim.events import RELAYED, relayed
from device_sim.post import Post, Ran

WHOLE_MS = 1_500
"""Less than this missing counts as whole."""
HEARD_MS = 500
"""With no more than this missing, no verdict but *heard* is right; up to `WHOLE_MS` it may be either."""
AUDIBLE_MS = 2_000
"""Less than this is too short for any sensor."""
GRACE_MS = 3 * 3_600_000
"""After its planned end: time for late rules, for the journal, and for the controller's sweep."""
EARLY_MS = 15_000
"""50 ppm of drift over more than three days without a link."""
EARLY_WRONG_MS = 180_000
"""Several steps of a clock that nobody could correct."""
VERDICTS = ("heard", "played", "failed_to_sound", "not_played", "unknown")


@dataclass(frozen=True)
class Judgement:
    deliveries: int
    verdicts: Counter[str]
    broken: tuple[str, ...]
    sirens: int = 0
    """Emergencies and drills, whatever became of them; each judged at every pole (`windows`)."""


@dataclass
class _Sounded:
    ran: list[Ran]
    heard: list[Sound]


def judge(posts: Sequence[Post], accounts: Sequence[Account], approved: set[tuple[str, str]], end: int) -> Judgement:
    """`end`: Unix ms at which the run ended; what was due too shortly before is not judged."""
    sounded: dict[tuple[str, str], _Sounded] = defaultdict(lambda: _Sounded([], []))
    for post in posts:
        for ran in post.ran:
            sounded[post.name, ran.item].ran.append(ran)
        for sound in post.pole.heard:
            sounded[post.name, sound.item].heard.append(sound)
    due = {(account["unit"], account["delivery"]): account for account in accounts}
    by_name = {post.name: post for post in posts}
    broken: list[str] = []
    for post in posts:
        broken += _nothing_unapproved(post, due, approved)
    verdicts: Counter[str] = Counter()
    settled = 0
    for key, account in due.items():
        if key[0] not in by_name or account["end"] + GRACE_MS > end:
            continue
        settled += account["approved"]
        verdicts[str(account["verdict"])] += account["approved"]
        broken += _one(account, sounded.get(key, _Sounded([], [])), by_name[key[0]])
    return Judgement(settled, verdicts, tuple(broken))


def _nothing_unapproved(
    post: Post, due: dict[tuple[str, str], Account], approved: set[tuple[str, str]]
) -> Iterator[str]:
    for ran in post.ran:
        sound = ran.asset if ran.asset.startswith(RELAYED) else ran.asset[:8]
        what = f"{post.name} sounded {ran.item} ({sound}) at {ran.from_ms}"
        if (post.name, ran.asset) not in approved:
            yield f"nothing unapproved: {what}: nobody approved this sound here"
        if ran.item.startswith("forged"):
            yield f"nothing unapproved: {what}: a forged document"
        account = due.get((post.name, ran.item))
        if account is None:
            continue
        if not account["approved"]:
            yield f"nothing unapproved: {what}: not approved"
        if ran.asset not in (account["asset"], relayed(account.get("relay", ""))):
            yield f"nothing unapproved: {what}: another sound than {account['asset'][:8]}"
        early = account["start"] - (ran.from_ms - ran.offset_ms)
        if early > (EARLY_WRONG_MS if post.clock_wrong else EARLY_MS):
            yield f"nothing unapproved: {what}: {early} ms before its start"


def _one(account: Account, sounded: _Sounded, post: Post) -> Iterator[str]:
    what = f"{account['unit']} {account['delivery']} due {account['start']}..{account['end']}"
    told = f"{account['state']}/{account['verdict']}/{account['reason']}"
    length = account["end"] - account["start"]
    whole = sum(1 for offset, lasted in _runs(sounded.ran) if offset <= WHOLE_MS and lasted >= length - WHOLE_MS)
    if whole > 1:
        yield f"nothing twice: {what}: sounded wholly {whole} times"
    if not account["approved"]:
        return
    verdict = account["verdict"]
    withdrawn = account["state"] == "withdrawn"
    if verdict is None or verdict == "unknown":
        if not withdrawn:
            yield f"nothing missing: {what}: no answer, {told}"
        return
    if verdict not in VERDICTS:
        yield f"nothing missing: {what}: {verdict} is no verdict"
    if verdict in ("not_played", "failed_to_sound") and not account["reason"]:
        yield f"nothing missing: {what}: no reason, {told}"
    heard = _heard(account, sounded.heard)
    ran = sum(each.to_ms - each.from_ms for each in sounded.ran)
    touched = _touched(account, sounded, post)
    if heard == 0 and verdict == "heard":
        yield f"verdict: {what}: heard, and nobody heard it"
    elif heard >= length - HEARD_MS and verdict != "heard" and not touched:
        yield f"verdict: {what}: everybody heard it, {told}"
    elif heard == 0 and ran == 0 and verdict != "not_played" and not (touched and verdict == "failed_to_sound"):
        # A unit whose power went while it wrote down that it begins cannot know that not a sample left.
        yield f"verdict: {what}: the decoder never ran, {told}"
    elif heard == 0 and ran >= AUDIBLE_MS and verdict != "failed_to_sound" and not touched:
        yield f"verdict: {what}: played into silence, {told}"


def _heard(account: Account, sounds: Sequence[Sound]) -> int:
    """How much of it, once. A slot is heard by the clock, whether its station sounded or the fallback."""
    if "relay" in account:
        return sum(sound.to_ms - sound.from_ms for sound in sounds)
    return _covered([(sound.offset_ms, sound.offset_ms + sound.to_ms - sound.from_ms) for sound in sounds])


def _touched(account: Account, sounded: _Sounded, post: Post) -> bool:
    """Whether power or wire failed around it, so that the unit's own evidence may know only a part."""
    first = min([account["start"], *(each.from_ms for each in sounded.ran)])
    last = max([account["end"], *(each.to_ms for each in sounded.ran)])
    return any(begin <= last + WHOLE_MS and end >= first for begin, end in post.touched)


def _runs(ran: Iterable[Ran]) -> Iterator[tuple[int, int]]:
    """Stretches that follow each other without a gap, as (offset, length)."""
    offset, begin, end = 0, 0, -1
    for each in sorted(ran, key=lambda each: each.from_ms):
        if each.from_ms == end and each.offset_ms >= offset + end - begin - 1:
            end = each.to_ms
            continue
        if end > begin:
            yield offset, end - begin
        offset, begin, end = each.offset_ms, each.from_ms, each.to_ms
    if end > begin:
        yield offset, end - begin


def _covered(spans: list[tuple[int, int]]) -> int:
    """How much of a file the spans cover together."""
    total, reached = 0, 0
    for begin, end in sorted(spans):
        total += max(0, end - max(begin, reached))
        reached = max(reached, end)
    return total
