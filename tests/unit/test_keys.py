"""Private keys as files."""

from __future__ import annotations

from pathlib import Path

import pytest

from broadcasts.errors import Fault
from broadcasts.wire.trust import Use
from controller.bootstrap.keys import FileKeyring


def fault(act: object) -> str:
    with pytest.raises(Fault) as caught:
        act()  # type: ignore[operator]
    return caught.value.key


def test_a_first_run_makes_one_key_a_use_and_a_root_readable_by_us_only(tmp_path: Path) -> None:
    keys = FileKeyring.make_missing(tmp_path / "keys")
    root = keys.root()
    assert root is not None
    assert root.public == keys.root_public()
    assert len({keys.signer(use).public.x for use in Use} | {root.public.x}) == len(Use) + 1
    private = list((tmp_path / "keys").glob("*.jwk"))
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert len(private) == len(Use) + 1


def test_a_second_run_touches_none_of_them_and_brings_no_root_back_that_was_taken_offline(tmp_path: Path) -> None:
    first = FileKeyring.make_missing(tmp_path)
    (tmp_path / "root.jwk").unlink()
    second = FileKeyring.make_missing(tmp_path)
    assert {use: second.signer(use).public for use in Use} == {use: first.signer(use).public for use in Use}
    assert (second.root(), second.root_public()) == (None, first.root_public())
    assert not (tmp_path / "root.jwk").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    FileKeyring.make_missing(tmp_path)
    (tmp_path / "plan.jwk").chmod(mode)
    keys = FileKeyring(tmp_path)
    assert fault(lambda: keys.signer(Use.PLAN)) == "keys.open"
    assert keys.signer(Use.ALERT)


def test_a_key_that_is_missing_or_torn_is_said_so(tmp_path: Path) -> None:
    FileKeyring.make_missing(tmp_path)
    (tmp_path / "plan.jwk").unlink()
    (tmp_path / "alert.jwk").write_text('{"kty": "OKP"')
    (tmp_path / "time.jwk").write_text("[]")
    (tmp_path / "root.pub").write_text("half")
    keys = FileKeyring(tmp_path)
    for use in (Use.PLAN, Use.ALERT, Use.TIME):
        assert fault(lambda use=use: keys.signer(use)) == "keys.missing"
    assert fault(keys.root_public) == "keys.missing"


def test_the_text_of_a_key_shows_no_secret(tmp_path: Path) -> None:
    key = FileKeyring.make_missing(tmp_path).signer(Use.PLAN)
    assert repr(key) == f"SigningKey({key.kid})"


def test_a_lost_key_is_said_and_never_replaced_once_there_are_units(tmp_path: Path) -> None:
    FileKeyring.make_missing(tmp_path)
    FileKeyring.complete(tmp_path)
    (tmp_path / "plan.jwk").unlink()
    with pytest.raises(Fault) as failure:
        FileKeyring.complete(tmp_path)
    assert failure.value.key == "keys.missing"
    assert not (tmp_path / "plan.jwk").exists()
