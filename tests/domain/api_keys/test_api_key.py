"""API keys are issued, recognized and revoked; no secret is in an event."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.aggregate import CommandContext
from domain.api_keys.api_key import (
    ApiKey,
    checked_environments,
    checked_scopes,
    checked_secret,
    key_id_of,
    new_secret,
    secret_hash,
    shown_prefix,
)
from domain.api_keys.events import ApiKeyIssued, ApiKeyRevoked
from domain.errors import AlreadyExists, CommandRefused, InvalidInput, NotFound
from domain.event import Provenance
from domain.log.event_codec import new_record
from domain.scope import DEFAULT_SCOPE, Scope

WHO = Provenance("engine")
NOW = CommandContext(datetime(2026, 11, 20, tzinfo=UTC), WHO)
SECRET = new_secret(lambda count: bytes(range(count)))
OTHER_SCOPE = Scope("default", "test")


def issued(secret: str = SECRET) -> ApiKey:
    key = ApiKey(key_id_of(secret))
    key.issue(DEFAULT_SCOPE, ("read", "admin", "read"), "ops", secret, NOW)
    return key


@given(st.binary(min_size=32, max_size=32))
def test_a_new_secret_has_43_url_safe_characters_after_its_prefix(random_bytes: bytes) -> None:
    secret = new_secret(lambda count: random_bytes[:count])

    assert re.fullmatch(r"sk-[A-Za-z0-9_-]{43}", secret)
    assert checked_secret(secret) == secret


def test_issuing_stores_hash_and_prefix_but_never_the_secret() -> None:
    (event,) = issued().collect_events()

    assert event == ApiKeyIssued(
        stream=f"key/{key_id_of(SECRET)}",
        version=1,
        recorded_at=NOW.recorded_at,
        effective_at=NOW.recorded_at,
        provenance=WHO,
        key_id=key_id_of(SECRET),
        tenant="default",
        environment="prod",
        scopes=("admin", "read"),
        prefix=SECRET[3:11],
        secret_hash=hashlib.sha256(SECRET.encode()).hexdigest(),
        name="ops",
        environments=("prod",),
    )
    stored = new_record(event).state
    assert SECRET[3:12].encode() not in stored
    assert msgspec.json.encode(event.secret_hash).strip(b'"') in stored


def test_the_prefix_of_a_short_secret_does_not_reveal_it() -> None:
    assert shown_prefix("sk-1234") == "1"
    assert shown_prefix("sk-x") == ""
    assert shown_prefix(SECRET) == SECRET[3:11]


@pytest.mark.parametrize(
    "secret", ["", "sk-", "1234", "SK-1234", "sk-a b", "sk-ä", "sk-\n", "sk-" + "a" * 15, "sk-" + "a" * 253]
)
def test_a_secret_that_cannot_be_sent_in_a_header_is_refused(secret: str) -> None:
    with pytest.raises(InvalidInput, match="sk-"):
        checked_secret(secret)


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[31mred", "a\u2028b"])
def test_the_name_of_a_new_key_is_one_line_of_text_and_older_names_still_fold(name: str) -> None:
    with pytest.raises(InvalidInput, match="name: must be one line of text without control characters"):
        ApiKey(key_id_of(SECRET)).issue(DEFAULT_SCOPE, ("read",), name, SECRET, NOW)
    (event,) = issued().collect_events()
    stored = msgspec.structs.replace(event, name=name)
    again = ApiKey(key_id_of(SECRET))
    again.replay(stored)
    again.issue(DEFAULT_SCOPE, ("read", "admin"), name, SECRET, NOW)
    assert (again.issued, again.collect_events()) == (stored, [])


@pytest.mark.parametrize("scopes", [(), ("write",), ("read", "write")])
def test_unknown_scopes_are_refused(scopes: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput, match="'admin', 'ingest' and 'read'"):
        checked_scopes(scopes)


def test_issuing_the_same_key_again_changes_nothing() -> None:
    key = issued()
    key.collect_events()

    key.issue(DEFAULT_SCOPE, ("admin", "read"), "another name", SECRET, NOW)

    assert key.collect_events() == []


def test_a_key_of_several_environments_has_the_one_of_its_scope_first() -> None:
    assert checked_environments(OTHER_SCOPE, ()) == ("test",)
    assert checked_environments(OTHER_SCOPE, ("prod", "test", "prod")) == ("test", "prod")
    with pytest.raises(InvalidInput, match="'prod' or 'test'"):
        checked_environments(OTHER_SCOPE, ("staging",))


def test_a_key_is_not_issued_again_for_more_environments() -> None:
    key = issued()
    with pytest.raises(AlreadyExists):
        key.issue(DEFAULT_SCOPE, ("admin", "read"), None, SECRET, NOW, ("test",))
    of_both = ApiKey(key_id_of(SECRET))
    of_both.issue(DEFAULT_SCOPE, ("read",), None, SECRET, NOW, ("prod", "test"))
    of_both.issue(DEFAULT_SCOPE, ("read",), None, SECRET, NOW, ("test",))
    (event,) = of_both.collect_events()
    assert isinstance(event, ApiKeyIssued)
    assert event.environments == ("prod", "test")


@pytest.mark.parametrize(("scope", "scopes"), [(OTHER_SCOPE, ("admin", "read")), (DEFAULT_SCOPE, ("read",))])
def test_a_secret_in_use_cannot_become_another_key(scope: Scope, scopes: tuple[str, ...]) -> None:
    with pytest.raises(AlreadyExists):
        issued().issue(scope, scopes, None, SECRET, NOW)


def test_a_revoked_key_stays_revoked() -> None:
    key = issued()
    key.collect_events()

    key.revoke(DEFAULT_SCOPE, NOW)
    key.revoke(DEFAULT_SCOPE, NOW)

    assert [type(event) for event in key.collect_events()] == [ApiKeyRevoked]
    with pytest.raises(CommandRefused, match="revoked"):
        key.issue(DEFAULT_SCOPE, ("admin", "read"), None, SECRET, NOW)


def test_a_key_is_revoked_only_in_its_own_scope() -> None:
    for key, scope in ((issued(), OTHER_SCOPE), (ApiKey("key_unknown"), DEFAULT_SCOPE)):
        with pytest.raises(NotFound):
            key.revoke(scope, NOW)


def test_any_text_can_be_looked_up_by_its_hash() -> None:
    assert secret_hash("sk-\ud800") != secret_hash("sk-?")
