"""Differences between two answers. JSON is compared member by member, numbers by their digits as written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.golden.fixtures import Answer

#: The media types that are compared member by member.
JSON_ENDINGS = ("json", "+json")
#: Items of a list that are gone or new are found by one of these members; all others are compared by their places.
ITEM_NAMES = ("id", "user_id", "budget_id")
#: Stands for a member that one side does not have.
ABSENT = "absent"
ERROR_STATUS_MIN = 400


class Written(str):
    """A number as its digits are written: 1 and 1.0 differ."""

    __slots__ = ()


class Difference(NamedTuple):
    """A part of an answer that has changed. `old` and `new` are JSON texts, or `ABSENT`."""

    pointer: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.pointer or '(all of it)'}: {self.old} -> {self.new}"


class ErrorMeaning(NamedTuple):
    """The parts of an error that clients may depend on; its texts may change."""

    status: int
    code: str
    field: str


def differences(old: Answer, new: Answer) -> list[Difference]:
    """Differences in status, headers and body; between errors only in status, code and field."""
    if old.status >= ERROR_STATUS_MIN and new.status >= ERROR_STATUS_MIN:
        return _of_errors(error_meaning(old), error_meaning(new))
    if old.status != new.status:
        return [Difference("status", f"{old.status} {old.body[:300]}", f"{new.status} {new.body[:300]}")]
    names = sorted(old.headers.keys() | new.headers.keys())
    headers = [(name, old.headers.get(name, ABSENT), new.headers.get(name, ABSENT)) for name in names]
    found = [Difference(f"header {name}", before, after) for name, before, after in headers if before != after]
    return found + (_of_bodies(old, new) if old.body != new.body else [])


def _of_errors(old: ErrorMeaning, new: ErrorMeaning) -> list[Difference]:
    parts = zip(ErrorMeaning._fields, old, new, strict=True)
    return [Difference(name, str(before), str(after)) for name, before, after in parts if before != after]


def _of_bodies(old: Answer, new: Answer) -> list[Difference]:
    if not old.headers.get("content-type", "").partition(";")[0].endswith(JSON_ENDINGS):
        return [Difference("", old.body[:300], new.body[:300])]
    found = list(json_differences(read(old.body), read(new.body)))
    return found or [Difference("", f"written as {old.body[:300]}", f"written as {new.body[:300]}")]


def read(text: str) -> Any:
    """Parse JSON, with every number kept as `Written`."""
    return json.loads(text, parse_float=Written, parse_int=Written)


def shown(value: Any) -> str:
    """A value of `read` as JSON text."""
    if isinstance(value, Written):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {shown(member)}" for name, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(shown, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def json_differences(old: Any, new: Any, pointer: str = "") -> Iterator[Difference]:
    """The differences of two values, each at the deepest JSON pointer where they differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _of_objects(old, new, pointer)
    elif isinstance(old, list) and isinstance(new, list):
        named = next((name for name in ITEM_NAMES if _are_named(old, name) and _are_named(new, name)), None)
        if named is not None and {one[named] for one in old} != {one[named] for one in new}:
            yield from _of_objects({one[named]: one for one in old}, {one[named]: one for one in new}, pointer)
            return
        for index in range(max(len(old), len(new))):
            before, after = old[index : index + 1], new[index : index + 1]
            yield from _of_places(before, after, f"{pointer}/{index}")
    elif type(old) is not type(new) or old != new:
        yield Difference(pointer, shown(old), shown(new))


def _are_named(items: list[Any], member: str) -> bool:
    names = [one.get(member) if isinstance(one, dict) else None for one in items]
    return all(isinstance(name, str) for name in names) and len(set(names)) == len(names)


def _of_objects(old: dict[str, Any], new: dict[str, Any], pointer: str) -> Iterator[Difference]:
    shared_before, shared_after = [name for name in old if name in new], [name for name in new if name in old]
    if shared_before != shared_after:
        yield Difference(f"{pointer} (order of members)", ", ".join(shared_before), ", ".join(shared_after))
    for name in dict.fromkeys([*old, *new]):
        before = [old[name]] if name in old else []
        after = [new[name]] if name in new else []
        yield from _of_places(before, after, f"{pointer}/{_escaped(name)}")


def _of_places(old: list[Any], new: list[Any], pointer: str) -> Iterator[Difference]:
    """The differences of one member or item, given as lists that are empty where a side lacks it."""
    if old and new:
        yield from json_differences(old[0], new[0], pointer)
    else:
        yield Difference(pointer, shown(old[0]) if old else ABSENT, shown(new[0]) if new else ABSENT)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def error_meaning(answer: Answer) -> ErrorMeaning:
    """Status, code and field of an error in any known shape; the body of an unknown shape is its code."""
    try:
        body = json.loads(answer.body)
    except ValueError:
        body = answer.body[:300]
    match body:
        case {"type": str(kind), "status": _}:  # application/problem+json
            return ErrorMeaning(answer.status, kind, str(body.get("field")))
        case {"error": {"type": kind, "param": param, "code": code}}:
            return ErrorMeaning(answer.status, f"{kind} {code}", str(param))
        case {"detail": [*breaches]}:
            codes = " ".join(str(one.get("type")) for one in breaches)
            fields = " ".join("/".join(map(str, one.get("loc", ()))) for one in breaches)
            return ErrorMeaning(answer.status, codes, fields)
        case {"detail": {"error": _}}:
            return ErrorMeaning(answer.status, "detail.error", "")
        case {"detail": str(text)}:
            return ErrorMeaning(answer.status, text, "")
    return ErrorMeaning(answer.status, str(body), "")
