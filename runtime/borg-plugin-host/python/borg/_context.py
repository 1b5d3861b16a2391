"""What a tool may know of the call that it is in."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from math import inf, isfinite

from borg._json import JsonObject


class Context:
    """The call that a tool is in.

    A parameter with this annotation is filled in by the runtime, and the client never sees it. In a test of your own,
    `Context()` does: it sends nothing.
    """

    def __init__(self, notify: Callable[[JsonObject], None] | None = None) -> None:
        """`notify` sends one progress report; None when the client did not ask for any."""
        self._notify = notify
        self._reached = -inf
        self._cancelled = threading.Event()

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the result any more: a function that works long should look, and return."""
        return self._cancelled.is_set()

    def progress(self, done: float, total: float | None = None, message: str | None = None) -> None:
        """Tells the client how far the call is. A report that is not further than the one before is not sent."""
        for number in (done, total):
            if number is not None and not _is_number(number):
                raise TypeError(f"progress wants numbers, not {number!r}")
        if self._notify is None or self.cancelled or done <= self._reached:
            return
        self._reached = done
        report: JsonObject = {"progress": done, "total": total, "message": message}
        self._notify({key: value for key, value in report.items() if value is not None})

    def log(self, text: str) -> None:
        """A line for the device's journal."""
        print(text, file=sys.stderr, flush=True)

    def _end(self) -> None:
        """From here on nothing is sent, and the function is asked to stop."""
        self._cancelled.set()


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)
