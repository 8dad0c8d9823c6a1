"""Law 2: a rebuild from log position 0 gives the same answers and logical views as the live store."""

from __future__ import annotations

from hypothesis import given

from consumers.engine import OperationResult
from tests.laws.histories import Step, all_answers, histories, live_through
from tests.laws.laboratory import Laboratory, examples


@examples(10)
@given(steps=histories())
def test_a_rebuild_gives_every_answer_again(laboratory: Laboratory, steps: list[Step]) -> None:
    tenant = laboratory.tenant()
    live_through(laboratory, tenant, steps)
    live = all_answers(tenant)
    verified = [step for step in laboratory.engine.verify() if isinstance(step, OperationResult)]
    assert [step.findings for step in verified] == [()]
    rebuilt = [step for step in laboratory.engine.replay() if isinstance(step, OperationResult)]
    assert [step.position for step in rebuilt] == [laboratory.engine.log.head_position()]
    assert all_answers(tenant) == live
