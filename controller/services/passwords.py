"""What a new password must be (R-114, R-116)."""

from __future__ import annotations

import re
import unicodedata

from zxcvbn import zxcvbn

from broadcasts.errors import Refused
from controller.services.account_rules import AccountRules

OURS = ("loa", "truyenthanh", "truyen thanh", "loa phuong", "xa", "dai")
"""Words that anybody would try here first."""
ENOUGH, ENOUGH_ALONE = 3, 4
"""Of 0 to 4, beside a second factor and without: more than 10^8 and 10^10 guesses as zxcvbn reckons, which knows the
common passwords, keyboards and dates."""
_JUDGED = 72
"""Characters; what comes after makes a password no worse, and judging is slow."""


def check(rules: AccountRules, new: str, words: tuple[str, ...], *, strong: bool) -> None:
    """`words`: the account's name and the person's. `strong`: a second factor stands beside it.

    Raises Refused: "password.short", "password.classes", "password.name", "password.guessable".
    """
    least = rules.strong_length if strong else rules.length
    if len(new) < least:
        raise Refused("password.short", least=least)
    if not strong and _classes(new) < rules.classes:
        raise Refused("password.classes", least=rules.classes)
    plain = _plain(new)
    own = [part for word in words for part in (_plain(word), *re.split(r"\W+", _plain(word))) if len(part) > 2]
    if any(plain.replace(part, "", 1).strip("0123456789-_.!@# ") == "" for part in own):
        raise Refused("password.name")
    if zxcvbn(new[:_JUDGED], user_inputs=[*own, *OURS])["score"] < (ENOUGH if strong else ENOUGH_ALONE):
        raise Refused("password.guessable")


def _classes(text: str) -> int:
    tests = (str.islower, str.isupper, str.isdigit, lambda one: not one.isalnum())
    return sum(any(test(one) for one in text) for test in tests)


def _plain(text: str) -> str:
    """Small and without marks: `Nguyễn` and `nguyen` are one word to whoever guesses."""
    split = unicodedata.normalize("NFD", text.lower().replace("đ", "d"))
    return "".join(one for one in split if not unicodedata.combining(one))
