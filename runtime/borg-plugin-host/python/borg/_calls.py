"""The calls that run: functions in threads, coroutines in one event loop, neither in the way of the protocol.

A call is *open* until it is answered, cancelled or out of time. One that is not open any more but whose function goes
on is *held*: Python cannot end a thread.
"""

from __future__ import annotations

import asyncio
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from borg import _results as results
from borg._context import Context
from borg._json import JsonObject
from borg._protocol import RequestId
from borg._tool import ToolDefinition


@dataclass(frozen=True)
class Limits:
    """`open` calls may wait or run, `running` of them at once, each for `seconds`; `grace` more are for its end."""

    open: int = 64
    running: int = 16
    seconds: float = 60
    grace: float = 10


@dataclass(eq=False)
class Call:
    """One call; `answer` is used once or never."""

    id: RequestId
    tool: ToolDefinition
    file: str
    arguments: JsonObject
    context: Context
    answer: Callable[[JsonObject], None]
    ends: float = 0.0
    is_running: bool = False
    future: Future[None] | None = None


class StuckError(Exception):
    """Functions go on though nobody waits for them, and only the end of the process ends them."""


class Calls:
    """All calls of a plugin."""

    def __init__(self, limits: Limits | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits or Limits()
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[RequestId, Call] = {}
        self._held: list[tuple[float, Call]] = []
        self._threads = ThreadPoolExecutor(self._limits.running, "tool")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._slots = asyncio.Semaphore(self._limits.running)

    def start(self, call: Call) -> str | None:
        """Runs a call as soon as there is room; else says why not."""
        with self._lock:
            if call.id in self._open:
                return f"the id {call.id!r} is that of a call which is not answered yet"
            if len(self._open) >= self._limits.open:
                return f"{self._limits.open} calls are open: wait until one is answered"
            call.ends = self._clock() + self._limits.seconds
            self._open[call.id] = call
        if call.tool.is_async:
            call.future = asyncio.run_coroutine_threadsafe(self._run_async(call), self._event_loop())
        else:
            call.future = self._threads.submit(self._run_sync, call)
        return None

    def cancel(self, number: RequestId) -> None:
        """Stops a call, if it is open; it gets no answer."""
        with self._lock:
            call = self._open.pop(number, None)
        if call:
            self._stop(call)

    def expire(self) -> float | None:
        """Ends calls whose time is over; gives the seconds until this should be asked again.

        Raises StuckError.
        """
        now = self._clock()
        with self._lock:
            over = [call for call in self._open.values() if call.ends <= now]
        for call in over:
            fault = f"`{call.tool.name}` did not end within {self._limits.seconds:g} s, the most that a call may take"
            self._end(call, results.fault(fault))
            self._stop(call)
        self._held = [(since, call) for since, call in self._held if call.is_running]
        with self._lock:
            times = [call.ends - now for call in self._open.values()]
        self._look_for_stuck(now, is_idle=not times)
        if self._held:
            times.append(self._limits.grace)
        return max(0.0, min(times)) if times else None

    def _look_for_stuck(self, now: float, *, is_idle: bool) -> None:
        stuck = [call for since, call in self._held if now - since >= self._limits.grace]
        if stuck and (is_idle or len(stuck) >= self._limits.running):
            names = ", ".join(sorted({f"`{call.tool.name}`" for call in stuck}))
            seconds = f"{self._limits.grace:g} s"
            raise StuckError(f"still running {seconds} after the call was cancelled or out of time: {names}")

    def drain(self) -> None:
        """Waits until no call is open."""
        while True:
            pause = self.expire()
            with self._lock:
                futures = [call.future for call in self._open.values() if call.future]
            if not futures:
                return
            wait(futures, pause)

    def _stop(self, call: Call) -> None:
        call.context._end()
        if call.future:
            call.future.cancel()
        if call.is_running:
            self._held.append((self._clock(), call))

    def _end(self, call: Call, result: JsonObject) -> None:
        with self._lock:
            is_open = self._open.get(call.id) is call
            if is_open:
                del self._open[call.id]
        if is_open:
            call.context._end()
            call.answer(result)

    def _run_sync(self, call: Call) -> None:
        # In this order: whoever cancels it now sees that it runs, or this sees that it is cancelled.
        call.is_running = True
        try:
            if call.context.cancelled:
                return
            result = results.returned(call.tool.name, call.tool.function(**call.arguments))
        except BaseException as error:
            result = _raised(call, error)
        finally:
            call.is_running = False
        self._end(call, result)

    async def _run_async(self, call: Call) -> None:
        async with self._slots:
            call.is_running = True
            try:
                result = results.returned(call.tool.name, await call.tool.function(**call.arguments))
            except BaseException as error:
                # Whoever cancelled the call is not waiting; a plugin that cancels itself is answered like any other.
                result = _raised(call, error)
            finally:
                call.is_running = False
        self._end(call, result)

    def _event_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=_run_forever, args=(self._loop,), name="event loop", daemon=True).start()
        return self._loop


def _raised(call: Call, error: BaseException) -> JsonObject:
    if not call.context.cancelled:
        traceback.print_exception(error)
    return results.raised(error, call.file)


def _run_forever(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    while True:
        try:
            loop.run_forever()
        except BaseException:
            # sys.exit() in a task that the plugin started: its other calls go on.
            traceback.print_exc()
