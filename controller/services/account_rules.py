"""How strict we are with accounts: the numbers of R-113 to R-119, each a setting (`controller/settings.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class AccountRules:
    """All figures are read second hand from TCVN 14423:2026 (circular39.md, area K, source S22), which calls them
    samples: another value needs a written reason. What is a guess of ours says so."""

    second_factor: bool = True
    """R-115. Off only in a demo."""
    strong_length: int = 8
    """R-114: characters beside a second factor."""
    length: int = 14
    """R-114: characters without one."""
    classes: int = 4
    """R-114: of small letters, capitals, digits and others, without a second factor."""
    former: int = 10
    """R-116, level 3: how many former passwords do not come back."""
    administrator_password: timedelta = timedelta(days=60)
    """R-116, level 2: an administrator's password is changed every two months."""
    tries: int = 5
    """R-117: wrong tries until the lock; the standard's number for important software."""
    lock: timedelta = timedelta(hours=12)
    """R-117: the first lock. Each further one lasts twice as long (guess)."""
    longest_lock: timedelta = timedelta(days=30)
    """R-117."""
    idle: timedelta = timedelta(minutes=15)
    """R-118: a session without a word ends."""
    administrator_idle: timedelta = timedelta(minutes=5)
    """R-118."""
    fresh_code: timedelta = timedelta(minutes=15)
    """How long ago the second factor may have been given for an emergency to sound, a right to be lent, an exception
    to be granted or a factor to be forgotten (guess: as long as R-118 lets a desk be left)."""
    session: timedelta = timedelta(hours=12)
    """A working day, whatever happens in it (guess: the standard's number was not read)."""
    unused: timedelta = timedelta(days=45)
    """R-119: an account that nobody used is off."""
    review: timedelta = timedelta(days=365)
    """R-119, level 2: somebody confirms that each person should still have the account."""
    invitation: timedelta = timedelta(hours=72)
    """How long an invitation can be taken up (guess)."""
    factor_reset: timedelta = timedelta(hours=24)
    """How long a second administrator may take to confirm that somebody's second factor is forgotten. That it takes
    two is our rule (after R-120: duties apart); so is the number."""

    def lock_number(self, number: int) -> timedelta:
        """How long the lock lasts that is the `number`th since the last right log-in, from 1."""
        return min(self.lock * int(2 ** min(number - 1, 16)), self.longest_lock)
