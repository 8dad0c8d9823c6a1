"""Order usage and commands of a poll in layers, so that usage can be gathered into large blocks. Pure.

Strict record order would make a block of every few events where commands alternate with usage. Less has to stay in
order: the records of one customer, deliveries of one identity, and commands among themselves. So a poll is laid out
in layers, usage first in each:

    usage of layer 0, commands of layer 0, usage of layer 1, commands of layer 1 ...

Usage goes into the first layer after the last command about its customer, but not before earlier usage of that
customer; a command goes after the earlier usage of its customer. A poll without commands is one layer.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable


class Layers:
    """Assigns layers, counted from 0, to usage and commands given in record order."""

    def __init__(self) -> None:
        self._usage_of: dict[Hashable, int] = {}  # the last layer with usage of a customer
        self._free_from: dict[Hashable, int] = {}  # the first layer that may have a customer's usage
        self._identities: dict[Hashable, int] = {}
        self._commands = 0

    def usage(self, rows: Iterable[tuple[Hashable, Hashable | None]]) -> list[int]:
        """Return the layer of each usage event, given as (customer, identity); a rejected one has no identity."""
        free_from, usage_of, identities = self._free_from, self._usage_of, self._identities
        found: list[int] = []
        for customer, identity in rows:
            layer = free_from.get(customer, 0)
            if identity is None:
                found.append(0)
                continue
            # The identity may have been delivered before for another customer, in a later layer than this customer's.
            layer = max(layer, identities.get(identity, 0), usage_of.get(customer, 0))
            identities[identity] = usage_of[customer] = layer
            found.append(layer)
        return found

    def command(self, about: Hashable) -> int:
        """Return the layer of a command about this customer, or about something else that no usage names."""
        self._commands = max(self._commands, self._usage_of.get(about, 0))
        self._free_from[about] = self._commands + 1
        return self._commands
