"""Tokens say what their link says, to whoever has the secret, and nothing else is a token."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from api.portal.tokens import link_in, token_of
from domain.portal.link import PortalLink, Standing
from domain.scope import Scope

SECRET = b"the secret of this test, 32 bytes"
INSTANTS = st.integers(0, 7_000_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))
IDS = st.text(min_size=1, max_size=1_000).filter(lambda one: one.isprintable())
LINKS = st.builds(
    PortalLink,
    st.builds(Scope, st.from_regex(r"[a-z0-9][a-z0-9_-]{0,63}", fullmatch=True), st.sampled_from(("prod", "test"))),
    IDS,
    st.builds(Standing, st.none() | INSTANTS, st.integers(0, 2**53)),
    INSTANTS,
    INSTANTS,
)


@given(LINKS)
def test_a_token_says_what_the_link_says_in_characters_that_no_address_escapes(link: PortalLink) -> None:
    token = token_of(link, SECRET)
    assert link_in(token, SECRET) == link
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
    assert len(token) <= 6_000


@given(LINKS, st.binary(min_size=1, max_size=64))
def test_another_secret_signed_nothing_of_ours(link: PortalLink, secret: bytes) -> None:
    assert link_in(token_of(link, secret), SECRET) == (link if secret == SECRET else None)


@given(LINKS, st.data())
def test_a_token_with_any_change_is_none(link: PortalLink, data: st.DataObject) -> None:
    token = token_of(link, SECRET)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters().filter(lambda one: one != token[place]))
    assert link_in(token[:place] + other + token[place + 1 :], SECRET) is None
    assert link_in(token[:place] + other + token[place:], SECRET) is None
    assert link_in(token[:place], SECRET) is None


@given(st.text(max_size=200))
def test_any_text_is_none(text: str) -> None:
    assert link_in(text, SECRET) is None


@given(LINKS, LINKS)
def test_two_tokens_make_no_third(one: PortalLink, other: PortalLink) -> None:
    payload, _, _ = token_of(one, SECRET).rpartition(".")
    _, _, signature = token_of(other, SECRET).rpartition(".")
    assert link_in(f"{payload}.{signature}", SECRET) == (one if one == other else None)
