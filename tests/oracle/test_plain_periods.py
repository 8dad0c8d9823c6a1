"""The oracle's own periods, against dates worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.oracle.plain_periods import Period, Policy, PolicyChange, boundaries, cuts_of, period_around


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def period_of(policy: Policy, instant: str) -> Period:
    return period_around(boundaries(policy), at(instant))


def test_a_calendar_month_is_cut_at_local_midnight() -> None:
    policy = Policy("1mo", zone="America/New_York")
    assert period_of(policy, "2025-03-20T00:00") == Period(at("2025-03-01T05:00"), at("2025-04-01T04:00"))


def test_a_month_anchored_on_the_31st_comes_back_to_the_31st() -> None:
    policy = Policy("1mo", "anchored", "UTC", at("2025-01-31T10:00"))
    cuts = boundaries(policy)
    first = cuts.index(at("2025-01-31T10:00"))
    assert cuts[first - 2 : first + 4] == (
        at("2024-11-30T10:00"),
        at("2024-12-31T10:00"),
        at("2025-01-31T10:00"),
        at("2025-02-28T10:00"),
        at("2025-03-31T10:00"),
        at("2025-04-30T10:00"),
    )


def test_an_anchored_day_keeps_its_wall_clock_over_a_clock_change_and_begins_right_after_the_gap() -> None:
    policy = Policy("1d", "anchored", "America/New_York", at("2025-03-07T07:30"))  # 02:30 in New York
    assert period_of(policy, "2025-03-08T08:00") == Period(at("2025-03-08T07:30"), at("2025-03-09T07:00"))
    assert period_of(policy, "2025-03-09T08:00") == Period(at("2025-03-09T07:00"), at("2025-03-10T06:30"))


def test_hours_are_elapsed_time() -> None:
    policy = Policy("36h", "anchored", "America/New_York", at("2025-03-08T12:00"))
    assert period_of(policy, "2025-03-09T12:00") == Period(at("2025-03-08T12:00"), at("2025-03-10T00:00"))


def test_weeks_start_on_local_monday() -> None:
    policy = Policy("1w", zone="Asia/Kolkata")
    assert period_of(policy, "2025-06-05T00:00") == Period(at("2025-06-01T18:30"), at("2025-06-08T18:30"))


def test_a_custom_end_makes_the_first_period_longer_and_anchors_the_rest() -> None:
    policy = Policy("1mo", "anchored", "UTC", at("2025-01-10T00:00"), at("2025-02-28T00:00"))
    assert period_of(policy, "2025-02-20T00:00") == Period(at("2025-01-10T00:00"), at("2025-02-28T00:00"))
    assert period_of(policy, "2025-03-10T00:00") == Period(at("2025-02-28T00:00"), at("2025-03-28T00:00"))


def test_a_changed_policy_leaves_closed_periods_and_cuts_the_open_one() -> None:
    month = PolicyChange(at("2025-01-10T00:00"), Policy("1mo"))
    anchored = PolicyChange(at("2025-03-20T00:00"), Policy("1mo", "anchored", "UTC", at("2025-03-15T00:00")))
    cuts = cuts_of((month, anchored))
    first = cuts.index(at("2025-02-01T00:00"))
    assert cuts[first : first + 4] == (
        at("2025-02-01T00:00"),
        at("2025-03-01T00:00"),
        at("2025-03-15T00:00"),
        at("2025-04-15T00:00"),
    )


def test_a_changed_policy_never_reaches_back_into_a_closed_period() -> None:
    month = PolicyChange(at("2025-01-10T00:00"), Policy("1mo"))
    anchored = PolicyChange(at("2025-03-05T00:00"), Policy("1mo", "anchored", "UTC", at("2025-02-20T00:00")))
    cuts = cuts_of((month, anchored))
    first = cuts.index(at("2025-02-01T00:00"))
    assert cuts[first : first + 3] == (at("2025-02-01T00:00"), at("2025-03-01T00:00"), at("2025-03-20T00:00"))


def test_a_policy_changed_in_the_first_period_replaces_it_whole() -> None:
    month = PolicyChange(at("2025-01-10T00:00"), Policy("1mo"))
    anchored = PolicyChange(at("2025-01-12T00:00"), Policy("1mo", "anchored", "UTC", at("2024-12-20T00:00")))
    cuts = cuts_of((month, anchored))
    first = cuts.index(at("2024-12-01T00:00"))
    assert cuts[first : first + 3] == (at("2024-12-01T00:00"), at("2024-12-20T00:00"), at("2025-01-20T00:00"))
