"""Generated commands with an account of their results: customers and budgets are created, deleted and created again.

- *Living* customers and *tiers* get every kind of command, the living also usage between them, all of one by one way to
  one partition. Each step has an instant of its own, a minute after the one before, so that nothing depends on
  clocks; only every other tier goes by the timestamps of its records.
- *Lone* ones get a single command, sent twice with the same id by different partitions, topics, ways and modes.
- *Graves* are made, and ended by a tombstone.
- *Phantoms* are made in transactions that are aborted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from tests.consumers.kafka.broker.sent_records import (
    BATCHED,
    CUSTOMER_PARTITIONS,
    PARTITIONS,
    Account,
    CommandId,
    Destination,
    Sent,
    Way,
    binary,
    event_members,
    hash_of,
    structured,
)

LIVING = 30
TIERS = 5
#: Shares of the steps; the rest goes to living customers.
LONE_SHARE = 0.1
GRAVE_SHARE = 0.08
PHANTOM_SHARE = 0.04
TIER_SHARE = 0.08
#: Shares of the steps of living customers.
USAGE_SHARE = 0.4
REFUSED_SHARE = 0.05
AGAIN_SHARE = 0.1
FIRST_INSTANT = datetime(2025, 6, 1, tzinfo=UTC)
SOURCE = "crm"
WAYS: tuple[Way, ...] = ("plain", "lz4", "zstd", "committed")
CUSTOMER_VERBS = ("create", "update", "block", "unblock", "deactivate", "reactivate", "delete")
TIER_VERBS = ("create", "update", "delete")
#: Verbs that revive no deleted customer; what they say holds once its next life has begun otherwise.
IF_KNOWN = ("update", "unblock", "deactivate", "reactivate")
#: Verb, field and value of commands that are refused for any customer.
REFUSED = (("update", "no_such_field", 1), ("delete", "effective_at", "2199-01-01T00:00:00Z"))


@dataclass
class _Living:
    """The expected state of a customer.

    In this life `created`: it was created; `said`: a command made it explicit; `seen`: it has usage.
    """

    id: str
    destination: Destination
    way: Way
    steps: int = 0
    created: bool = False
    said: bool = False
    seen: bool = False
    life: int = 1
    active: bool = True
    blocked: bool = False
    name: str | None = None

    def now(self) -> str:
        return _instant(self.steps)

    def begin_life(self) -> None:
        self.created = self.said = self.seen = self.blocked = False
        self.active, self.name = True, None

    def shown(self) -> dict[str, Any] | None:
        if not (self.said or self.seen):
            return None
        return shown(self.life, self.active, self.blocked, self.name)


@dataclass
class _Tier:
    """The expected limit of a shared budget (None: there is none). `dated`: its commands name their instants."""

    id: str
    destination: Destination
    way: Way
    dated: bool
    steps: int = 0
    limit: str | None = None


def shown(life: int = 1, active: bool = True, blocked: bool = False, name: str | None = None) -> dict[str, Any]:
    """The compared members of a customer."""
    return {"life": life, "active": active, "blocked": blocked, "name": name}


class Lives:
    """Generates steps, counted in an account that is complete after `finish`."""

    def __init__(self, random: Random, account: Account, send_later: Callable[[Sent], None]) -> None:
        self._random = random
        self._account = account
        self._send_later = send_later
        self._made = 0
        self._living = [_living(number) for number in range(LIVING)]
        self._tiers = [_tier(number) for number in range(TIERS)]

    def step(self) -> list[Sent]:
        """The records of one step, in order."""
        chance = self._random.random()
        for share, step in (
            (LONE_SHARE, self._lone),
            (GRAVE_SHARE, self._grave),
            (PHANTOM_SHARE, self._phantom),
            (TIER_SHARE, self._tier_step),
        ):
            if chance < share:
                return step()
            chance -= share
        return self._living_step()

    def finish(self) -> None:
        """Put the final states in the account."""
        self._account.customers |= {living.id: living.shown() for living in self._living}
        self._account.budgets |= {tier.id: tier.limit for tier in self._tiers if tier.limit is not None}

    # -- living customers

    def _living_step(self) -> list[Sent]:
        living = self._random.choice(self._living)
        living.steps += 1
        if self._random.random() < USAGE_SHARE:
            return [self._used(living)]
        if self._random.random() < REFUSED_SHARE:
            return [self._refused(living)]
        return self._commanded(living, self._random.choice(CUSTOMER_VERBS))

    def _used(self, living: _Living) -> Sent:
        tokens = self._random.randrange(1, 1_000)
        self._account.usage(living.destination, "counted")
        self._account.tokens[living.id] += tokens
        living.seen = True
        value = structured(event_members(f"{living.id}-{living.steps}", living.id, tokens, living.now()))
        return Sent(living.destination, living.id.encode(), value, (), living.way)

    def _refused(self, living: _Living) -> Sent:
        """A command that breaks a rule, about a customer that exists or not."""
        verb, field, value = self._random.choice(REFUSED)
        return self._command(living, f"customer.{verb}", {field: value}, "refused")

    def _commanded(self, living: _Living, verb: str) -> list[Sent]:
        kind, data = f"customer.{verb}", {"effective_at": living.now()}
        if verb == "create":
            if living.created:
                return [self._command(living, kind, data, "refused")]
            living.created = True
        if verb in ("create", "update"):
            living.name = data["name"] = f"{living.id} at {living.steps}"
        living.said = living.said or living.life == 1 or verb not in IF_KNOWN
        if verb in ("block", "unblock"):
            living.blocked = verb == "block"
        elif verb in ("deactivate", "reactivate"):
            living.active = verb == "reactivate"
        elif verb == "delete":
            living.life += 1
            living.begin_life()
        return self._perhaps_again(self._command(living, kind, data, "honoured"), living)

    # -- tiers

    def _tier_step(self) -> list[Sent]:
        tier = self._random.choice(self._tiers)
        tier.steps += 1
        verb = self._random.choice(TIER_VERBS)
        data = {} if verb == "delete" else {"period_limit_usd": str(tier.steps)}
        if tier.dated:
            data["effective_at"] = _instant(tier.steps)
        if (verb == "create") is (tier.limit is not None):
            return [self._command(tier, f"budget.{verb}", data, "refused")]
        tier.limit = data.get("period_limit_usd")
        return self._perhaps_again(self._command(tier, f"budget.{verb}", data, "honoured"), tier)

    def _command(self, about: _Living | _Tier, kind: str, data: dict[str, Any], outcome: str) -> Sent:
        command = (SOURCE, f"{about.id}/{about.steps}")
        self._account.command(command, outcome)
        members = command_members(command, kind, about.id, data)
        if self._random.random() < AGAIN_SHARE:
            headers, value = binary(members)
            return Sent(about.destination, about.id.encode(), value, headers, about.way, "command", 0)
        return Sent(about.destination, about.id.encode(), structured(members), (), about.way, "command", 0)

    def _perhaps_again(self, sent: Sent, about: _Living | _Tier) -> list[Sent]:
        """A command that was honoured, and perhaps the same once more: at once, or later by the same way."""
        chance = self._random.random()
        if chance >= AGAIN_SHARE:
            return [sent]
        self._account.command((SOURCE, f"{about.id}/{about.steps}"), "duplicate")
        if chance < AGAIN_SHARE / 2:
            return [sent, sent]
        self._send_later(sent)
        return [sent]

    # -- lone customers

    def _lone(self) -> list[Sent]:
        """One command, delivered in two ways: whichever comes first is honoured."""
        self._made += 1
        command = (SOURCE, f"lone-{self._made}")
        if self._made % 4:
            about, kind, data = f"lone-{self._made}", "customer.create", {"name": f"Lone {self._made}"}
            self._account.customers[about] = shown(name=data["name"])
        else:
            about, kind, data = f"lone-tier-{self._made}", "budget.create", {"period_limit_usd": str(self._made)}
            self._account.budgets[about] = data["period_limit_usd"]
        members = command_members(command, kind, about, data)
        for outcome in ("honoured", "duplicate"):
            self._account.command(command, outcome)
        self._send_later(self._anyhow(members, 1))
        return [self._anyhow(members, 0)]

    def _anyhow(self, members: dict[str, Any], delivery: int) -> Sent:
        """A command in any mode, on a topic and partition that its other delivery does not take."""
        destination: Destination = ("usage", self._random.randrange(0, PARTITIONS, 2) + delivery)
        if self._random.random() < 0.5:
            destination = ("customers", delivery % CUSTOMER_PARTITIONS)
        way, key = self._random.choice(WAYS), members["subject"].encode()
        mode = self._random.choice(("structured", "binary", "batched"))
        if mode == "batched":
            return self._beside_usage(destination, members, way, delivery)
        if mode == "binary":
            headers, value = binary(members)
            return Sent(destination, key, value, headers, way, "command", 0)
        return Sent(destination, key, structured(members), (), way, "command", 0)

    def _beside_usage(self, destination: Destination, members: dict[str, Any], way: Way, delivery: int) -> Sent:
        """A batch of usage with the command in the middle."""
        customer, tokens = "customer-0", self._random.randrange(1, 1_000)
        names = [f"{members['id']}-{delivery}-{place_of_item}" for place_of_item in range(2)]
        first, last = (structured(event_members(name, customer, tokens)) for name in names)
        self._account.usage(destination, "counted", 2)
        self._account.tokens[customer] += 2 * tokens
        return Sent(destination, None, b"[%b,%b,%b]" % (first, structured(members), last), BATCHED, way, "batched", 2)

    def _grave(self) -> list[Sent]:
        self._made += 1
        about, way = f"grave-{self._made}", self._random.choice(WAYS)
        destination: Destination = ("customers", hash_of(about) % CUSTOMER_PARTITIONS)
        command = (SOURCE, about)
        self._account.command(command, "honoured")
        self._account.tombstones += 1
        self._account.customers[about] = None
        self._send_later(Sent(destination, about.encode(), None, (), way, "tombstone", 0))
        made = structured(command_members(command, "customer.create", about, {}))
        return [Sent(destination, about.encode(), made, (), way, "command", 0)]

    def _phantom(self) -> list[Sent]:
        self._made += 1
        about = f"phantom-{self._made}"
        self._account.customers[about] = None
        made = structured(command_members((SOURCE, about), "customer.create", about, {}))
        destination: Destination = ("usage", hash_of(about) % PARTITIONS)
        return [Sent(destination, about.encode(), made, (), "aborted", "command", 0)]


def command_members(command: CommandId, kind: str, about: str, data: dict[str, Any]) -> dict[str, Any]:
    """A command as a CloudEvent."""
    source, command_id = command
    return {"specversion": "1.0", "id": command_id, "source": source, "type": kind, "subject": about, "data": data}


def _living(number: int) -> _Living:
    """A living customer; two of three are on the topic of usage."""
    name = f"living-{number}"
    hashed = hash_of(name)
    destination: Destination = (
        ("usage", hashed % PARTITIONS) if number % 3 else ("customers", hashed % CUSTOMER_PARTITIONS)
    )
    return _Living(name, destination, WAYS[number % len(WAYS)])


def _tier(number: int) -> _Tier:
    """A tier; those with an even number name their instants."""
    destination: Destination = ("customers", number % CUSTOMER_PARTITIONS)
    return _Tier(f"tier-{number}", destination, WAYS[number % len(WAYS)], dated=number % 2 == 0)


def _instant(steps: int) -> str:
    return (FIRST_INSTANT + timedelta(minutes=steps)).isoformat()
