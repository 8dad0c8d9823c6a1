"""The command that amends a usage event, and the amended event as its log event has it: a usage block of one row."""

from __future__ import annotations

from domain.aggregate import CommandContext
from domain.corrections.commands import CorrectionCommand
from domain.corrections.correction import Correction
from domain.corrections.events import UsageAmended
from domain.log.blocks import BlockContext, decode_free, decode_typed, encode_block
from domain.usage.amending.amended_event import amended_event, stored_row
from domain.usage.amending.patches import EventPatch
from domain.usage.amending.sent_form import StoredRow
from domain.usage.decoding.decoder import DecodingContext


class AmendUsage(CorrectionCommand, frozen=True):
    """Amend a usage event that was counted.

    `original`: the columns of the event as it was received. `decoding`: the rules of intake; its instant is replaced by
    that of the command. `replaced_after`: the version of the stream of its corrections after which a replacement made
    the event what `original` says; None where its last amendment is in that stream.
    """

    original: StoredRow
    patch: EventPatch
    decoding: DecodingContext
    replaced_after: int | None = None

    def apply(self, aggregate: Correction, context: CommandContext) -> None:
        """Amend the last version; no effect when it changes nothing."""
        is_replaced = self.replaced_after is not None and aggregate.version <= self.replaced_after
        amended = None if is_replaced else aggregate.amended
        last = self.original if amended is None else row_of_amendment(amended)
        decoding = self.decoding.recorded(context.recorded_at)
        made = amended_event(last, self.patch, decoding)
        if made is not None:
            block = BlockContext(
                tenant=self.scope.tenant,
                environment=self.scope.environment,
                stream=aggregate.id,
                version=aggregate.version + 1,
                first_offset=0,
                last_offset=0,
                recorded_at=context.recorded_at,
            )
            aggregate.amend(context, encode_block(block, made.typed, made.free), made.changed)


def row_of_amendment(event: UsageAmended) -> StoredRow:
    """The columns of an amended event."""
    return stored_row(decode_typed(event.block), decode_free(event.block))
