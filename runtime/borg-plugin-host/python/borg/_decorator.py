"""`@Tool()`, and the list of what it was put on."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from borg._tool import ToolDefinition, define

Function = TypeVar("Function", bound=Callable[..., Any])

# By the module in which the decorator stands: what a plugin imports from elsewhere is not its own.
_registered: dict[str, list[ToolDefinition]] = {}


class Tool:
    """Makes the function below it a tool that MCP clients can call.

    The function, sync or async, stays as it is. Its annotations become the schema of its arguments, and its docstring
    describes it and them.
    """

    def __init__(
        self,
        name: str | None = None,
        desc: str | None = None,
        *,
        read_only: bool | None = None,
        destructive: bool | None = None,
        idempotent: bool | None = None,
        open_world: bool | None = None,
    ) -> None:
        """`name` and `desc` are the function's name and docstring unless given.

        The others are MCP's hints to clients: it changes nothing; it may overwrite or delete; calling it again changes
        nothing more; it deals with things outside of this device.
        """
        for word, given in (("name", name), ("desc", desc)):
            if callable(given):
                raise TypeError(f"write `@Tool()` with parentheses over `{getattr(given, '__name__', given)}`")
            if given is not None and not isinstance(given, str):
                raise TypeError(f"the `{word}` of a tool is a text, not {given!r}")
        self._name = name
        self._desc = desc
        hints = {
            "readOnlyHint": read_only,
            "destructiveHint": destructive,
            "idempotentHint": idempotent,
            "openWorldHint": open_world,
        }
        self._hints = {hint: bool(given) for hint, given in hints.items() if given is not None}

    def __call__(self, function: Function) -> Function:
        """Registers the function. Raises a TypeError that says what is wrong with it."""
        tool = define(function, self._name, self._desc, self._hints)
        frame = inspect.currentframe()
        module = frame.f_back.f_globals.get("__name__", "") if frame and frame.f_back else ""
        tools = _registered.setdefault(module, [])
        for other in tools:
            if other.name == tool.name:
                raise TypeError(
                    f"two functions are the tool `{tool.name}`, in lines {other.line} and {tool.line}: "
                    "give one of them another `name=`"
                )
        tools.append(tool)
        return function


def take(module: str) -> list[ToolDefinition]:
    """The tools that were registered in a module, in their order; they are forgotten here."""
    return _registered.pop(module, [])
