"""Objects whose keys are known: the parameters of a function, dataclasses and typed dictionaries."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NotRequired, Required

from borg import _docstring as docstring
from borg import _encode as encode
from borg._json import JsonObject
from borg._kinds import Kind, NoSchemaError, WrongValueError, wrong


@dataclass(frozen=True)
class Field:
    """A key of an object: a parameter, or what a dataclass has."""

    name: str
    kind: Kind
    required: bool
    schema: JsonObject


def field(name: str, kind: Kind, *, default: Any = ..., required: bool = True, description: str | None = None) -> Field:
    """A field, whose default, if any, JSON can carry and the kind accepts. Raises NoSchemaError."""
    schema = dict(kind.schema)
    if description:
        schema["description"] = description
    if default is not ...:
        required = False
        try:
            schema["default"] = encode.value(default, name)
            kind.read(schema["default"], name)
        except encode.NoJsonError:
            pass
        except WrongValueError as error:
            raise NoSchemaError(f"the default does not fit: {error}") from None
    return Field(name, kind, required, schema)


def schema(fields: Iterable[Field]) -> JsonObject:
    """The schema of an object with these keys and no others."""
    fields = list(fields)
    required = [one.name for one in fields if one.required]
    properties = {one.name: one.schema for one in fields}
    head: JsonObject = {"type": "object", "properties": properties}
    return {**head, **({"required": required} if required else {}), "additionalProperties": False}


def faults(fields: Iterable[Field], value: JsonObject, place: Callable[[str], str]) -> tuple[JsonObject, list[str]]:
    """What could be read of an object, and everything that is wrong with it."""
    known = {one.name: one for one in fields}
    read: JsonObject = {}
    wrongs = [f"{place(key)} is not known: there is {_listed(known)}" for key in value if key not in known]
    for name, one in known.items():
        if name in value:
            try:
                read[name] = one.kind.read(value[name], place(name))
            except WrongValueError as error:
                wrongs.append(str(error))
        elif one.required:
            wrongs.append(f"{place(name)} is missing: wanted {one.kind.name}")
    return read, wrongs


def record(annotation: Any, part: Callable[[Any], Kind], describe: Callable[[Any], str | None]) -> Kind:
    """The kind of a dataclass or a TypedDict."""
    fields = list(_fields(annotation, part, describe))
    name = f"an object ({annotation.__name__})"

    def read(value: Any, place: str) -> Any:
        if not isinstance(value, dict):
            raise wrong(place, name, value)
        members, wrongs = faults(fields, value, lambda key: f"{place}.{key}")
        if wrongs:
            raise WrongValueError("\n".join(wrongs))
        try:
            return annotation(**members)
        except (TypeError, ValueError) as error:
            # A dataclass may check its values itself, in __post_init__.
            raise WrongValueError(f"{place}: {error}") from error

    return Kind(name, schema(fields), read)


def _fields(annotation: Any, part: Callable[[Any], Kind], describe: Callable[[Any], str | None]) -> Iterable[Field]:
    try:
        hints = typing.get_type_hints(annotation, include_extras=True)
    except NameError as error:
        raise NoSchemaError(f"in {annotation.__name__}, {error}: define or import it above") from None
    documented = docstring.parse(annotation.__doc__).parameters
    if typing.is_typeddict(annotation):
        for name, hint in hints.items():
            required, inner = _presence(hint, required=name in annotation.__required_keys__)
            yield field(name, part(inner), required=required, description=describe(inner) or documented.get(name))
        return
    for one in dataclasses.fields(annotation):
        if one.init:
            hint = hints[one.name]
            description = describe(hint) or documented.get(one.name)
            yield field(one.name, part(hint), default=_default(one), description=description)


def _presence(hint: Any, *, required: bool) -> tuple[bool, Any]:
    origin = typing.get_origin(hint)
    if origin in (Required, NotRequired):
        return origin is Required, typing.get_args(hint)[0]
    return required, hint


def _default(one: dataclasses.Field[Any]) -> Any:
    if one.default is not dataclasses.MISSING:
        return one.default
    return ... if one.default_factory is dataclasses.MISSING else one.default_factory()


def _listed(known: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in known) or "none"
