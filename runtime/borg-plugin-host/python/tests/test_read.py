"""What a JSON value becomes, or what is said of it."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import unittest
import uuid
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

from borg._kinds import WrongValueError
from borg._types import kind_of


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Flag(enum.Enum):
    OFF = 0
    ON = 1


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("x is left of the edge")


@dataclasses.dataclass
class Line:
    start: Point
    end: Point | None = None


class Options(TypedDict):
    deep: bool
    limit: NotRequired[int]


READ: list[tuple[Any, Any, Any]] = [
    (str, "a", "a"),
    (int, 3, 3),
    (int, 3.0, 3),
    (int, 10**30, 10**30),
    (float, 3, 3.0),
    (float, 2.5, 2.5),
    (bool, True, True),
    (None, None, None),
    (Any, {"a": [1]}, {"a": [1]}),
    (list[int], [1, 2.0], [1, 2]),
    (tuple[int, ...], [1], (1,)),
    (tuple[int, str], [1, "a"], (1, "a")),
    (set[str], ["a", "a"], {"a"}),
    (frozenset[int], [1], frozenset({1})),
    (dict[str, Path], {"a": "/x"}, {"a": Path("/x")}),
    (str | None, None, None),
    (int | str, "5", "5"),
    (bool | int, 1, 1),
    (Literal["a", 1], 1, 1),
    (Literal[1], 1.0, 1),
    (Colour, "red", Colour.RED),
    (Literal[Colour.RED], "red", Colour.RED),
    (Flag, 1, Flag.ON),
    (Point, {"x": 1}, Point(1)),
    (Line, {"start": {"x": 1}, "end": {"x": 2, "y": 3}}, Line(Point(1), Point(2, 3))),
    (list[Point], [{"x": 1}], [Point(1)]),
    (Options, {"deep": True}, {"deep": True}),
    (datetime.datetime, "2026-01-02T03:04:05Z", datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)),
    (datetime.date, "2026-01-02", datetime.date(2026, 1, 2)),
    (datetime.time, "03:04", datetime.time(3, 4)),
    (uuid.UUID, "12345678123456781234567812345678", uuid.UUID(int=0x12345678123456781234567812345678)),
    (Path, "a/b", Path("a/b")),
    (bytes, "aGk=", b"hi"),
]

WRONG: list[tuple[Any, Any, str]] = [
    (str, 3, "it: wanted a string, got the number 3"),
    (str, None, "it: wanted a string, got null"),
    (int, "3", 'it: wanted an integer, got the string "3"'),
    (int, 3.5, "it: wanted an integer, got the number 3.5"),
    (int, True, "it: wanted an integer, got true"),
    (float, "x" * 100, 'it: wanted a number, got the string "' + "x" * 60 + '… (100 characters)"'),
    (float, 10**400, "it: wanted a number, got the number 1" + "0" * 59 + "… (401 characters)"),
    (bool, 1, "it: wanted true or false, got the number 1"),
    (list[int], {"a": 1}, "it: wanted a list, got an object"),
    (list[int], [1, "b"], 'it[1]: wanted an integer, got the string "b"'),
    (tuple[int, str], [1], "it: wanted a list of 2, got a list of 1"),
    (set[Any], [[1]], "it: wanted a list of simple values, got a list of 1"),
    (dict[str, int], {"a": {}}, "it.a: wanted an integer, got an object"),
    (dict[str, int], [], "it: wanted an object, got a list of 0"),
    (int | None, "a", 'it: wanted an integer or null, got the string "a"'),
    (list[int] | None, ["a"], 'it[0]: wanted an integer, got the string "a"'),
    (Literal["a", "b"], "c", 'it: wanted one of "a", "b", got the string "c"'),
    (Literal[1], True, "it: wanted one of 1, got true"),
    (Literal["a"], ["a"], 'it: wanted one of "a", got a list of 1'),
    (Flag, False, "it: wanted one of 0, 1, got false"),
    (Colour, "RED", 'it: wanted one of "red", "blue", got the string "RED"'),
    (Point, [1], "it: wanted an object (Point), got a list of 1"),
    (Point, {"z": 1}, "it.z is not known: there is `x`, `y`\nit.x is missing: wanted an integer"),
    (Point, {"x": -1}, "it: x is left of the edge"),
    (Line, {"start": {"x": "a"}}, 'it.start.x: wanted an integer, got the string "a"'),
    (Line, {"start": {"x": 1}, "end": {"x": None}}, "it.end.x: wanted an integer, got null"),
    (Options, {"limit": 1}, "it.deep is missing: wanted true or false"),
    (datetime.datetime, "soon", 'it: wanted a date and time such as 2026-01-02T03:04:05Z, got the string "soon"'),
    (Path, "a\0b", 'it: wanted a path, got the string "a\\u0000b"'),
    (bytes, "*", 'it: wanted bytes in base64, got the string "*"'),
    (bytes, "é", 'it: wanted bytes in base64, got the string "é"'),
]


class Reading(unittest.TestCase):
    def test_values_are_converted(self) -> None:
        for annotation, value, expected in READ:
            with self.subTest(annotation=annotation, value=value):
                found = kind_of(annotation).read(value, "it")
                self.assertEqual(found, expected)
                self.assertIs(type(found), type(expected))

    def test_wrong_values_are_told_with_place_wanted_and_got(self) -> None:
        for annotation, value, message in WRONG:
            with self.subTest(annotation=annotation, value=value), self.assertRaises(WrongValueError) as caught:
                kind_of(annotation).read(value, "it")
            self.assertEqual(str(caught.exception), message)
