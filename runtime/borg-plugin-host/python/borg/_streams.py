"""The two ends of the connection."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator

from borg import _json
from borg._json import LINE_LIMIT, JsonObject


def claim() -> tuple[int, int]:
    """Takes standard input and output away from the plugin: descriptors to read from and to write to.

    What the plugin, or a program that it starts, prints goes to standard error, and what it reads is empty.
    """
    source, sink = os.dup(0), os.dup(1)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    for descriptor in (source, sink):
        os.set_blocking(descriptor, True)
    return source, sink


class Lines:
    """Cuts what comes in into lines, and holds no more than one line of the longest kind."""

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._held = bytearray()
        self._too_long = False

    def feed(self, data: bytes) -> Iterator[bytes | None]:
        """The lines that end in this piece; None stands for one that was too long."""
        *whole, rest = data.split(b"\n")
        for part in whole:
            self._add(part)
            yield self._take()
        self._add(rest)

    def rest(self) -> Iterator[bytes | None]:
        """The last line, which had no end."""
        if self._held or self._too_long:
            yield self._take()

    def _add(self, part: bytes) -> None:
        self._too_long = self._too_long or len(self._held) + len(part) > self._limit
        if self._too_long:
            self._held.clear()
        else:
            self._held += part

    def _take(self) -> bytes | None:
        line = None if self._too_long else bytes(self._held)
        self._held.clear()
        self._too_long = False
        return line


class Writer:
    """Writes messages whole, one a line, from any thread."""

    def __init__(self, sink: int) -> None:
        self._sink = sink
        self._lock = threading.Lock()

    def send(self, message: JsonObject) -> None:
        """Waits as long as the client does not read."""
        line = memoryview(_json.write(message) + b"\n")
        with self._lock:
            try:
                while line:
                    line = line[os.write(self._sink, line) :]
            except OSError:
                # Nobody is left to answer, and nobody may be left to kill a thread that goes on.
                os._exit(0)
