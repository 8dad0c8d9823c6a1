"""Whether events are void, by what was said of them: the last correction that stands decides.

That is a void or a restoration of the event's own identity, or one by a correction run that is not reverted, whichever
is later. Without any the event is valid. Whether it is withdrawn is another question.
"""

from __future__ import annotations

from typing import Final

from domain.correction_runs.events import CORRECTION_RUN_COMMITTED, CORRECTION_RUN_REVERTED
from domain.corrections.events import USAGE_AMENDED, USAGE_VOIDED

#: Events that a backfill withdrew, by locator.
WITHDRAWN: Final = "SELECT locator FROM outcomes WHERE outcome = 'withdrawn' AND closed_at IS NULL"


def valid_events(events: str, without_run: str = "NULL") -> str:
    """Return the SELECT of `locator` and `is_valid` of each of these events.

    `events`: the name of a table with their `locator`, `scope_key`, `source` and `id`. `without_run`: the position of
    the commit of a run that is left out.
    """
    return f"""WITH single AS (SELECT l.locator, max(c.position) AS at, arg_max(c.kind, c.position) AS kind
        FROM corrections c JOIN {events} l ON l.scope_key = c.scope_key AND l.source = c.source AND l.id = c.id
        WHERE c.kind <> '{USAGE_AMENDED}' GROUP BY l.locator),
    standing AS (SELECT c.position, c.action FROM correction_runs c WHERE c.kind = '{CORRECTION_RUN_COMMITTED}'
        AND c.action <> 'amend' AND c.position IS DISTINCT FROM {without_run}
        AND NOT EXISTS (SELECT 1 FROM correction_runs r
            WHERE r.scope_key = c.scope_key AND r.name = c.name AND r.kind = '{CORRECTION_RUN_REVERTED}')),
    by_run AS (SELECT e.locator, max(e.position) AS at, arg_max(s.action, e.position) AS action
        FROM corrected_events e JOIN standing s ON s.position = e.position
        WHERE e.locator IN (SELECT locator FROM {events}) GROUP BY e.locator)
    SELECT events.locator, NOT CASE WHEN coalesce(single.at, 0) > coalesce(by_run.at, 0)
        THEN single.kind = '{USAGE_VOIDED}' ELSE coalesce(by_run.action = 'void', false) END AS is_valid
    FROM {events} events LEFT JOIN single USING (locator) LEFT JOIN by_run USING (locator)"""
