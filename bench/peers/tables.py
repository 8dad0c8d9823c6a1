"""Tables of the engine beside other stores: the ratios first, then the rates."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

from bench.peers.running import ENGINE, Peers, Turn

PEERS_HEADINGS: Final = (
    "store",
    "engine : it\nuntil quiet",
    "until\ncounted",
    "quiet\nev/s",
    "counted\nev/s",
    "B/\nevent",
    "summed\ntwice",
)
_CAPTION: Final = (
    "The same bytes in bodies of 10k or 50k events, 1% of them sent twice, into empty stores; medians and the range of "
    "{rounds} round(s). Quiet: the engine has nothing left to fold, flush or merge; chdb's merges have "
    "ended by themselves; SQLite's log is in its file. chdb: a MergeTree and a summing view, without identity, log or "
    "fsync, its sums include what is sent twice. SQLite: INSERT OR IGNORE and counters, synchronous. {outcomes}"
)


def peers_title(cores: int) -> str:
    """The title of the table for a number of cores."""
    return f"(a) beside other stores, {cores} core(s): ratios of the engine's rate to theirs"


def peers_caption(peers: Peers) -> str:
    """How it was measured, and whether every store holds the same events and tokens."""
    wrong = wrong_turns(peers)
    outcomes = "Distinct events and tokens are the same in all."
    if wrong:
        found = (f"{one.store} {one.result.held.distinct:,} and {one.result.held.tokens:,}" for one in wrong)
        outcomes = f"WRONG events and tokens: {'; '.join(found)}."
    if peers.left_out:
        outcomes += f" Not installed: {', '.join(peers.left_out)} (pip install meterfold[bench])."
    return _CAPTION.format(rounds=peers.rounds, outcomes=outcomes)


def wrong_turns(peers: Peers) -> list[Turn]:
    """Turns whose store does not hold every event once, or not the tokens that the engine counted."""
    tokens = next((one.result.held.tokens for one in peers.turns if one.store == ENGINE), 0)
    return [
        one
        for one in peers.turns
        if (one.result.held.distinct, one.result.held.tokens) != (one.result.distinct_sent, tokens)
    ]


def peers_rows(peers: Peers, cores: int) -> list[Sequence[str]]:
    """A row for each store and size of bodies."""
    turns = [one for one in peers.turns if one.cores == cores]
    contenders = sorted({(one.store, one.events_per_body) for one in turns}, key=lambda one: (one[0] != ENGINE, one))
    return [_row(*contender, turns) for contender in contenders]


def _row(store: str, size: int, turns: Sequence[Turn]) -> Sequence[str]:
    its = [one.result for one in turns if (one.store, one.events_per_body) == (store, size)]
    ours = [one.result for one in turns if (one.store, one.events_per_body) == (ENGINE, size)]
    quiet = [our.quiet / it.quiet for our, it in zip(ours, its, strict=True)]
    counted = [our.counted / it.counted for our, it in zip(ours, its, strict=True)]
    spread = f" {min(quiet):.2f}-{max(quiet):.2f}" if len(quiet) > 1 and store != ENGINE else ""
    twice = its[-1].held.summed - its[-1].held.distinct
    return (
        f"{store} {size // 1000}k",
        f"{median(quiet):.2f}{spread}",
        f"{median(counted):.2f}",
        f"{median(it.quiet for it in its):,.0f}",
        f"{median(it.counted for it in its):,.0f}",
        f"{its[-1].held.stored_bytes / its[-1].held.distinct:.0f}",
        f"{twice:,}",
    )
