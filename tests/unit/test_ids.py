"""References that are the same again tomorrow, fit the provider's limit and never meet."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sellersync.domain.ids import booking_reference, content_digest, push_key

REMOTE_IDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
ATTEMPTS = st.tuples(
    st.sampled_from(["install-a", "install-b"]), st.integers(1, 50), REMOTE_IDS, st.integers(1, 9), st.integers(1, 20)
)


def reference(attempt: tuple[str, int, str, int, int], length_max: int = 30) -> str:
    return booking_reference(*attempt, length_max=length_max)


def test_a_reference_is_derived_and_never_changes() -> None:
    """A restored backup of an older release must derive the very same reference.

    The expected value was made with coreutils alone:
    printf 'install-a\\x1f3\\x1f576461413038785752\\x1f1' | b2sum -l 160 | cut -d' ' -f1 | xxd -r -p | base32 | cut -c1-20
    """
    assert reference(("install-a", 3, "576461413038785752", 1, 1)) == "SSOTPYYZNT3HSP7AP6MLNN-1"
    assert reference(("install-a", 3, "576461413038785752", 1, 2)) == "SSOTPYYZNT3HSP7AP6MLNN-2"


@given(ATTEMPTS, st.integers(12, 64))
def test_a_reference_fits_and_is_plain_text(attempt: tuple[str, int, str, int, int], length_max: int) -> None:
    made = reference(attempt, length_max)
    assert len(made) <= length_max
    assert re.fullmatch(r"SS[A-Z2-7]+-[0-9]+", made)
    assert reference(attempt, length_max) == made


@given(st.lists(ATTEMPTS, unique=True, max_size=60))
def test_two_attempts_never_share_a_reference(attempts: list[tuple[str, int, str, int, int]]) -> None:
    assert len({reference(attempt) for attempt in attempts}) == len(attempts)


def test_a_limit_that_leaves_no_room_is_refused() -> None:
    with pytest.raises(ValueError, match="needs 12 characters, the connector allows 11"):
        reference(("i", 1, "o", 1, 1), 11)


def test_a_push_key_never_comes_from_the_number() -> None:
    """b04: 5 -> 4 -> 5 are three versions, so three keys; a restore (new epoch) begins anew."""
    keys = {push_key(1, 7, version) for version in (11, 12, 13)} | {push_key(2, 7, 11)}
    assert len(keys) == 4


@given(st.text(), st.text())
def test_a_digest_tells_contents_apart(one: str, other: str) -> None:
    assert (content_digest(one) == content_digest(other)) == (one == other)
