"""Names of the streams of the log, one function for each type of stream.

The last part of a name may contain any character. Every part before it has a closed alphabet, is percent-encoded or
is preceded by its length, so that no two streams can have the same name.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from domain.scope import Scope

#: What the streams of all customers begin with.
CUSTOMER_STREAMS: Final = "customer/"


def customer_stream(scope: Scope, customer_id: str) -> str:
    """Return the stream of one customer."""
    return f"{CUSTOMER_STREAMS}{scope}/{customer_id}"


def budget_stream(scope: Scope, budget_id: str) -> str:
    """Return the stream of one shared budget."""
    return f"budget/{scope}/{budget_id}"


def meter_stream(scope: Scope, code: str) -> str:
    """Return the stream of one custom meter."""
    return f"meter/{scope}/{code}"


def plan_stream(scope: Scope, code: str) -> str:
    """Return the stream of one plan."""
    return f"plan/{scope}/{code}"


def subscription_stream(scope: Scope, subscription_id: str) -> str:
    """Return the stream of one subscription id."""
    return f"subscription/{scope}/{subscription_id}"


def portal_stream(scope: Scope, customer_id: str) -> str:
    """Return the stream of the links to the portal of one customer."""
    return f"portal/{scope}/{customer_id}"


def coupon_stream(scope: Scope, code: str) -> str:
    """Return the stream of one coupon."""
    return f"coupon/{scope}/{code}"


def customer_coupons_stream(scope: Scope, customer_id: str) -> str:
    """Return the stream of the coupons that one customer has applied."""
    return f"customer-coupons/{scope}/{customer_id}"


def key_stream(key_id: str) -> str:
    """Return the stream of one API key."""
    return f"key/{key_id}"


def listed_price_stream(provider: str, model: str) -> str:
    """Return the stream of a model's list price, which all tenants share."""
    return f"price-list/{len(provider)}/{provider}/{model}"


def price_stream(scope: Scope, provider: str, model: str) -> str:
    """Return the stream of a tenant's own prices and discounts for one model."""
    return f"price/{scope}/{len(provider)}/{provider}/{model}"


def customer_price_stream(scope: Scope, customer_id: str, life: int, provider: str, model: str) -> str:
    """Return the stream of the prices and discounts that one life of a customer has for one model."""
    owner = f"{scope}/{life}/{len(customer_id)}/{customer_id}"
    return f"customer-price/{owner}/{len(provider)}/{provider}/{model}"


def discount_stream(scope: Scope) -> str:
    """Return the stream of a tenant's discounts on every model."""
    return f"discount/{scope}"


def customer_discount_stream(scope: Scope, customer_id: str, life: int) -> str:
    """Return the stream of the discounts on every model that one life of a customer has."""
    return f"customer-discount/{scope}/{life}/{customer_id}"


def correction_stream(scope: Scope, source: str, event_id: str) -> str:
    """Return the stream of the corrections of one usage event."""
    return f"correction/{scope}/{len(source)}/{source}/{event_id}"


def replacement_stream(scope: Scope, first_received: int) -> str:
    """Return the stream of the replacement of events that begins with the delivery at this locator."""
    return f"replacement/{scope}/{first_received}"


def repricing_stream(scope: Scope, name: str) -> str:
    """Return the stream of one re-pricing run."""
    return f"repricing/{scope}/{name}"


def correction_run_stream(scope: Scope, name: str) -> str:
    """Return the stream of one correction run."""
    return f"correction-run/{scope}/{name}"


def backfills_stream(scope: Scope) -> str:
    """Return the stream of all backfills of a scope."""
    return f"backfills/{scope}"


def staged_stream(scope: Scope, name: str) -> str:
    """Return the stream of the blocks that one backfill loaded."""
    return usage_stream("backfill", f"{scope}/{name}")


def backfill_of(stream: str) -> str | None:
    """Return the name of the backfill that loaded the blocks of this stream; None for any other stream."""
    start = usage_stream("backfill", "")
    if not stream.startswith(start):
        return None
    _tenant, _environment, name = stream[len(start) :].split("/", 2)
    return name


def usage_stream(kind: str, name: str) -> str:
    """Return the stream of the usage blocks from one source; `kind` is http, file, kafka or backfill."""
    return f"usage/{kind}/{name}"


def partition_stream(cluster_id: str, topic_id: str, partition: int) -> str:
    """Return the stream of one Kafka partition. A re-created topic has a new id, and so another stream."""
    return usage_stream("kafka", f"{quote(cluster_id, safe='')}/{quote(topic_id, safe='')}/{partition}")


def command_stream(scope: Scope, source: str, command_id: str) -> str:
    """Return the stream that deduplicates one command: it has at most one record, however the command arrived."""
    return f"command/{scope}/{len(source)}/{source}/{command_id}"


def tombstone_stream(scope: Scope, partition: str, offset: int, arrival_us: int, customer_id: str) -> str:
    """Return the stream that deduplicates one Kafka tombstone; `partition` is the stream it was read into.

    Timestamp and customer are part of the name because a broker that lost records can use an offset again.
    """
    return f"tombstone/{scope}/{len(partition)}/{partition}/{offset}/{arrival_us}/{customer_id}"


#: Events about the log as a whole: its creation, its seals, and the announced closings of periods.
LOG_STREAM: Final = "log"
