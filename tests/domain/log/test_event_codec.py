"""Lifecycle events are read from the log as they were written, and old versions of them are upcast."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.aggregate import CommandContext
from domain.api_keys.api_key import ApiKey
from domain.api_keys.events import KEY_ISSUED, ApiKeyIssued
from domain.budgets.events import BudgetUpdated
from domain.customers.events import (
    CustomerCreated,
    CustomerDeactivated,
    CustomerReactivated,
    CustomerUnblocked,
    CustomerUpdated,
    SealedPersonal,
)
from domain.errors import LogCorrupted, UnknownRecord
from domain.event import LifecycleEvent, Provenance
from domain.log.event_codec import LifecycleCodec, decode_lifecycle, new_record
from domain.log.events import LogSealed
from domain.log.topics import LIFECYCLE_TOPICS
from domain.meters.events import MeterDeleted
from domain.prices.events import PriceListed, PriceSet
from domain.prices.price_list import PriceList, RateTier, StandardRule, UnitRate, VariantRule
from domain.prices.schedule import PriceTier, PriceVersion, UnitPrices
from domain.scope import Scope

NOW = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)
COMMON: dict[str, Any] = {
    "stream": "s",
    "version": 3,
    "recorded_at": NOW,
    "effective_at": NOW,
    "provenance": Provenance("key_1", "lago", "because"),
}


_PLAIN_VALUES: dict[type[msgspec.inspect.Type], st.SearchStrategy[Any]] = {
    msgspec.inspect.NoneType: st.none(),
    msgspec.inspect.BoolType: st.booleans(),
    msgspec.inspect.IntType: st.integers(0, 2**64 - 1),
    msgspec.inspect.StrType: st.text(),
    msgspec.inspect.BytesType: st.binary(max_size=40),
    msgspec.inspect.DecimalType: st.decimals(allow_nan=False, allow_infinity=False),
    msgspec.inspect.DateTimeType: st.datetimes(timezones=st.just(UTC)),
}


def _values(kind: msgspec.inspect.Type) -> st.SearchStrategy[Any]:
    """Values of a field's type, as msgspec describes it."""
    if type(kind) in _PLAIN_VALUES:
        return _PLAIN_VALUES[type(kind)]
    match kind:
        case msgspec.inspect.LiteralType():
            return st.sampled_from(kind.values)
        case msgspec.inspect.UnionType():
            return st.one_of(*map(_values, kind.types))
        case msgspec.inspect.VarTupleType():
            return st.lists(_values(kind.item_type), max_size=3).map(tuple)
        case msgspec.inspect.TupleType():
            return st.tuples(*map(_values, kind.item_types))
        case msgspec.inspect.DictType() if not isinstance(kind.value_type, msgspec.inspect.AnyType):
            return st.dictionaries(st.text(), _values(kind.value_type), max_size=3)
        case msgspec.inspect.DictType():
            return st.dictionaries(st.text(), st.none() | st.text() | st.integers(-(2**63), 2**63) | st.booleans())
        case msgspec.inspect.StructType():
            return st.builds(kind.cls, **{field.name: _values(field.type) for field in kind.fields})
        case _:
            raise AssertionError(f"a lifecycle event has a field of a type not tested here: {kind}")


@pytest.mark.parametrize("topic", LIFECYCLE_TOPICS)
@settings(max_examples=30)
@given(data=st.data())
def test_every_event_comes_back_as_it_went_in(topic: str, data: st.DataObject) -> None:
    event = data.draw(_values(msgspec.inspect.type_info(LIFECYCLE_TOPICS[topic])))

    record = new_record(event)

    assert (record.stream, record.version, record.topic) == (event.stream, event.version, topic)
    assert decode_lifecycle(record.topic, record.state) == event


def test_instants_come_back_in_utc_with_their_microseconds() -> None:
    there = timezone(timedelta(hours=5, minutes=30))
    event = MeterDeleted(
        **COMMON | {"effective_at": NOW.astimezone(there)}, tenant="default", environment="prod", code="calls"
    )

    decoded = decode_lifecycle("meter.deleted", new_record(event).state)

    assert decoded.effective_at == NOW
    assert decoded.effective_at.utcoffset() == timedelta(0)


def test_the_stored_form_of_an_event_is_fixed() -> None:
    event = CustomerCreated(
        **COMMON,
        tenant="default",
        environment="prod",
        customer_id="acme",
        fields={"period_limit_usd": "12.5"},
        personal=SealedPersonal("k:1", b"n", b"c"),
    )

    version, fields = msgspec.msgpack.decode(new_record(event).state)

    assert version == 1
    assert fields == {
        "stream": "s",
        "version": 3,
        "recorded_at": NOW,
        "effective_at": NOW,
        "provenance": {"actor": "key_1", "dialect": "lago", "reason": "because"},
        "tenant": "default",
        "environment": "prod",
        "customer_id": "acme",
        "fields": {"period_limit_usd": "12.5"},
        "personal": {"key_id": "k:1", "nonce": b"n", "ciphertext": b"c"},
    }


def test_money_is_stored_as_exact_text() -> None:
    rates = {
        "input_tokens": UnitRate(Decimal("0.1000"), (RateTier(5, Decimal(1)),)),
        "searches": UnitRate(Decimal("1E-18"), per=7),
    }
    flex = VariantRule({"service_tier": "flex"}, {"input_tokens": UnitRate(Decimal("0.05"))})
    prices = PriceList((StandardRule(rates, datetime(2026, 6, 1, tzinfo=UTC)),), (flex,))
    event = PriceSet(**COMMON, tenant="default", environment="prod", provider="p", model="m", prices=prices)

    record = new_record(event)
    decoded = decode_lifecycle("price.set", record.state)

    assert msgspec.msgpack.decode(record.state)[0] == 3
    assert isinstance(decoded, PriceSet)
    assert str(decoded.prices.standard[0].rates["input_tokens"].price) == "0.1000"
    assert decoded == event


def test_an_own_price_of_version_1_becomes_a_price_list() -> None:
    since = datetime(2026, 6, 1, tzinfo=UTC)
    tier = PriceTier(5, UnitPrices(Decimal(3), Decimal(4), cached_input=Decimal("0.5")))
    price = PriceVersion(since, UnitPrices(Decimal("0.10"), Decimal(2), request=Decimal("0.01")), (tier,))
    about = COMMON | {"tenant": "default", "environment": "prod", "provider": "p", "model": "m"}
    decoded = decode_lifecycle("price.set", msgspec.msgpack.encode((1, about | {"price": price})))
    rates = {
        "input_tokens": UnitRate(Decimal("0.10"), (RateTier(5, Decimal(3)),)),
        "output_tokens": UnitRate(Decimal(2), (RateTier(5, Decimal(4)),)),
        "cached_input_tokens": UnitRate(None, (RateTier(5, Decimal("0.5")),)),
        "requests": UnitRate(Decimal(10), (RateTier(5, None),)),
    }
    assert decoded == PriceSet(**about, prices=PriceList((StandardRule(rates, since),)))
    assert isinstance(decoded, PriceSet)
    assert (decoded.effective_from, str(decoded.prices.standard[0].rates["input_tokens"].price)) == (since, "0.10")


def test_an_own_price_of_version_2_is_the_tenants() -> None:
    prices = PriceList((StandardRule({"input_tokens": UnitRate(Decimal(1))}),))
    about = COMMON | {"tenant": "default", "environment": "prod", "provider": "p", "model": "m", "prices": prices}
    decoded = decode_lifecycle("price.set", msgspec.msgpack.encode((2, about)))
    assert decoded == PriceSet(**about, customer_id=None, life_began_at=None)


def test_a_list_price_of_version_1_becomes_a_price_list() -> None:
    since = datetime(2026, 6, 1, tzinfo=UTC)
    tier = PriceTier(5, UnitPrices(Decimal(3), Decimal(4), cached_input=Decimal("0.5")))
    versions = [PriceVersion(since, UnitPrices(Decimal(1), Decimal(2)), (tier,))]
    about = COMMON | {"provider": "p", "model": "m", "library": "l 1", "matched": "p/m"}
    decoded = decode_lifecycle("price.listed", msgspec.msgpack.encode((1, about | {"versions": versions})))
    rates = {
        "input_tokens": UnitRate(Decimal(1), (RateTier(5, Decimal(3)),)),
        "output_tokens": UnitRate(Decimal(2), (RateTier(5, Decimal(4)),)),
        "cached_input_tokens": UnitRate(None, (RateTier(5, Decimal("0.5")),)),
    }
    assert decoded == PriceListed(**about, prices=PriceList((StandardRule({}), StandardRule(rates, since))))
    assert decode_lifecycle("price.listed", new_record(decoded).state) == decoded


def test_a_topic_that_is_not_known_is_named() -> None:
    with pytest.raises(UnknownRecord, match=r"'customer\.cloned' is not known"):
        decode_lifecycle("customer.cloned", b"")


def test_a_class_without_a_topic_cannot_be_stored() -> None:
    with pytest.raises(UnknownRecord, match="LifecycleEvent has no topic"):
        new_record(LifecycleEvent(**COMMON))


@pytest.mark.parametrize("state", [b"", b"\x93", b"\xc1", msgspec.msgpack.encode((1, {"stream": "s"}))])
def test_bytes_that_are_no_event_are_corruption(state: bytes) -> None:
    with pytest.raises(LogCorrupted, match=r"'log\.sealed' holds no such event"):
        decode_lifecycle("log.sealed", state)


def _named_reason(fields: dict[str, Any]) -> dict[str, Any]:
    """A made-up change: version 1 had `labels`, version 2 has `fields`."""
    return {name: value for name, value in fields.items() if name != "labels"} | {"fields": fields["labels"]}


def _with_upper_keys(fields: dict[str, Any]) -> dict[str, Any]:
    return fields | {"fields": {name.upper(): value for name, value in fields["fields"].items()}}


TOPICS: dict[str, type[LifecycleEvent]] = {"customer.updated": CustomerUpdated, "log.sealed": LogSealed}


def test_an_old_class_version_is_upcast_step_by_step() -> None:
    codec = LifecycleCodec(
        TOPICS,
        {"customer.updated": 3},
        {("customer.updated", 1): _named_reason, ("customer.updated", 2): _with_upper_keys},
    )
    about = COMMON | {"tenant": "default", "environment": "prod", "customer_id": "acme"}
    expected = CustomerUpdated(**about, fields={"COLOUR": "red"})

    first = msgspec.msgpack.encode((1, about | {"labels": {"colour": "red"}}))
    second = msgspec.msgpack.encode((2, about | {"fields": {"colour": "red"}}))

    assert codec.decode("customer.updated", first) == expected
    assert codec.decode("customer.updated", second) == expected
    assert codec.decode("customer.updated", codec.new_record(expected).state) == expected


_ABOUT = COMMON | {"tenant": "default", "environment": "prod"}
_OF_CUSTOMER = _ABOUT | {"customer_id": "acme"}


@pytest.mark.parametrize(
    ("topic", "written", "event"),
    [
        (
            "customer.updated",
            _OF_CUSTOMER | {"fields": {"model_limits": {}}, "personal": None},
            CustomerUpdated(**_OF_CUSTOMER, fields={"model_limits": {}}, personal=None, patched=(), if_known=False),
        ),
        ("customer.unblocked", _OF_CUSTOMER, CustomerUnblocked(**_OF_CUSTOMER, if_known=False)),
        ("customer.deactivated", _OF_CUSTOMER, CustomerDeactivated(**_OF_CUSTOMER, if_known=False)),
        ("customer.reactivated", _OF_CUSTOMER, CustomerReactivated(**_OF_CUSTOMER, if_known=False)),
        (
            "budget.updated",
            _ABOUT | {"budget_id": "gold", "fields": {"model_limits": {}}},
            BudgetUpdated(**_ABOUT, budget_id="gold", fields={"model_limits": {}}, patched=()),
        ),
    ],
)
def test_an_event_written_before_maps_were_patched_sets_them_whole_and_is_written_in_a_new_version(
    topic: str, written: dict[str, Any], event: LifecycleEvent
) -> None:
    decoded = decode_lifecycle(topic, msgspec.msgpack.encode((1, written)))

    assert decoded == event
    assert msgspec.msgpack.decode(new_record(decoded).state)[0] == 2


def test_a_key_issued_before_there_were_several_environments_has_the_one_of_its_scope() -> None:
    event = ApiKeyIssued(
        **COMMON, key_id="k", tenant="acme", environment="test", scopes=("read",), prefix="1", secret_hash="00"
    )
    _, fields = msgspec.msgpack.decode(new_record(event).state)
    del fields["environments"]
    key = ApiKey("k")
    key.apply(decode_lifecycle(KEY_ISSUED, msgspec.msgpack.encode((1, fields))))
    key.issue(Scope("acme", "test"), ("read",), None, "sk-1", CommandContext(NOW, Provenance("engine")))
    assert list(key.collect_events()) == []


@pytest.mark.parametrize(
    ("version", "reason"), [(1, "no upcast from class version 1"), (3, "written by a newer release")]
)
def test_a_class_version_that_cannot_be_reached_is_refused(version: int, reason: str) -> None:
    codec = LifecycleCodec(TOPICS, {"customer.updated": 2}, {})

    with pytest.raises(UnknownRecord, match=reason):
        codec.decode("customer.updated", msgspec.msgpack.encode((version, {})))
