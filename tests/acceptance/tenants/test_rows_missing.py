"""While a rebuild has folded the numbers and not written the rows, a question is answered in full, or with 503."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.tenants.questions import QUESTIONS
from tests.acceptance.tenants.test_two_tenants import Answer, pages
from tests.acceptance.tenants.worlds import World, world
from tests.consumers.row_writing import lacking_rows

KEY = "admin"
#: Of these at least one answer needs no rows, though events of every customer of this world were corrected.
ANSWERED = ("/v1/rejected", "/v1/meters")
#: These need rows for at least one.
HELD_UP = ("/v1/events", "/budget/list")


def answers(asked_in: World) -> Iterator[tuple[tuple[str, Any], list[Answer]]]:
    for route, questions in QUESTIONS.items():
        for asked in questions:
            yield (route, json.dumps(asked)), list(pages(asked_in, route, asked, KEY))


def test_no_answer_is_made_of_some_of_the_rows(tmp_path_factory: pytest.TempPathFactory) -> None:
    with world(tmp_path_factory.mktemp("world"), with_others=True) as made:
        whole = dict(answers(made))
        with lacking_rows(made.engine):
            held_up: set[str] = set()
            answered: set[str] = set()
            for question, found in answers(made):
                if found[-1].status == 503:
                    assert "being written" in found[-1].body, question
                    held_up.add(question[0])
                    found = found[:-1]
                else:
                    answered.add(question[0])
                assert [one.comparable() for one in found] == [
                    one.comparable() for one in whole[question][: len(found)]
                ], question
        assert set(ANSWERED) <= answered
        assert set(HELD_UP) <= held_up
        for route in HELD_UP:
            asked = QUESTIONS[route][0]
            assert [one.comparable() for one in pages(made, route, asked, KEY)] == [
                one.comparable() for one in whole[route, json.dumps(asked)]
            ]
