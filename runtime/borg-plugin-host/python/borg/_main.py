"""The command: serves a plugin, or says what a source would offer."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from borg import _load as load
from borg._calls import Calls, StuckError
from borg._json import JsonObject
from borg._load import BrokenPluginError
from borg._server import Server, serve
from borg._streams import Writer, claim


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Never returns: threads that do not end must not keep the process."""
    parser = argparse.ArgumentParser(description="Serves the tools of a plugin over MCP on standard input and output.")
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("path", nargs="?", type=Path, metavar="PATH", help="the plugin")
    group.add_argument("--check", metavar="NAME", help="print the tools or the error of the plugin on standard input")
    options = parser.parse_args(arguments)
    source = b"" if options.check is None else sys.stdin.buffer.read()
    incoming, outgoing = claim()
    writer = Writer(outgoing)
    if options.check is None:
        status = run(options.path, incoming, writer)
    else:
        status = 0
        writer.send(check(options.check, source))
    sys.stderr.flush()
    os._exit(status)


def check(name: str, source: bytes) -> JsonObject:
    """The tools of a source, or why it has none."""
    try:
        return {"tools": [tool.listing() for tool in load.load(name, source).tools]}
    except BrokenPluginError as error:
        return {"error": str(error)}


def run(path: Path, incoming: int, writer: Writer) -> int:
    """Serves a plugin until the client closes its end; a broken one answers everything with its error."""
    calls = Calls()
    try:
        plugin: load.Plugin | str = load.load_file(path)
    except BrokenPluginError as error:
        plugin = str(error)
        print(plugin, file=sys.stderr)
    try:
        serve(incoming, Server(plugin, calls, writer.send), calls)
    except StuckError as error:
        print(f"{path}: {error}", file=sys.stderr)
        return 1
    return 0
