"""Layers of a poll: usage never passes a command about its customer, nor usage with the same identity."""

from __future__ import annotations

from collections.abc import Hashable

from hypothesis import example, given, settings
from hypothesis import strategies as st

from consumers.kafka.appending.ordering import Layers

Step = tuple[str, str | None]  # a command about a customer (None), or usage of a customer under an identity

_steps: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.none() | st.sampled_from(["1", "2", "3", "4", "5"])), max_size=40
)


def placed(steps: list[Step]) -> list[tuple[int, int]]:
    """The position of each step: its layer, and within it usage (0) before commands (1)."""
    layers = Layers()
    found = []
    for customer, identity in steps:
        if identity is None:
            found.append((layers.command(customer), 1))
        else:
            [layer] = layers.usage([(customer, identity)])
            found.append((layer, 0))
    return found


@settings(max_examples=1_000)
@given(_steps)
@example([("a", None), ("a", "2"), ("b", "2"), ("b", "1")])
def test_dependent_steps_keep_their_order(steps: list[Step]) -> None:
    found = placed(steps)
    for later, (customer, identity) in enumerate(steps):
        for earlier, (other_customer, other_identity) in enumerate(steps[:later]):
            both_commands = identity is None and other_identity is None
            same_customer = customer == other_customer
            same_identity = identity is not None and identity == other_identity
            if both_commands or same_customer or same_identity:
                assert found[earlier] <= found[later], (steps[earlier], steps[later])


def test_commands_that_alternate_with_usage_of_others_need_one_layer() -> None:
    steps: list[Step] = []
    for number in range(50):
        steps += [(f"customer {number}", None), (f"other {number}", str(number))]
    assert {layer for layer, _ in placed(steps)} == {0}


def test_rejected_usage_goes_into_the_first_layer_whatever_customer_it_names() -> None:
    layers = Layers()
    layers.command("a")
    rows: list[tuple[Hashable, Hashable | None]] = [("a", None), ("a", "1"), (None, None)]
    assert layers.usage(rows) == [0, 1, 0]
