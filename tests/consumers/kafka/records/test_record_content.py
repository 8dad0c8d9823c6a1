"""Records are split into usage items and commands."""

from __future__ import annotations

import string
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from consumers.kafka.appending.batches import CommandMessage, UsageRun
from consumers.kafka.records.record_content import RecordContext, parts_of
from consumers.kafka.records.record_runs import Headers, RecordRun
from domain.scope import Scope
from domain.usage.canonical_form import content_digest
from domain.usage.decoding.single_event import RowContext, decode_event

SCOPE = Scope("acme", "prod")
USAGE = RecordContext(SCOPE, "rejected")
CUSTOMERS = RecordContext(SCOPE, "delete the customer")
EVENT = b'{"specversion":"1.0","id":"1","source":"gw","type":"llm.request","subject":"ada"}'
CREATE = b'{"specversion":"1.0","id":"c1","source":"crm","type":"customer.create","subject":"ada","data":{"max":1.50}}'
ROW_FACTS = RowContext(7, 1_790_000_000_000_000, 1_790_086_400_000_000)


def run_of(*records: tuple[bytes | None, bytes | None, Headers]) -> RecordRun:
    """Records (key, value, headers) at offsets from 40 on, at one second after another."""
    count = len(records)
    return RecordRun(
        40,
        40 + count,
        [40 + row for row in range(count)],
        [1_790_000_000_000 + 1_000 * row for row in range(count)],
        [key for key, _, _ in records],
        [value for _, value, _ in records],
        [headers for _, _, headers in records] if any(headers for _, _, headers in records) else None,
        sum(len(value or b"") for _, value, _ in records),
    )


def one_item(value: bytes | None, headers: Headers = (), context: RecordContext = USAGE) -> bytes:
    """The only item of a record."""
    (part,) = parts_of(run_of((None, value, headers)), context)
    assert isinstance(part, UsageRun)
    (item,) = part.items
    return item


def reason_of(item: bytes) -> object:
    return decode_event(item, None, ROW_FACTS)["reason"]


def test_plain_structured_records_are_one_run_with_their_keys_as_customers() -> None:
    assert parts_of(run_of((b"ada", EVENT, ()), (None, EVENT, ()), (b"\xff", EVENT, ())), USAGE) == [
        UsageRun(
            SCOPE,
            [EVENT] * 3,
            [40, 41, 42],
            [1_790_000_000_000_000, 1_790_000_001_000_000, 1_790_000_002_000_000],
            ["ada", None, None],
        )
    ]


def test_a_run_without_keys_names_no_customers() -> None:
    (part,) = parts_of(run_of((None, EVENT, ())), USAGE)
    assert isinstance(part, UsageRun)
    assert part.customers is None


def test_a_header_names_the_customer_before_the_key() -> None:
    shuttle, native = ("x-shuttle-customer-id", "zoë".encode()), ("X-Meterfold-Customer", b"native")
    run = run_of(
        (b"key", EVENT, (shuttle,)),
        (b"key", EVENT, (shuttle, native)),
        (None, b"[" + EVENT + b"," + EVENT + b"]", (shuttle,)),
        (b"key", EVENT, ()),
        (None, EVENT, (("X-Shuttle-Customer-Id", None),)),
    )
    (part,) = parts_of(run, USAGE)
    assert isinstance(part, UsageRun)
    assert part.customers == ["zoë", "native", "zoë", "zoë", "key", None]
    assert part.items == [EVENT] * 6, "what a header names is no part of the event"


def test_a_customer_header_that_is_not_utf_8_makes_its_record_garbage() -> None:
    item = one_item(EVENT, (("X-Shuttle-Customer-Id", b"\xff"),))
    assert reason_of(item) == "not_json"


def test_a_customer_header_is_not_what_a_command_is_about() -> None:
    deletion = run_of((b"ada", None, (("X-Shuttle-Customer-Id", b"eve"),)))
    (command,) = parts_of(deletion, CUSTOMERS)
    assert isinstance(command, CommandMessage)
    assert command.subject == "ada"


def test_an_empty_run_has_no_parts() -> None:
    assert parts_of(RecordRun.starting_at(3), USAGE) == []


def test_a_record_without_timestamp_has_a_negative_arrival() -> None:
    run = run_of((None, EVENT, ()))
    run.timestamps_ms = [-1]
    (part,) = parts_of(run, USAGE)
    assert isinstance(part, UsageRun)
    assert part.arrivals_us[0] < 0


def test_events_of_a_batch_have_their_indexes_whether_a_header_says_batch_or_not() -> None:
    batch = b"[" + EVENT + b", 7 ," + EVENT + b"]"
    said: Headers = (("content-type", b"application/cloudevents-batch+json"),)
    for headers in ((), said):
        (part,) = parts_of(run_of((b"k", EVENT, ()), (b"k", batch, headers), (b"k", EVENT, ())), USAGE)
        assert isinstance(part, UsageRun)
        assert part.items == [EVENT, EVENT, b"7", EVENT, EVENT]
        assert part.offsets == [40, 41, 41, 41, 42]
        assert part.indexes == [0, 0, 1, 2, 0]
        assert part.customers == ["k"] * 5


def test_a_byte_order_mark_is_not_part_of_a_record() -> None:
    for headers in ((), (("content-type", b"application/cloudevents+json"),)):
        assert one_item(b"\xef\xbb\xbf" + EVENT, headers) == EVENT
    (part,) = parts_of(run_of((None, b"\xef\xbb\xbf[" + EVENT + b"]", ())), USAGE)
    assert isinstance(part, UsageRun)
    assert (part.items, part.indexes) == ([EVENT], [0])


def test_an_empty_batch_has_no_parts() -> None:
    assert parts_of(run_of((None, b"[]", ())), USAGE) == []


def test_a_binary_record_becomes_the_equal_structured_event() -> None:
    headers: Headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", b"1"),
        ("ce_source", b"gw"),
        ("ce_type", b"llm.request"),
        ("content-type", b"application/json"),
    )
    item = one_item(b'{"input_tokens": 1.50e1}', headers)
    assert msgspec.json.decode(item) == {
        "specversion": "1.0",
        "id": "1",
        "source": "gw",
        "type": "llm.request",
        "datacontenttype": "application/json",
        "data": {"input_tokens": 15.0},
    }


def test_a_binary_record_without_value_is_an_event_without_data_and_no_tombstone() -> None:
    headers: Headers = (("ce_specversion", b"1.0"), ("ce_id", b"1"), ("ce_source", b"gw"), ("ce_type", b"ping"))
    for value in (None, b""):
        assert msgspec.json.decode(one_item(value, headers, CUSTOMERS)) == {
            "specversion": "1.0",
            "id": "1",
            "source": "gw",
            "type": "ping",
        }


def test_data_of_a_binary_record_cannot_change_the_attributes() -> None:
    headers: Headers = (("ce_specversion", b"1.0"), ("ce_id", b"mine"), ("ce_source", b"gw"), ("ce_type", b"ping"))
    item = one_item(b'{},"id":"yours"', headers)
    assert msgspec.json.decode(item)["id"] == "mine"
    assert reason_of(item) == "data_invalid"


def test_data_that_is_not_said_to_be_json_is_rejected() -> None:
    headers: Headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", b"1"),
        ("ce_source", b"gw"),
        ("ce_type", b"ping"),
        ("content-type", b"text/plain"),
    )
    assert reason_of(one_item(b"{}", headers)) == "data_invalid"


def test_headers_name_tenant_and_environment_and_a_change_begins_another_run() -> None:
    theirs: Headers = (("meterfold-tenant", b"other"), ("meterfold-environment", b"test"))
    parts = parts_of(run_of((None, EVENT, ()), (None, EVENT, theirs), (None, EVENT, theirs), (None, EVENT, ())), USAGE)
    assert [(part.scope, part.offsets) for part in parts if isinstance(part, UsageRun)] == [
        (SCOPE, [40]),
        (Scope("other", "test"), [41, 42]),
        (SCOPE, [43]),
    ]


def test_a_tenant_that_cannot_be_makes_its_record_garbage_and_never_somebody_elses_usage() -> None:
    for headers in ((("meterfold-tenant", b"NO!"),), (("meterfold-environment", b"dev"),), (("ce_id", b"\xff"),)):
        item = one_item(EVENT, headers)
        assert reason_of(item) == "not_json"
        assert item.endswith(EVENT)


def test_a_type_makes_a_command_and_the_order_stays() -> None:
    assert parts_of(run_of((b"k", EVENT, ()), (b"k", CREATE, ()), (b"k", EVENT, ())), USAGE) == [
        UsageRun(SCOPE, [EVENT], [40], [1_790_000_000_000_000], ["k"]),
        CommandMessage(
            41, SCOPE, "customer.create", "crm", "c1", "ada", {"max": Decimal("1.50")}, 1_790_000_001_000_000
        ),
        UsageRun(SCOPE, [EVENT], [42], [1_790_000_002_000_000], ["k"]),
    ]


def test_a_type_spelled_with_escapes_is_a_command_too() -> None:
    (part,) = parts_of(run_of((b"k", CREATE.replace(b"customer", b"\\u0063ustomer"), ())), USAGE)
    assert isinstance(part, CommandMessage)
    assert part.kind == "customer.create"


def test_a_command_in_a_batch_has_its_index() -> None:
    parts = parts_of(run_of((b"k", b"[" + EVENT + b"," + CREATE + b"]", ())), USAGE)
    assert [(type(part), getattr(part, "index", None)) for part in parts] == [(UsageRun, None), (CommandMessage, 1)]


def test_a_binary_command_is_a_command() -> None:
    headers: Headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", b"c2"),
        ("ce_source", b"crm"),
        ("ce_type", b"budget.create"),
        ("ce_subject", b"gold"),
    )
    assert parts_of(run_of((b"k", b'{"limit_usd": 5}', headers)), USAGE) == [
        CommandMessage(40, SCOPE, "budget.create", "crm", "c2", "gold", {"limit_usd": 5}, 1_790_000_000_000_000)
    ]


def test_a_customer_command_without_subject_is_about_the_customer_that_the_key_names() -> None:
    block = b'{"specversion":"1.0","id":"c1","source":"crm","type":"customer.block"}'
    (part,) = parts_of(run_of((b"ada", block, ())), USAGE)
    assert isinstance(part, CommandMessage)
    assert (part.subject, part.data) == ("ada", {})


def test_usage_that_only_speaks_of_commands_stays_usage() -> None:
    speaking = EVENT.replace(b'"subject"', b'"note":"customer.create","subject"')
    (part,) = parts_of(run_of((None, speaking, ())), USAGE)
    assert isinstance(part, UsageRun)
    assert part.items == [speaking]


def test_what_cannot_be_a_command_is_rejected_by_the_decoder_and_never_counted() -> None:
    spoilt = (
        CREATE.replace(b'"id":"c1",', b""),
        CREATE.replace(b'"id":"c1"', b'"id":5'),
        CREATE.replace(b'"source":"crm"', b'"source":""'),
        CREATE.replace(b'"1.0"', b'"0.3"'),
        CREATE.replace(b'{"max":1.50}', b"[]"),
        CREATE.replace(b'"data"', b'"data_base64"').replace(b'{"max":1.50}', b'"e30="'),
        CREATE.replace(b'"subject":"ada"', b'"subject":5'),
        CREATE[:-1],
    )
    for value in spoilt:
        (part,) = parts_of(run_of((b"ada", value, ())), USAGE)
        assert isinstance(part, UsageRun)
        assert decode_event(part.items[0], "ada", ROW_FACTS)["reason"] is not None, value


def test_a_tombstone_deletes_the_customer_of_its_key_on_a_topic_of_customers_only() -> None:
    assert parts_of(run_of((b"ada", None, ())), CUSTOMERS) == [
        CommandMessage(40, SCOPE, "customer.delete", None, None, "ada", {}, 1_790_000_000_000_000)
    ]
    for key, context in ((b"ada", USAGE), (None, CUSTOMERS), (b"", CUSTOMERS), (b"\xff", CUSTOMERS)):
        (part,) = parts_of(run_of((key, None, ())), context)
        assert isinstance(part, UsageRun)
        assert reason_of(part.items[0]) == "not_json"


def test_a_replay_leaves_tombstones_out() -> None:
    assert parts_of(run_of((b"ada", None, ())), RecordContext(SCOPE, "left out")) == []


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
NAMES = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=10)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
TIMES = st.datetimes().map(lambda moment: moment.isoformat() + "Z")


@given(
    st.fixed_dictionaries(
        {"id": TEXTS, "source": TEXTS, "type": TEXTS},
        optional={"subject": TEXTS, "time": TIMES, "datacontenttype": st.just("application/json")},
    ),
    st.dictionaries(NAMES, TEXTS, max_size=3),
    st.dictionaries(TEXTS, VALUES, max_size=4),
)
def test_binary_and_structured_mode_have_one_digest(
    attributes: dict[str, str], extensions: dict[str, str], data: dict[str, Any]
) -> None:
    taken = {"specversion", "data", "datacontenttype", "subject", "time", *attributes}
    named = attributes | {name: text for name, text in extensions.items() if name not in taken}
    written = msgspec.json.encode(data)
    structured = msgspec.json.encode({"specversion": "1.0", **named, "data": msgspec.Raw(written)})
    headers: list[tuple[str, bytes]] = [("ce_specversion", b"1.0")]
    for name, text in named.items():
        headers.append(("content-type" if name == "datacontenttype" else f"ce_{name}", text.encode()))
    assert content_digest(7, one_item(written, tuple(headers))) == content_digest(7, structured)
