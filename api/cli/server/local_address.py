"""The address at which a client on this machine reaches the engine."""

from __future__ import annotations


def url_of(host: str, port: int) -> str:
    """Return the URL at which a client on this machine reaches a server that listens on `host`."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host)  # noqa: S104 -- compared, not bound
    if reached is None:
        reached = f"[{host}]" if ":" in host else host
    return f"http://{reached}:{port}"
