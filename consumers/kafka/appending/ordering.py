"""How far usage of a poll may be gathered into blocks without changing an order that counts. Pure.

Taken literally, record order would make a block of every two events where commands alternate with usage. What has to
stay in order is less: the records of one customer, deliveries of one identity, and commands among themselves. So a
poll is laid out in layers, usage first in each:

    usage of layer 0, commands of layer 0, usage of layer 1, commands of layer 1 ...

Usage goes into the first layer that is behind the last command about its customer and not before its customer's usage
so far; a command goes behind the usage of its customer that came before it. A poll without commands is one layer.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable


class Layers:
    """Answers a layer, counted from 0, for what comes in record order."""

    def __init__(self) -> None:
        self._usage_of: dict[Hashable, int] = {}  # the last layer with usage of a customer
        self._free_from: dict[Hashable, int] = {}  # the first layer in which a customer's usage may stand
        self._identities: dict[Hashable, int] = {}
        self._commands = 0

    def usage(self, rows: Iterable[tuple[Hashable, Hashable | None]]) -> list[int]:
        """The layer of each usage event, told by its customer and its identity; a rejected one has no identity."""
        free_from, usage_of, identities = self._free_from, self._usage_of, self._identities
        found: list[int] = []
        for customer, identity in rows:
            layer = free_from.get(customer, 0)
            if identity is None:
                found.append(0)
                continue
            # An identity that another customer's usage had before may have pushed this customer's usage on.
            layer = max(layer, identities.get(identity, 0), usage_of.get(customer, 0))
            identities[identity] = usage_of[customer] = layer
            found.append(layer)
        return found

    def command(self, about: Hashable) -> int:
        """The layer of a command about this customer, or about something else that no usage names."""
        self._commands = max(self._commands, self._usage_of.get(about, 0))
        self._free_from[about] = self._commands + 1
        return self._commands
