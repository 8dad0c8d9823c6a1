"""Commands about what customers are measured and charged by: shared budgets, meters, prices, corrections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from consumers.command_desk import CommandDesk, CommandResult
from domain.correction import Correction
from domain.log.lifecycle_events import PriceVersion, Provenance
from domain.meter import Meter
from domain.price_setting import PriceSetting
from domain.scope import Scope
from domain.shared_budget import SharedBudget


class CatalogueCommands(CommandDesk):
    """Each raises `InvalidInput` for values that break a rule; update and delete raise `NotFound`."""

    def create_budget(
        self, scope: Scope, budget_id: str, fields: Mapping[str, Any], provenance: Provenance
    ) -> CommandResult[SharedBudget]:
        """`AlreadyExists` when the id is taken."""
        return self._carry_out(
            partial(SharedBudget, scope, budget_id), lambda budget: budget.create(fields, self._occasion(provenance))
        )

    def update_budget(
        self,
        scope: Scope,
        budget_id: str,
        changes: Mapping[str, Any],
        provenance: Provenance,
        replaced: frozenset[str] = frozenset(),
    ) -> CommandResult[SharedBudget]:
        """Set the fields named in `changes`, clear those that are None; `model_limits` as for customers."""
        return self.change_budget(scope, budget_id, lambda fields: changes, provenance, replaced)

    def change_budget(
        self,
        scope: Scope,
        budget_id: str,
        decide: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        provenance: Provenance,
        replaced: frozenset[str] = frozenset(),
    ) -> CommandResult[SharedBudget]:
        """Update by what `decide` makes of the stored fields as they are when the change is made.

        What `decide` raises is raised here, and nothing happened. It is asked again when another process came between.
        """

        def change(budget: SharedBudget) -> None:
            budget.check_exists()
            budget.update(decide(budget.fields), self._occasion(provenance), replaced)

        return self._carry_out(partial(SharedBudget, scope, budget_id), change)

    def delete_budget(self, scope: Scope, budget_id: str, provenance: Provenance) -> CommandResult[SharedBudget]:
        return self._carry_out(
            partial(SharedBudget, scope, budget_id), lambda budget: budget.delete(self._occasion(provenance))
        )

    def create_meter(
        self, scope: Scope, code: str, fields: Mapping[str, Any], provenance: Provenance
    ) -> CommandResult[Meter]:
        """`AlreadyExists` when the code is taken."""
        return self._carry_out(
            partial(Meter, scope, code), lambda meter: meter.create(fields, self._occasion(provenance))
        )

    def update_meter(
        self, scope: Scope, code: str, changes: Mapping[str, Any], provenance: Provenance
    ) -> CommandResult[Meter]:
        """Change name, description or groups."""
        return self._carry_out(
            partial(Meter, scope, code), lambda meter: meter.update(changes, self._occasion(provenance))
        )

    def delete_meter(self, scope: Scope, code: str, provenance: Provenance) -> CommandResult[Meter]:
        return self._carry_out(partial(Meter, scope, code), lambda meter: meter.delete(self._occasion(provenance)))

    def set_price(
        self, scope: Scope, provider: str, model: str, price: PriceVersion, provenance: Provenance
    ) -> CommandResult[PriceSetting]:
        """Set the scope's own price for a model, valid for usage from `price.effective_from` on."""
        return self._carry_out(
            partial(PriceSetting, scope, provider, model),
            lambda setting: setting.set(price, self._occasion(provenance)),
        )

    def void_usage(self, scope: Scope, source: str, event_id: str, provenance: Provenance) -> CommandResult[Correction]:
        """Make an event count for nothing, be it there or still to come."""
        return self._carry_out(
            partial(Correction, scope, source, event_id), lambda one: one.void(self._occasion(provenance))
        )

    def restore_usage(
        self, scope: Scope, source: str, event_id: str, provenance: Provenance
    ) -> CommandResult[Correction]:
        """Take a void back."""
        return self._carry_out(
            partial(Correction, scope, source, event_id), lambda one: one.restore(self._occasion(provenance))
        )
