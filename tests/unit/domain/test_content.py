"""Which languages of a bulletin a cluster plays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasts.domain.content import VIETNAMESE, choose

LANGUAGES = st.lists(st.sampled_from(["vi", "km", "en", "cjm"]), unique=True, max_size=4).map(tuple)
SOME = LANGUAGES.filter(bool)

CASES = [
    (("km", "vi"), ("vi", "km"), ("km", "vi"), ()),
    (("vi", "km"), ("km", "vi"), ("vi", "km"), ()),
    (("vi",), ("vi", "km"), ("vi",), ()),
    (("km",), ("vi",), ("vi",), ("km",)),
    (("km", "vi"), ("vi",), ("vi",), ("km",)),
    (("vi",), ("km",), ("km",), ("vi",)),
    (("en", "km"), ("vi", "km"), ("vi", "km"), ("en",)),
    ((), ("km", "vi"), ("vi",), ()),
]


@pytest.mark.requirement("R-027")
@pytest.mark.parametrize(("wanted", "there", "languages", "missing"), CASES)
def test_a_cluster_plays_its_own_list_and_vietnamese_in_place_of_what_is_missing(
    wanted: tuple[str, ...], there: tuple[str, ...], languages: tuple[str, ...], missing: tuple[str, ...]
) -> None:
    found = choose(wanted, there)
    assert (found.languages, found.missing) == (languages, missing)


@given(LANGUAGES, SOME)
def test_no_cluster_is_left_in_silence_and_nothing_is_said_twice(
    wanted: tuple[str, ...], there: tuple[str, ...]
) -> None:
    found = choose(wanted, there)
    assert found.languages
    assert set(found.languages) <= set(there)
    assert len(set(found.languages)) == len(found.languages)
    mine = [language for language in wanted if language in there]
    assert [each for each in found.languages if each in mine] == sorted(
        mine, key=lambda each: found.languages.index(each)
    )
    if not found.missing and wanted:
        assert found.languages == wanted
    if found.missing and VIETNAMESE in there:
        assert VIETNAMESE in found.languages
