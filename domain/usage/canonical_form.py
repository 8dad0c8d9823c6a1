"""The canonical form of an event, and the hashes of its content and of its identity.

Events with the same content have the same canonical form, however they were written. It is the JSON array
[source, id, type, subject, time, extensions, data] of what the producer sent: objects with sorted keys, every number
in its canonical spelling, `time` as microseconds since 1970. An absent attribute equals null. Extension attributes that
are integers or booleans are written as text, because a header can carry only text (so structured mode equals binary
mode). A missing time or customer that intake fills in is not part of it, so that a retry has the same content.

Both hashes are XXH3-64 with the log's seed. They never leave the log's own files.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any, Final

import msgspec
import xxhash

from domain.scope import Scope
from domain.usage.rules import instant_microseconds
from domain.values.json_numbers import canonical_raw, number_keeping_decoder, number_text

#: The attributes that are not extensions.
CORE_ATTRIBUTES: Final = ("specversion", "id", "source", "type", "subject", "time", "data")
#: In binary mode the media type says this, so the attribute with this value is no content.
DATA_CONTENT_TYPE_DEFAULT: Final = "application/json"

_decode: Final = number_keeping_decoder(canonical_raw).decode
_encode: Final = msgspec.json.Encoder(order="deterministic").encode
_hash: Final = xxhash.xxh3_64_intdigest

#: source, id, type, subject, time in microseconds, extensions, data
CanonicalParts = tuple[Any, Any, Any, Any, int | None, dict[str, Any] | None, Any]


def content_digest(seed: int, event: bytes) -> int:
    """The content digest of one event as received: JSON text that intake's rules accept."""
    return _hash(canonical_form(event), seed)


def canonical_form(event: bytes) -> bytes:
    """The canonical text of one event as received: JSON text that intake's rules accept."""
    return _encode(canonical_parts(_decode(event)))


def canonical_parts(attributes: dict[str, Any]) -> CanonicalParts:
    """Return the parts of the canonical form of an event whose numbers are in canonical spelling."""
    get = attributes.get
    time = get("time")
    extensions = {name: value for name, value in attributes.items() if name not in CORE_ATTRIBUTES}
    return (
        get("source"),
        get("id"),
        get("type"),
        get("subject"),
        None if time is None else instant_microseconds(time),
        canonical_extensions(extensions),
        get("data"),
    )


def canonical_extensions(extensions: dict[str, Any]) -> dict[str, Any] | None:
    """Return extension attributes in canonical form: without nulls, scalars as the text of a header; None if none."""
    kept = {
        name: _header_text(value)
        for name, value in extensions.items()
        if value is not None and not (name == "datacontenttype" and value == DATA_CONTENT_TYPE_DEFAULT)
    }
    return kept or None


def _header_text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = number_text(value)
    return value if text is None else text


def content_digests(seed: int, rows: Iterable[CanonicalParts]) -> list[int]:
    """The content digest of each row of canonical parts."""
    return list(map(_hash, map(_encode, rows), repeat(seed)))


def raw_digest(seed: int, raw: bytes) -> int:
    """The content digest of a rejected event, which is that of its raw bytes."""
    return _hash(raw, seed)


def identity_hash(seed: int, scope: Scope, source: str, event_id: str) -> int:
    """The hash of the identity (tenant, environment, source, id)."""
    return _hash(_identity_prefix(scope, source) + event_id.encode(), seed)


def identity_hashes(seed: int, scope: Scope, sources: Sequence[str | None], ids: Sequence[str | None]) -> list[int]:
    """The identity hash of each (source, id); an arbitrary number where one of the two is missing."""
    prefixes = {source: _identity_prefix(scope, source or "") for source in set(sources)}
    each = repeat(*prefixes.values()) if len(prefixes) == 1 else map(prefixes.__getitem__, sources)
    texts = (event_id or "" for event_id in ids)
    return list(map(_hash, map(operator.add, each, map(str.encode, texts)), repeat(seed)))


def _identity_prefix(scope: Scope, source: str) -> bytes:
    """Every part but the last, each after its length, so that no two identities have the same bytes."""
    parts = (scope.tenant.encode(), scope.environment.encode(), source.encode())
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
