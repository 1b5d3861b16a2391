"""Kinds that hold others: lists, tuples, sets and objects with any keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from borg._json import JsonObject
from borg._kinds import Kind, wrong


def several(make: Callable[[Iterable[Any]], Any], member: Kind) -> Kind:
    """A list of any length, made into a list, a tuple or a set."""
    distinct = make in (set, frozenset)

    def read(value: Any, place: str) -> Any:
        if not isinstance(value, list):
            raise wrong(place, "a list", value)
        members = [member.read(one, f"{place}[{index}]") for index, one in enumerate(value)]
        if not distinct:
            return make(members)
        try:
            return make(members)
        except TypeError:
            raise wrong(place, "a list of simple values", value) from None

    schema: JsonObject = {"type": "array", "items": member.schema}
    return Kind("a list", {**schema, "uniqueItems": True} if distinct else schema, read)


def row(members: list[Kind]) -> Kind:
    """A tuple with one kind a position."""
    name = f"a list of {len(members)}"

    def read(value: Any, place: str) -> Any:
        if not isinstance(value, list) or len(value) != len(members):
            raise wrong(place, name, value)
        pairs = zip(members, value, strict=True)
        return tuple(member.read(one, f"{place}[{index}]") for index, (member, one) in enumerate(pairs))

    schema = {
        "type": "array",
        "prefixItems": [member.schema for member in members],
        "items": False,
        "minItems": len(members),
    }
    return Kind(name, schema, read)


def mapping(member: Kind) -> Kind:
    """An object with any keys."""

    def read(value: Any, place: str) -> Any:
        if not isinstance(value, dict):
            raise wrong(place, "an object", value)
        return {key: member.read(one, f"{place}.{key}") for key, one in value.items()}

    return Kind("an object", {"type": "object", "additionalProperties": member.schema}, read)
