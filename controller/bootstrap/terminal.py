"""Who sits at the terminal: a person of the accounts, by password and second factor, which are asked for here and never
stand in a command line, where every process of the machine could read them."""

from __future__ import annotations

import contextlib
import getpass
import sys
from collections.abc import Callable, Iterator

from broadcasts.errors import Refused
from controller.services import accounts
from controller.services.context import Context
from controller.services.rights import Actor, Right

Ask = Callable[[str], str]
CLIENT = "loa alert"
"""What the list of sessions calls it."""


def hidden(question: str) -> str:
    """Typed without being shown; from a pipe, the next line of it."""
    if sys.stdin.isatty():
        return getpass.getpass(question, sys.stderr)
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().rstrip("\n")


@contextlib.contextmanager
def somebody(ctx: Context, name: str, right: Right, ask: Ask = hidden) -> Iterator[Actor]:
    """This person, for one command: the session is ended afterwards. Wrong tries count as at log-in.

    Raises Refused: "login.wrong", "login.locked", "login.unused", "login.busy", "code.wrong", "password.first",
    "second_factor.first", "no_right".
    """
    password = ask(f"Password of {name}: ")
    token = accounts.log_in(ctx, name, password, "", CLIENT)
    try:
        actor = accounts.who(ctx, token)
        if actor is not None and actor.owes == "code":
            accounts.log_out(ctx, token)
            token = accounts.log_in(ctx, name, password, ask("Code (or a recovery code): ").strip(), CLIENT)
            actor = accounts.who(ctx, token)
        if actor is None or actor.owes == "code":
            raise Refused("code.wrong")
        if actor.owes:
            raise Refused("password.first" if actor.owes == "password" else "second_factor.first")
        actor.need(right)
        yield actor
    finally:
        accounts.log_out(ctx, token)
