"""The response of loading events into a backfill."""

from __future__ import annotations

from pydantic import BaseModel, Field

from api.http.receipts import OutcomeView, WarningView


class LoadedView(BaseModel):
    """What became of the events of one request."""

    position: int = Field(description="The log position that this answer is true for.")
    loaded: int = Field(description="Events that wait for the commit of the backfill, which no total includes.")
    rejected: int = Field(description="Events that break a rule, or are outside of the range of the backfill.")
    outcomes: list[OutcomeView] = Field(description="The events that were rejected, in order.")
    outcomes_truncated: bool = Field(
        False, description="Whether more events were rejected than are listed; see GET /v1/rejected."
    )
    warnings: list[WarningView] = Field([], description="Members of data that were not understood, at most 20.")
