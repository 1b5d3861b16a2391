"""A tool: a function, and what clients are told of it."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter
from typing import Any, Union

from borg import _docstring as docstring
from borg import _records as records
from borg._context import Context
from borg._json import JsonObject
from borg._kinds import NoSchemaError, WrongValueError
from borg._records import Field
from borg._types import describe, kind_of, optional

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_NOT_BY_NAME: dict[Any, str] = {
    Parameter.POSITIONAL_ONLY: "can be given by position only: remove the `/`",
    Parameter.VAR_POSITIONAL: "takes any number of values: make it a list, such as `{0}: list[str]`",
    Parameter.VAR_KEYWORD: "takes any names: make it a dict, such as `{0}: dict[str, str]`",
}


@dataclass(frozen=True)
class ToolDefinition:
    """`contexts` are the parameters that the runtime fills in."""

    name: str
    description: str
    hints: JsonObject
    function: Callable[..., Any]
    fields: tuple[Field, ...]
    contexts: tuple[str, ...]

    @property
    def is_async(self) -> bool:
        """Whether the function wants an event loop, or else a thread of its own."""
        return inspect.iscoroutinefunction(self.function)

    @property
    def line(self) -> int:
        """Where the function begins in its file."""
        return _code(self.function).co_firstlineno

    def listing(self) -> JsonObject:
        """The tool as `tools/list` has it."""
        listing = {"name": self.name, "description": self.description, "inputSchema": records.schema(self.fields)}
        return {**listing, "annotations": self.hints} if self.hints else listing

    def read(self, arguments: JsonObject) -> JsonObject:
        """The arguments as the function wants them. Raises WrongValueError, with everything that is wrong."""
        read, wrongs = records.faults(self.fields, arguments, lambda name: f"`{self.name}`: argument {name}")
        if wrongs:
            raise WrongValueError("\n".join(wrongs))
        return read


def define(function: Callable[..., Any], name: str | None, desc: str | None, hints: JsonObject) -> ToolDefinition:
    """Reads name, schema and description off a function.

    Raises a TypeError that names the function, the parameter and the way out.
    """
    code = _code(function)
    name = code.co_name if name is None else name
    if not _NAME.fullmatch(name):
        raise TypeError(f"the tool's name {name!r} must be 1 to 64 letters, digits, `_`, `-` or `.`: give it a `name=`")
    if code.co_flags & (inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR):
        raise TypeError(f"`{name}` yields its results one by one: return a list of them")
    doc = docstring.parse(function.__doc__)
    fields: list[Field] = []
    contexts: list[str] = []
    hinted = _hints(function, name)
    for parameter in inspect.signature(function).parameters.values():
        annotation = hinted.get(parameter.name, Any)
        if _is_context(annotation):
            contexts.append(parameter.name)
            continue
        try:
            fields.append(_field(parameter, annotation, doc.parameters.get(parameter.name)))
        except NoSchemaError as error:
            raise TypeError(f"parameter `{parameter.name}` of `{name}`: {error}") from None
    return ToolDefinition(name, doc.summary if desc is None else desc, hints, function, tuple(fields), tuple(contexts))


def _code(function: Callable[..., Any]) -> types.CodeType:
    inner = inspect.unwrap(function) if callable(function) else function
    if not inspect.isfunction(inner):
        raise TypeError(f"@Tool() stands over a function, not over {function!r}")
    return inner.__code__


def _hints(function: Callable[..., Any], name: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, AttributeError, SyntaxError, TypeError) as error:
        raise TypeError(f"an annotation of `{name}` cannot be read, {error}: define or import its type above") from None


def _field(parameter: Parameter, annotation: Any, documented: str | None) -> Field:
    fault = _NOT_BY_NAME.get(parameter.kind)
    if fault:
        raise NoSchemaError(fault.format(parameter.name))
    kind = kind_of(annotation)
    default = ... if parameter.default is Parameter.empty else parameter.default
    if default is None and annotation is not Any:
        # `name: str = None` is what many write for `name: str | None = None`.
        try:
            kind.read(None, parameter.name)
        except WrongValueError:
            kind = optional(kind)
    return records.field(parameter.name, kind, default=default, description=describe(annotation) or documented)


def _is_context(annotation: Any) -> bool:
    if typing.get_origin(annotation) in (Union, types.UnionType):
        return Context in typing.get_args(annotation)
    return annotation is Context
