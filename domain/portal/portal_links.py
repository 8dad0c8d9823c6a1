"""The aggregate of all links to the portal of one customer id, which can be revoked together."""

from __future__ import annotations

from domain.aggregate import Aggregate, CommandContext
from domain.event import LifecycleEvent
from domain.portal.events import PortalLinksRevoked
from domain.scope import Scope
from domain.streams import portal_stream
from domain.values.identifiers import checked_id


class PortalLinks(Aggregate):
    """The links of one customer id. Which ones there are is not known, as they are not stored."""

    def __init__(self, scope: Scope, customer_id: str) -> None:
        super().__init__(portal_stream(scope, checked_id("customer_id", customer_id)))
        self.scope = scope
        self.customer_id = customer_id

    def revoke(self, context: CommandContext) -> None:
        """End all links that were made so far."""
        self._emit(
            PortalLinksRevoked(
                **self._common_fields(context),
                tenant=self.scope.tenant,
                environment=self.scope.environment,
                customer_id=self.customer_id,
            )
        )

    def apply(self, event: LifecycleEvent) -> None:
        """Apply a revocation, which leaves nothing to know but that it happened."""
        if not isinstance(event, PortalLinksRevoked):
            raise self._unexpected_event(event)
