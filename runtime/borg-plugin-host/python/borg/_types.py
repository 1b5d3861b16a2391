"""From an annotation to its kind."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections import abc
from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any, Literal, NewType, Union

from borg import _containers as containers
from borg import _records as records
from borg._kinds import NULL, PLAIN, Kind, NoSchemaError, choice, enumeration, wrong

# Types that JSON has no word for, but that mean no more than another does.
_SAME: dict[Any, Any] = {abc.Sequence: list, abc.Iterable: list, abc.Collection: list, abc.Mapping: dict, abc.Set: set}
_WAY_OUT = "use str, int, float, bool, list, dict, Literal, Enum, a dataclass or a TypedDict, or Any"


def kind_of(annotation: Any, above: tuple[Any, ...] = ()) -> Kind:
    """The kind of an annotation whose names are resolved.

    `above` are the records that it is a part of. Raises NoSchemaError.
    """
    annotation = _unwrap(annotation)
    if isinstance(annotation, abc.Hashable) and annotation in PLAIN:
        return PLAIN[annotation]

    def part(inner: Any) -> Kind:
        return kind_of(inner, above)

    return _by_origin(annotation, part) or _by_class(annotation, above) or _refuse(annotation)


def describe(annotation: Any) -> str | None:
    """The text in `Annotated[…, "text"]`."""
    if typing.get_origin(annotation) is Annotated:
        return next((text for text in annotation.__metadata__ if isinstance(text, str)), None)
    return None


def optional(kind: Kind) -> Kind:
    """The kind, or null."""
    return _union([kind, NULL])


def _unwrap(annotation: Any) -> Any:
    while True:
        if typing.get_origin(annotation) is Annotated:
            annotation = annotation.__origin__
        elif isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":  # typing has it since Python 3.12
            annotation = annotation.__value__
        else:
            return annotation


def _by_origin(annotation: Any, part: Callable[[Any], Kind]) -> Kind | None:
    origin = typing.get_origin(annotation) or annotation
    origin = _SAME.get(origin, origin) if isinstance(origin, abc.Hashable) else origin
    arguments = typing.get_args(annotation)
    if origin in (Union, types.UnionType):
        return _union([part(member) for member in arguments])
    if origin is Literal:
        return _literal(arguments)
    if origin in (list, set, frozenset):
        return containers.several(origin, part(arguments[0] if arguments else Any))
    if origin is tuple:
        return _tuple(arguments, part)
    if origin is dict:
        key, value = arguments or (str, Any)
        if _unwrap(key) is not str:
            raise NoSchemaError(f"the keys of a JSON object are strings: write dict[str, …], not {_name(annotation)}")
        return containers.mapping(part(value))
    return None


def _by_class(annotation: Any, above: tuple[Any, ...]) -> Kind | None:
    if not isinstance(annotation, type):
        return None
    if issubclass(annotation, Enum):
        return enumeration(annotation)
    is_record = dataclasses.is_dataclass(annotation) or typing.is_typeddict(annotation)
    if not is_record:
        return None
    if annotation in above:
        raise NoSchemaError(f"{annotation.__name__} holds itself: use dict[str, Any] for the inner one")

    def part(inner: Any) -> Kind:
        return kind_of(inner, (*above, annotation))

    return records.record(annotation, part, describe)


def _tuple(arguments: tuple[Any, ...], part: Callable[[Any], Kind]) -> Kind:
    if not arguments:
        return containers.several(tuple, part(Any))
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return containers.several(tuple, part(arguments[0]))
    return containers.row([part(member) for member in arguments])


def _literal(values: tuple[Any, ...]) -> Kind:
    plain = [value.value if isinstance(value, Enum) else value for value in values]
    if not all(value is None or type(value) in (str, int, bool) for value in plain):
        raise NoSchemaError("JSON has no bytes: write strings or numbers in Literal[…]")
    return choice(plain, values)


def _union(members: list[Kind]) -> Kind:
    wanted = " or ".join(member.name for member in members)
    solid = [member for member in members if member is not NULL]

    def read(value: Any, place: str) -> Any:
        for member in members:
            try:
                return member.read(value, place)
            except ValueError:
                # Of `Point | None`, what is wrong within the point says more than that it is none.
                if len(solid) == 1 and member in solid and isinstance(value, (list, dict)):
                    raise
        raise wrong(place, wanted, value)

    return Kind(wanted, {"anyOf": [member.schema for member in members]}, read)


def _name(annotation: Any) -> str:
    is_plain = isinstance(annotation, type) and not typing.get_args(annotation)
    return annotation.__qualname__ if is_plain else str(annotation)


def _refuse(annotation: Any) -> Kind:
    raise NoSchemaError(f"JSON has no type for {_name(annotation)}: {_WAY_OUT}")
