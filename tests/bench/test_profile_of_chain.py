"""The profile runs on the current engine, and every function that it names exists."""

from __future__ import annotations

from pathlib import Path

from bench.processes import run_step
from bench.profile_of_chain import FOLD_STAGES, INTAKE_STAGES, Profile, ProfileRun
from bench.stored import Filling, FillResult


def test_every_stage_of_the_chain_is_found_and_the_main_ones_take_time(tmp_path: Path) -> None:
    filling = Filling(str(tmp_path / "folder"), 1_000, 1_000, 100, 0, 7)
    run_step("fill", filling, FillResult)
    profile = run_step("profile", ProfileRun(filling, 400, 200), Profile, 1)
    assert profile.not_found == []
    named = {share.stage for share in profile.stages if share.microseconds > 0}
    assert {"decode", "compress", "append", "rows", "rollups", "commit", "identity add"} <= named
    assert named <= {*INTAKE_STAGES, *FOLD_STAGES, "everything else"}
