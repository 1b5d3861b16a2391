"""Plugins under test: as a process that is spoken to over pipes, and in this process."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path
from typing import Any, Self

from borg._calls import Calls, Limits
from borg._json import JsonObject
from borg._load import Plugin, load
from borg._server import Server

PROGRAM = Path(__file__).resolve().parent.parent / "borg_run.py"
HEADER = "from borg.plugin import Context, Tool\n"
# Far beyond what anything here takes, so that only a fault runs into it.
PATIENCE = 30


def plugin(source: str, file: str = "plugin.py") -> Plugin:
    """A plugin from its source without the imports."""
    return load(file, (HEADER + textwrap.dedent(source)).encode())


def check(source: str, name: str = "hello.py") -> JsonObject:
    """What `--check` prints, which is one line."""
    command = [sys.executable, "-I", str(PROGRAM), "--check", name]
    done = subprocess.run(command, input=source.encode(), capture_output=True, timeout=PATIENCE, check=True)
    (line,) = done.stdout.splitlines()
    found: JsonObject = json.loads(line)
    return found


class Process:
    """A plugin as the host starts it."""

    def __init__(self, source: str, name: str = "hello.py") -> None:
        self._folder = tempfile.TemporaryDirectory()
        path = Path(self._folder.name) / name
        path.write_text(HEADER + textwrap.dedent(source))
        self.pipes = subprocess.Popen(
            [sys.executable, "-I", str(PROGRAM), str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._watch = threading.Timer(PATIENCE, self.pipes.kill)
        self._watch.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.cancel()
        self.pipes.kill()
        self.pipes.communicate()
        self._folder.cleanup()

    def write(self, line: bytes) -> None:
        """One line, whatever is in it."""
        assert self.pipes.stdin
        self.pipes.stdin.write(line + b"\n")
        self.pipes.stdin.flush()

    def send(self, method: str, number: int | None = None, **params: Any) -> None:
        """A request, or a notification without a number."""
        message: JsonObject = {"jsonrpc": "2.0", "method": method, "params": params}
        self.write(json.dumps(message if number is None else {**message, "id": number}).encode())

    def call(self, tool: str, number: int = 1, **arguments: Any) -> None:
        """A call, to be answered later."""
        self.send("tools/call", number, name=tool, arguments=arguments)

    def read(self) -> JsonObject:
        """The next message."""
        assert self.pipes.stdout
        line = self.pipes.stdout.readline()
        assert line.endswith(b"\n"), f"the plugin ended with {line!r}"
        message: JsonObject = json.loads(line)
        return message

    def text(self) -> str:
        """The text of the next message, which is a result."""
        (content,) = self.read()["result"]["content"]
        text: str = content["text"]
        return text

    def end(self) -> tuple[bytes, str]:
        """Closes this end: what else the plugin wrote, and what it printed."""
        out, err = self.pipes.communicate(timeout=PATIENCE)
        return out, err.decode()


class Local:
    """A server in this process."""

    def __init__(self, source: str, limits: Limits | None = None) -> None:
        self.sent: list[JsonObject] = []
        self.now = 0.0
        self.calls = Calls(limits, lambda: self.now)
        self.plugin = plugin(source)
        self.server = Server(self.plugin, self.calls, self.sent.append)

    def ask(self, method: str, params: JsonObject | None = None, number: Any = 1) -> None:
        """Sends a request."""
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}}
        self.server.take(json.dumps(message).encode())

    def call(self, tool: str, number: Any = 1, **arguments: Any) -> None:
        """Sends a call."""
        self.ask("tools/call", {"name": tool, "arguments": arguments}, number)

    def answer(self, method: str, params: JsonObject | None = None) -> JsonObject:
        """What a request is answered with."""
        self.sent.clear()
        self.ask(method, params)
        self.calls.drain()
        (message,) = self.sent
        return message
