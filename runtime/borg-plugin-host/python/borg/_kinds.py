"""A kind is what JSON can carry for an annotation: its schema, and how a value is read. Here are the plain ones."""

from __future__ import annotations

import base64
import binascii
import datetime
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from borg._json import JsonObject, tell


class WrongValueError(ValueError):
    """A value is not what the annotation wants; the message names the place, what was wanted and what came."""


class NoSchemaError(TypeError):
    """An annotation that JSON Schema has no word for; the message names it and the way out."""


@dataclass(frozen=True)
class Kind:
    """`name` is what a message says was wanted; `read` takes a JSON value and the place where it stands."""

    name: str
    schema: JsonObject
    read: Callable[[Any, str], Any]


def wrong(place: str, wanted: str, value: object) -> WrongValueError:
    """The one sentence in which every wrong value is reported."""
    return WrongValueError(f"{place}: wanted {wanted}, got {tell(value)}")


def _plain(name: str, json_type: str, fits: Callable[[Any], bool], make: Callable[[Any], Any]) -> Kind:
    def read(value: Any, place: str) -> Any:
        try:
            if fits(value):
                return make(value)
        except OverflowError:
            pass
        raise wrong(place, name, value)

    return Kind(name, {"type": json_type}, read)


def _text(name: str, extra: JsonObject, make: Callable[[str], Any]) -> Kind:
    def read(value: Any, place: str) -> Any:
        if isinstance(value, str):
            try:
                return make(value)
            except ValueError:
                pass
        raise wrong(place, name, value)

    return Kind(name, {"type": "string", **extra}, read)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _integer(value: Any) -> bool:
    # JSON has one kind of number: 3.0 is the integer 3.
    return _number(value) and (isinstance(value, int) or value.is_integer())


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError from error


def _path(text: str) -> Path:
    if not text or "\0" in text:
        raise ValueError
    return Path(text)


NULL = _plain("null", "null", lambda value: value is None, lambda value: value)
ANYTHING = Kind("any value", {}, lambda value, _: value)

PLAIN: dict[Any, Kind] = {
    Any: ANYTHING,
    object: ANYTHING,
    None: NULL,
    type(None): NULL,
    str: _text("a string", {}, str),
    bool: _plain("true or false", "boolean", lambda value: isinstance(value, bool), bool),
    int: _plain("an integer", "integer", _integer, int),
    float: _plain("a number", "number", _number, float),
    Path: _text("a path", {}, _path),
    bytes: _text("bytes in base64", {"contentEncoding": "base64"}, _bytes),
    uuid.UUID: _text("a UUID", {"format": "uuid"}, uuid.UUID),
    datetime.datetime: _text(
        "a date and time such as 2026-01-02T03:04:05Z", {"format": "date-time"}, datetime.datetime.fromisoformat
    ),
    datetime.date: _text("a date such as 2026-01-02", {"format": "date"}, datetime.date.fromisoformat),
    datetime.time: _text("a time such as 03:04:05", {"format": "time"}, datetime.time.fromisoformat),
}


def choice(values: Sequence[Any], members: Sequence[Any]) -> Kind:
    """One of `values`, which are scalars; it is read as the member at the same position."""
    name = "one of " + ", ".join(json.dumps(value, ensure_ascii=False) for value in values)

    def read(value: Any, place: str) -> Any:
        for known, member in zip(values, members, strict=True):
            # True == 1 in Python, but not in JSON.
            if known == value and isinstance(known, bool) == isinstance(value, bool):
                return member
        raise wrong(place, name, value)

    kinds = {PLAIN[type(value)].schema["type"] for value in values}
    schema: JsonObject = {"enum": list(values)}
    return Kind(name, {"type": kinds.pop(), **schema} if len(kinds) == 1 else schema, read)


def enumeration(annotation: type[Enum]) -> Kind:
    """An Enum, by its values."""
    values = [member.value for member in annotation]
    if not values or not all(value is None or type(value) in (str, int, float, bool) for value in values):
        raise NoSchemaError(f"the enum {annotation.__name__} needs values that are strings or numbers")
    return choice(values, list(annotation))
