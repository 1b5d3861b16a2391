"""Runs a plugin's source and finds its tools."""

from __future__ import annotations

import importlib.abc
import importlib.util
import linecache
import re
import sys
import types
from dataclasses import dataclass
from pathlib import Path

from borg import _decorator as decorator
from borg._faults import own_traceback
from borg._tool import ToolDefinition


@dataclass(frozen=True)
class Plugin:
    """`file` is the name by which tracebacks know the source."""

    name: str
    file: str
    tools: tuple[ToolDefinition, ...]

    def tool(self, name: object) -> ToolDefinition | None:
        """The tool of that name."""
        return next((tool for tool in self.tools if tool.name == name), None)


class BrokenPluginError(Exception):
    """A plugin that cannot be used; the message is for its author: mostly Python's traceback."""


def load_file(path: Path) -> Plugin:
    """The plugin in a file. Raises BrokenPluginError."""
    try:
        source = path.read_bytes()
    except OSError as error:
        raise BrokenPluginError(f"the plugin {path} cannot be read: {error.strerror}") from None
    return load(str(path), source)


def load(file: str, source: bytes) -> Plugin:
    """The plugin in a source; its module runs. Raises BrokenPluginError."""
    name = Path(file).stem
    # A plugin may be called json.py, and still import the library's json.
    loader = _Loader(f"borg_plugin_{re.sub(r'[^A-Za-z0-9_]', '_', name)}", file, source)
    module = loader.new_module()
    linecache.clearcache()
    try:
        loader.exec_module(module)
    except BaseException as error:
        # A plugin that calls sys.exit() is as broken as any other.
        raise BrokenPluginError(own_traceback(error, file)) from error
    finally:
        tools = decorator.take(module.__name__)
    if not tools:
        raise BrokenPluginError(f"{file} has no tool: import Tool from borg.plugin and write `@Tool()` over a function")
    return Plugin(name, file, tuple(tools))


class _Loader(importlib.abc.SourceLoader):
    """Import's own machinery over a source in memory, so that tracebacks show its lines."""

    def __init__(self, module: str, file: str, source: bytes) -> None:
        self._module = module
        self._file = file
        self._source = source

    def get_filename(self, fullname: str) -> str:  # noqa: ARG002
        return self._file

    def get_data(self, path: str) -> bytes:
        # Import asks for compiled files too, and there are none.
        if path != self._file:
            raise FileNotFoundError(path)
        return self._source

    def new_module(self) -> types.ModuleType:
        """An empty module that can be imported by its name, which dataclasses and pickle rely on."""
        spec = importlib.util.spec_from_loader(self._module, self)
        if spec is None:
            raise BrokenPluginError(f"{self._file} cannot be loaded as a module")
        spec.origin, spec.has_location = self._file, True
        module = importlib.util.module_from_spec(spec)
        sys.modules[self._module] = module
        return module
