"""The Grafana board and the alert rules ask for series and labels that a running engine has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.meterfold_process import ROOT

#: What Prometheus adds itself: a series, and labels of every target.
SERIES_OF_PROMETHEUS = {"up": set[str]()}
LABELS_OF_PROMETHEUS = {"job", "instance"}
WORDS = {"and", "or", "unless", "by", "without", "on", "ignoring", "bool", "offset", "inf"}
SEVERITIES = {"critical", "warning"}
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*\{([^}]*)\}")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_DURATION = re.compile(r"\[[^\]]*\]|\b\d+(?:ms|[smhdwy])\b")
_NAME = re.compile(r"(?<![\w$.])([a-zA-Z_:][\w:]*)(?!\s*\(|\w)")
_LABEL = re.compile(r"([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)")


def series_of(expression: str) -> set[str]:
    """The names of the series in an expression of PromQL: every name that is no function, label or keyword."""
    bare = _DURATION.sub("", _SELECTOR.sub(r"\1", _GROUPING.sub("", _QUOTED.sub('""', expression))))
    return set(_NAME.findall(bare)) - WORDS


def labels_in(expression: str) -> Iterator[tuple[str, str]]:
    """The labels that an expression selects by, with the series that must have them."""
    for name, matchers in _SELECTOR.findall(_QUOTED.sub('""', expression)):
        for label in _LABEL.findall(matchers):
            yield name, label


def grouped_by(expression: str) -> set[str]:
    """The labels that an expression groups or matches by."""
    return {label.strip() for group in _GROUPING.findall(expression) for label in group.split(",")}


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def queries() -> list[dict[str, Any]]:
    board = json.loads((ROOT / "deploy" / "grafana" / "meterfold.json").read_text())
    return [
        {"name": f"{panel['title']}: {target['legendFormat']}", "expr": target["expr"], "text": target["legendFormat"]}
        for panel in board["panels"]
        for target in panel.get("targets", [])
    ]


ASKED = [
    *(
        {"name": rule["alert"], "expr": rule["expr"], "text": "".join(rule["annotations"].values())}
        for rule in alerts()
    ),
    *queries(),
]


@pytest.mark.parametrize(
    ("expression", "series"),
    [
        ('sum by (le) (rate(a_bucket{job="b", c=~"d|e"}[5m])) / on (f) g_total > 0.5', {"a_bucket", "g_total"}),
        ("time() - a unless on (x) b offset 1h", {"a", "b"}),
        ('predict_linear(a{SEL="$b"}[$__rate_interval], 2 * 86400) < 0', {"a"}),
    ],
)
def test_the_series_of_an_expression_are_found(expression: str, series: set[str]) -> None:
    assert series_of(expression) == series


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: str(asked["name"]))
def test_every_series_and_label_exists(asked: dict[str, str], labels_of: dict[str, set[str]]) -> None:
    known = labels_of | SERIES_OF_PROMETHEUS
    series = series_of(asked["expr"])
    assert series
    assert series - known.keys() == set()
    selected = set(labels_in(asked["expr"]))
    assert {(name, label) for name, label in selected if label not in known[name] | LABELS_OF_PROMETHEUS} == set()
    of_series = LABELS_OF_PROMETHEUS.union(*(known[name] for name in series))
    assert grouped_by(asked["expr"]) - of_series == set()
    named = re.findall(r"\$labels\.(\w+)|\{\{(\w+)\}\}", asked["text"])
    assert {one or other for one, other in named} - of_series == set()


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: str(rule["alert"]))
def test_every_alert_says_what_it_means_and_where_to_read_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in SEVERITIES
    assert rule["annotations"].keys() == {"summary", "description", "runbook"}
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(), re.MULTILINE)
    assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_panels_have_names_of_their_own_and_do_not_overlap() -> None:
    panels = json.loads((ROOT / "deploy" / "grafana" / "meterfold.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (column, line)
            for column in range(place["x"], place["x"] + place["w"])
            for line in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, panel["title"]
        taken |= cells
