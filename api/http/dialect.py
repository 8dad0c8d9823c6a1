"""The part of a dialect that the native API knows: how it answers whether a customer may go on.

A dialect registers under its name when it is installed; `GET /v1/customers/{id}/access?as=NAME` finds it there.
"""

from __future__ import annotations

from collections.abc import Callable

from projections.views.budget_state import Access

#: Raises the dialect's own refusal when access is refused. The second argument is the model asked about (None: any).
RefuseAccess = Callable[[Access, str | None], None]


class Dialects:
    """The dialects of an application by name. `native` is always there, and is not among them."""

    def __init__(self) -> None:
        self._refuse_access: dict[str, RefuseAccess] = {}

    def register(self, name: str, refuse_access: RefuseAccess) -> None:
        """Add a dialect."""
        self._refuse_access[name] = refuse_access

    @property
    def names(self) -> tuple[str, ...]:
        """`native`, then the registered names in order of registration."""
        return ("native", *self._refuse_access)

    def refuse_access(self, name: str, access: Access, model: str | None) -> None:
        """Raise the named dialect's refusal when the access is refused. `native` never raises: its answer says so."""
        refuse = self._refuse_access.get(name)
        if refuse is not None:
            refuse(access, model)
