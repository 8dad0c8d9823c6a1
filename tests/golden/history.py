"""The history behind the fixture of 8d1779e: four months of customers in two tenants, each with its own cases.

It meets every rule at least once: facts dated back and ahead, lives that end and begin again, zones with clock changes,
periods moved by hand, prices given late, and events that are late, repeated, voided or rejected.
"""

from __future__ import annotations

from tests.golden.history_of_customers import (
    change_facts,
    end_lives,
    live_again,
    move_periods,
    open_catalogue,
    open_customers,
    reach_limits,
)
from tests.golden.history_of_edges import open_edges, send_at_closing, send_edges, send_where_lives_end
from tests.golden.history_of_litellm import begin_litellm, go_on_with_litellm, log_litellm
from tests.golden.history_of_usage import (
    correct_usage,
    send_bad_usage,
    send_catalogue_usage,
    send_late_usage,
    send_usage,
)
from tests.golden.history_over_kafka import begin_kafka, command_over_kafka, lose_records, meet_over_kafka
from tests.golden.stage import Stage

BEGINS = "2025-01-10T08:00:00"


def play(stage: Stage) -> None:
    """Play the whole history, in order."""
    _january(stage)
    _february(stage)
    _march(stage)
    _april(stage)


def _january(stage: Stage) -> None:
    stage.mark("nothing yet")
    open_catalogue(stage)
    stage.mark("catalogue")
    stage.at("2025-01-11T09:30:00")
    open_customers(stage)
    open_edges(stage)
    stage.mark("customers without usage", "2025-02-20T00:00:00")
    stage.at("2025-01-15T12:00:00")
    send_usage(stage, "first", 40, "2025-01-10T08:00:00")
    stage.mark("first usage", "2025-01-31T23:59:59", "2025-02-01T00:00:00")
    stage.at("2025-01-20T16:00:00")
    send_catalogue_usage(stage, "january")
    send_bad_usage(stage)
    stage.mark("refused usage")
    stage.at("2025-01-25T07:07:07")
    begin_kafka(stage)
    stage.run_due_jobs()
    stage.mark("kafka")
    stage.at("2025-01-28T22:00:00")
    send_usage(stage, "second", 60, "2025-01-15T12:00:00")
    begin_litellm(stage)
    stage.mark("litellm")
    stage.mark("litellm of 1.71", profile="seed")
    stage.at("2025-01-31T23:30:00")
    send_usage(stage, "month end", 40, "2025-01-28T22:00:00")
    stage.mark("last of january", "2025-02-01T00:00:00", "2025-02-01T00:59:59", "2025-02-01T01:00:00")


def _february(stage: Stage) -> None:
    stage.at("2025-02-01T00:30:00")
    send_late_usage(stage, "in grace", "2025-01-31T20:00:00")
    stage.mark("late in grace", "2025-02-01T01:00:00")
    stage.at("2025-02-01T01:00:00")
    send_at_closing(stage)
    stage.at("2025-02-03T10:00:00")
    send_edges(stage)
    send_late_usage(stage, "after grace", "2025-01-18T10:00:00")
    change_facts(stage)
    stage.mark("facts changed", "2025-02-15T00:00:00", "2025-03-01T00:00:00")
    stage.at("2025-02-10T11:00:00")
    send_usage(stage, "february", 60, "2025-02-01T00:30:00")
    correct_usage(stage)
    stage.mark("corrected")
    stage.at("2025-02-14T18:20:00")
    end_lives(stage)
    stage.mark("lives ended", "2025-02-28T12:00:00")
    stage.at("2025-02-18T09:00:00")
    command_over_kafka(stage)
    stage.mark("commands over kafka", "2025-03-01T05:00:00")
    stage.run_due_jobs()
    stage.at("2025-02-27T12:34:56")
    live_again(stage)
    send_where_lives_end(stage)
    send_usage(stage, "again", 60, "2025-02-14T18:20:00")
    stage.mark("lives again", "2025-02-28T23:00:00", "2025-03-01T00:00:00")


def _march(stage: Stage) -> None:
    stage.at("2025-03-08T20:00:00")
    send_usage(stage, "before spring", 60, "2025-03-01T00:00:00")
    stage.mark("before spring", "2025-03-09T06:59:59", "2025-03-09T07:00:00", "2025-03-10T04:00:00")
    stage.at("2025-03-10T03:00:00")
    send_usage(stage, "spring", 50, "2025-03-09T00:00:00")
    move_periods(stage)
    stage.mark("periods moved", "2025-03-31T00:00:00")
    stage.at("2025-03-15T15:15:15")
    log_litellm(stage)
    stage.mark("litellm logs")
    stage.mark("litellm logs of 1.71", profile="seed")
    stage.at("2025-03-20T01:00:00")
    meet_over_kafka(stage)
    lose_records(stage)
    stage.mark("kafka meets http")
    stage.run_due_jobs()
    stage.at("2025-03-29T23:00:00")
    reach_limits(stage)
    send_usage(stage, "march", 60, "2025-03-10T03:00:00")
    stage.mark("limits reached", "2025-03-30T00:59:59", "2025-03-30T22:00:00", "2025-04-01T00:00:00")


def _april(stage: Stage) -> None:
    stage.at("2025-04-06T12:00:00")
    send_usage(stage, "autumn there", 60, "2025-03-29T23:00:00")
    send_late_usage(stage, "months late", "2025-01-12T12:00:00")
    send_late_usage(stage, "between lives", "2025-02-20T12:00:00")
    stage.mark("late by months")
    stage.at("2025-04-20T06:00:00")
    go_on_with_litellm(stage)
    stage.mark("litellm at last")
    stage.mark("litellm of 1.71 at last", profile="seed")
    stage.at("2025-05-02T08:00:00")
    send_catalogue_usage(stage, "may")
    send_usage(stage, "last", 40, "2025-04-06T12:00:00")
    stage.mark("the end", "2025-06-01T00:00:00", "2025-07-31T22:00:00", "2026-01-10T00:00:00", "2031-03-01T00:00:00")
