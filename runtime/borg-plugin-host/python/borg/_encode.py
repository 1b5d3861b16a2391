"""From Python's values to those of JSON: what a tool returns, and the defaults of its parameters."""

from __future__ import annotations

import dataclasses
import datetime
import uuid
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import Enum
from math import isfinite
from pathlib import PurePath
from typing import Any

_DEEPEST = 100


class NoJsonError(TypeError):
    """A value that JSON has no word for; the message names the place and the type."""


def value(given: Any, place: str, depth: int = 0) -> Any:
    """The JSON value; `place` is how a message calls it. Raises NoJsonError."""
    if depth > _DEEPEST:
        raise NoJsonError(f"{place} is nested more than {_DEEPEST} deep, or holds itself")
    match given:
        case Enum():
            return value(given.value, place, depth + 1)
        case None | bool() | str() | int():
            return given
        case float():
            if not isfinite(given):
                raise NoJsonError(f"{place} is {given}, which JSON does not have")
            return given
        case datetime.datetime() | datetime.date() | datetime.time():
            return given.isoformat()
        case PurePath() | uuid.UUID():
            return str(given)
    return _composed(given, place, depth + 1)


def _composed(given: Any, place: str, depth: int) -> Any:
    match given:
        case Mapping():
            return {_key(key, place): value(one, f"{place}.{key}", depth) for key, one in given.items()}
        case list() | tuple():
            return [value(one, f"{place}[{index}]", depth) for index, one in enumerate(given)]
        case AbstractSet():
            # Sets have no order, and answers should not differ from run to run.
            return sorted((value(one, place, depth) for one in given), key=lambda one: (str(type(one)), str(one)))
    if dataclasses.is_dataclass(given) and not isinstance(given, type):
        fields = dataclasses.fields(given)
        return {one.name: value(getattr(given, one.name), f"{place}.{one.name}", depth) for one in fields}
    raise NoJsonError(
        f"{place} is of the type {type(given).__name__}, which JSON does not have: "
        "make it a text, a number, a list, a dict or a dataclass"
    )


def _key(key: Any, place: str) -> str:
    if isinstance(key, Enum):
        key = key.value
    if isinstance(key, str):
        return key
    if isinstance(key, int) and not isinstance(key, bool):
        return str(key)
    raise NoJsonError(f"{place} has a key of the type {type(key).__name__}: the keys of a JSON object are strings")
