"""The first admin key of a data folder: given by the operator (`METERFOLD_ADMIN_KEY`), or generated once.

The one in use is kept in the folder, where the command line finds it. A given key replaces the one that was kept, and
every other first key that the engine has issued: these are revoked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import structlog

from consumers.embedded.engine import EmbeddedEngine
from consumers.errors import FolderUnusable, SettingsInvalid
from consumers.settings import variable_of
from domain.api_keys.api_key import IssuedKey, key_id_of
from domain.api_keys.commands import IssueApiKey, RevokeApiKey
from domain.errors import CommandRefused, InvalidInput, NotFound
from domain.event import Provenance
from domain.log.event_codec import decode_lifecycle
from domain.scope import DEFAULT_SCOPE
from domain.streams import key_stream

FIRST_KEY_NAME: Final = "first key"
_ENGINE: Final = "engine"
_ADMIN: Final = "admin"
_logger = structlog.get_logger("meterfold.start")


def ensure_first_key(engine: EmbeddedEngine, given: str | None) -> bool:
    """Make sure that the folder has a first admin key; return whether one was generated.

    Raises `SettingsInvalid` when the given key cannot be the first one, `FolderUnusable` when the kept one cannot.
    """
    if given is None:
        return _keep_or_generate(engine)
    try:
        _take(engine, given)
    except (CommandRefused, InvalidInput) as error:
        rule = error.rule if isinstance(error, InvalidInput) else str(error)
        raise SettingsInvalid((f"{variable_of('admin_key')}: {rule}",)) from None
    return False


def _take(engine: EmbeddedEngine, given: str) -> None:
    """Issue the given key unless it is valid already, and end those that it replaces before they are forgotten."""
    known = engine.authenticate(given)
    if known is None:
        _issue(engine, given)
    elif known.scope != DEFAULT_SCOPE or _ADMIN not in known.scopes:
        raise CommandRefused(
            f"this is a key of {known.scope} with {', '.join(known.scopes)}, no admin key of default/prod"
        )
    for key_id in sorted({*_other_first_keys(engine), *_kept_key(engine)} - {key_id_of(given)}):
        _revoke(engine, key_id)
    engine.folder.save_first_key(given)


def _other_first_keys(engine: EmbeddedEngine) -> Iterator[str]:
    """The ids of valid first keys that the engine has issued."""
    with engine.reads.snapshot() as snapshot:
        named = [key for key in snapshot.api_keys(DEFAULT_SCOPE) if key.name == FIRST_KEY_NAME]
    for key in named:
        issued = engine.log.stream(key_stream(key.key_id), limit=1)
        by = decode_lifecycle(issued[0].topic, issued[0].state).provenance if issued else None
        if key.revoked_at is None and by is not None and by.actor == _ENGINE:
            yield key.key_id


def _kept_key(engine: EmbeddedEngine) -> Iterator[str]:
    kept = engine.folder.first_key()
    if kept:
        yield key_id_of(kept)


def _revoke(engine: EmbeddedEngine, key_id: str) -> None:
    provenance = Provenance(_ENGINE, reason=f"replaced by another {variable_of('admin_key')}")
    try:
        revoked = engine.commands.handle(RevokeApiKey(DEFAULT_SCOPE, provenance, key_id))
    except NotFound:
        return  # what was kept is no key of this log
    if revoked.position is not None:
        _logger.warning("first_key_replaced", key_id=key_id)
        engine.wait_folded(revoked.position, engine.settings.http_write_wait_seconds_max)


def _keep_or_generate(engine: EmbeddedEngine) -> bool:
    kept = engine.folder.first_key()
    if kept is not None:
        if engine.authenticate(kept) is not None:
            return False
        try:
            _issue(engine, kept)
        except InvalidInput as error:
            raise FolderUnusable(
                f"the key in {engine.folder.admin_key} {error.rule}: remove the file to have a new one made"
            ) from None
        except CommandRefused:
            pass  # it was revoked, and a revoked key cannot be issued again
        else:
            return False
    engine.folder.save_first_key(_issue(engine, None).secret)
    return True


def _issue(engine: EmbeddedEngine, secret: str | None) -> IssuedKey:
    provenance = Provenance(_ENGINE, reason=FIRST_KEY_NAME)
    issued = engine.commands.handle(IssueApiKey(DEFAULT_SCOPE, provenance, (_ADMIN,), FIRST_KEY_NAME, secret))
    if issued.position is not None:
        engine.wait_folded(issued.position, engine.settings.http_write_wait_seconds_max)
    return issued.state
