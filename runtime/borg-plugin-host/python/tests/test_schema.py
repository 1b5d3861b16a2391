"""The schema of each annotation: the table is the snapshot."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import re
import typing
import unittest
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, NotRequired, Optional, TypedDict, Union

from borg._kinds import NoSchemaError
from borg._types import describe, kind_of


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Empty(enum.Enum):
    pass


class Odd(enum.Enum):
    PAIR = (1, 2)


@dataclasses.dataclass
class Point:
    """A place.

    Attributes:
        x: from the left
    """

    x: int
    y: int = 0


@dataclasses.dataclass
class Line:
    start: Point
    tags: list[str] = dataclasses.field(default_factory=list)
    colour: Annotated[Colour, "how it is drawn"] = Colour.RED
    length: float = dataclasses.field(init=False, default=0.0)


@dataclasses.dataclass
class Tree:
    children: list[Tree]


@dataclasses.dataclass
class Lost:
    where: Nowhere  # type: ignore[name-defined]  # noqa: F821


class Options(TypedDict):
    deep: bool
    limit: NotRequired[Annotated[int, "at most"]]


class Loose(TypedDict, total=False):
    deep: typing.Required[bool]
    limit: int


UserId = NewType("UserId", int)

STRING = {"type": "string"}
INTEGER = {"type": "integer"}
NULL = {"type": "null"}
POINT = {
    "type": "object",
    "properties": {"x": {"type": "integer", "description": "from the left"}, "y": {"type": "integer", "default": 0}},
    "required": ["x"],
    "additionalProperties": False,
}
LINE = {
    "type": "object",
    "properties": {
        "start": POINT,
        "tags": {"type": "array", "items": STRING, "default": []},
        "colour": {"type": "string", "enum": ["red", "blue"], "description": "how it is drawn", "default": "red"},
    },
    "required": ["start"],
    "additionalProperties": False,
}
OPTIONS = {
    "type": "object",
    "properties": {"deep": {"type": "boolean"}, "limit": {"type": "integer", "description": "at most"}},
    "required": ["deep"],
    "additionalProperties": False,
}
LOOSE = {**OPTIONS, "properties": {"deep": {"type": "boolean"}, "limit": INTEGER}}

SCHEMAS: list[tuple[Any, Any]] = [
    (str, STRING),
    (int, INTEGER),
    (float, {"type": "number"}),
    (bool, {"type": "boolean"}),
    (None, NULL),
    (type(None), NULL),
    (Any, {}),
    (object, {}),
    (list, {"type": "array", "items": {}}),
    (list[int], {"type": "array", "items": INTEGER}),
    (typing.List[int], {"type": "array", "items": INTEGER}),  # noqa: UP006
    (Sequence[str], {"type": "array", "items": STRING}),
    (tuple[int, ...], {"type": "array", "items": INTEGER}),
    (tuple, {"type": "array", "items": {}}),
    (tuple[int, str], {"type": "array", "prefixItems": [INTEGER, STRING], "items": False, "minItems": 2}),
    (set[str], {"type": "array", "items": STRING, "uniqueItems": True}),
    (frozenset[str], {"type": "array", "items": STRING, "uniqueItems": True}),
    (dict, {"type": "object", "additionalProperties": {}}),
    (dict[str, int], {"type": "object", "additionalProperties": INTEGER}),
    (Mapping[str, list[int]], {"type": "object", "additionalProperties": {"type": "array", "items": INTEGER}}),
    (Optional[str], {"anyOf": [STRING, NULL]}),  # noqa: UP045
    (Union[int, str], {"anyOf": [INTEGER, STRING]}),  # noqa: UP007
    (int | str | None, {"anyOf": [INTEGER, STRING, NULL]}),
    (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
    (Literal[1, "a", None, True], {"enum": [1, "a", None, True]}),  # noqa: PYI061
    (Literal[Colour.RED], {"type": "string", "enum": ["red"]}),
    (Colour, {"type": "string", "enum": ["red", "blue"]}),
    (Level, {"type": "integer", "enum": [1, 2]}),
    (Point, POINT),
    (Line, LINE),
    (Options, OPTIONS),
    (Loose, LOOSE),
    (Point | None, {"anyOf": [POINT, NULL]}),
    (Annotated[int, "how many"], INTEGER),
    (UserId, INTEGER),
    (datetime.datetime, {"type": "string", "format": "date-time"}),
    (datetime.date, {"type": "string", "format": "date"}),
    (datetime.time, {"type": "string", "format": "time"}),
    (uuid.UUID, {"type": "string", "format": "uuid"}),
    (Path, STRING),
    (bytes, {"type": "string", "contentEncoding": "base64"}),
]

REFUSED: list[tuple[Any, str]] = [
    (complex, "JSON has no type for complex: use str, int"),
    (list[complex], "JSON has no type for complex"),
    (dict[int, str], "the keys of a JSON object are strings: write dict[str, …], not dict[int, str]"),
    (Literal[b"x"], "JSON has no bytes"),
    (Odd, "the enum Odd needs values that are strings or numbers"),
    (Empty, "the enum Empty needs values"),
    (Tree, "Tree holds itself: use dict[str, Any] for the inner one"),
    (Lost, "in Lost, name 'Nowhere' is not defined: define or import it above"),
    (typing.TypeVar("T"), "JSON has no type for ~T"),
    (typing.Callable[[], int], "JSON has no type for typing.Callable[[], int]"),
    ("str", "JSON has no type for str"),
]


class Schemas(unittest.TestCase):
    def test_every_annotation_has_its_schema(self) -> None:
        for annotation, schema in SCHEMAS:
            with self.subTest(annotation):
                self.assertEqual(kind_of(annotation).schema, schema)

    def test_what_json_cannot_carry_is_refused_with_a_way_out(self) -> None:
        for annotation, message in REFUSED:
            with self.subTest(annotation):
                self.assertRaisesRegex(NoSchemaError, "^" + re.escape(message), kind_of, annotation)

    def test_a_description_is_the_first_text(self) -> None:
        self.assertEqual(describe(Annotated[int, 3, "how many", "x"]), "how many")
        self.assertIsNone(describe(Annotated[int, 3]))
        self.assertIsNone(describe(int))
