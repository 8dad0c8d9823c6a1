"""Tokens of links to the portal: what a link says, signed by HMAC-SHA256, as one segment of a path.

A token is `<payload>.<signature>`, both in base64url without padding. The signature is of the text of the payload, and
there is one spelling of it that is accepted, so that no other text is the same token. The payload is a JSON array:

    [version, tenant, environment, customer, where its life began, last revocation, issued, expires]

Instants are microseconds since 1970, null where the first life has no beginning.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Final

import msgspec

from domain.portal.link import PortalLink, Standing
from domain.scope import Scope
from domain.values.instants import EPOCH, epoch_microseconds

#: The form of the payload. A token of another form is not accepted.
VERSION: Final = 1
#: Signed with every payload, so that the secret makes no signature for anything else.
_PURPOSE: Final = b"meterfold portal link\n"
_Payload = tuple[int, str, str, str, int | None, int, int, int]
_PAYLOAD: Final = msgspec.json.Decoder(_Payload)


def token_of(link: PortalLink, secret: bytes) -> str:
    """Return the token of a link."""
    began_at = link.standing.life_began_at
    said: _Payload = (
        VERSION,
        link.scope.tenant,
        link.scope.environment,
        link.customer_id,
        None if began_at is None else epoch_microseconds(began_at),
        link.standing.revoked_at,
        epoch_microseconds(link.issued_at),
        epoch_microseconds(link.expires_at),
    )
    payload = _base64(msgspec.json.encode(said))
    return f"{payload}.{_signature(payload, secret)}"


def link_in(token: str, secret: bytes) -> PortalLink | None:
    """Return what a token says; None unless it was signed with this secret."""
    payload, _, signature = token.rpartition(".")
    if not token.isascii() or not hmac.compare_digest(signature, _signature(payload, secret)):
        return None
    try:
        said = _PAYLOAD.decode(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except msgspec.MsgspecError:  # of another version
        return None
    version, tenant, environment, customer_id, began_us, revoked_at, issued_us, expires_us = said
    if version != VERSION:
        return None
    standing = Standing(None if began_us is None else _instant(began_us), revoked_at)
    return PortalLink(Scope(tenant, environment), customer_id, standing, _instant(issued_us), _instant(expires_us))


def _signature(payload: str, secret: bytes) -> str:
    return _base64(hmac.digest(secret, _PURPOSE + payload.encode(), "sha256"))


def _base64(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def _instant(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)
