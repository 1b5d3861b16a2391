"""Calls side by side, cancelled, out of time, and stuck."""

from __future__ import annotations

import sys
import threading
import time
import unittest
from collections.abc import Callable

from borg._calls import Call, Limits, StuckError
from borg._context import Context
from borg._json import JsonObject
from tests.running import PATIENCE, Local

SLOW = """
    import asyncio, threading

    entered, go, left = threading.Semaphore(0), threading.Event(), threading.Semaphore(0)

    @Tool()
    def stubborn():
        entered.release()
        go.wait()
        left.release()

    @Tool()
    def polite(ctx: Context):
        entered.release()
        while not ctx.cancelled:
            go.wait(0.01)
        left.release()

    @Tool()
    async def sleeper():
        entered.release()
        try:
            await asyncio.sleep(1000)
        finally:
            left.release()

    @Tool()
    async def deaf():
        entered.release()
        while not go.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                left.release()
        return "heard"

    @Tool()
    def quick():
        return "done"

    @Tool()
    async def report(ctx: Context, by: int = 1):
        for step in range(3):
            ctx.progress(step, 2, f"step {step}")
        return "done"
"""


def until(condition: Callable[[], bool]) -> None:
    """Waits for what happens in another thread."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("it did not happen")
        time.sleep(0.002)


class Running(unittest.TestCase):
    def local(self, limits: Limits | None = None) -> Local:
        local = Local(SLOW, limits)
        names = vars(sys.modules["borg_plugin_plugin"])
        self.entered: threading.Semaphore = names["entered"]
        self.left: threading.Semaphore = names["left"]
        self.go: threading.Event = names["go"]
        self.addCleanup(self.go.set)
        return local

    def enter(self, times: int = 1) -> None:
        for _ in range(times):
            self.assertTrue(self.entered.acquire(timeout=PATIENCE))

    def texts(self, local: Local) -> dict[object, str]:
        return {one["id"]: one["result"]["content"][0]["text"] for one in local.sent}

    def test_a_quick_call_passes_slow_ones(self) -> None:
        local = self.local()
        local.call("stubborn", 1)
        local.call("sleeper", 2)
        self.enter(2)
        local.call("quick", 3)
        until(lambda: bool(local.sent))
        self.assertEqual(self.texts(local), {3: "done"})

    def test_a_cancelled_call_gets_no_answer(self) -> None:
        for tool in ("polite", "sleeper"):
            with self.subTest(tool):
                local = self.local()
                local.call(tool, "a")
                self.enter()
                local.server.take(b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}')
                self.assertTrue(self.left.acquire(timeout=PATIENCE))
                local.call("quick", "b")
                local.calls.drain()
                self.assertEqual(self.texts(local), {"b": "done"})

    def test_a_coroutine_that_does_not_listen_answers_no_other_call(self) -> None:
        local = self.local()
        local.call("deaf", 1)
        self.enter()
        deaf = local.calls._open[1]
        local.calls.cancel(1)
        self.assertTrue(self.left.acquire(timeout=PATIENCE))
        local.call("sleeper", 1)
        self.enter()
        self.go.set()
        until(lambda: not deaf.is_running)
        local.call("quick", 2)
        until(lambda: bool(local.sent))
        self.assertEqual(self.texts(local), {2: "done"})

    def test_a_function_is_not_begun_after_its_call_was_cancelled(self) -> None:
        local = self.local()
        (stubborn,) = (tool for tool in local.plugin.tools if tool.name == "stubborn")
        context = Context()
        context._end()
        local.calls._run_sync(Call(1, stubborn, "plugin.py", {}, context, self.fail))
        self.assertFalse(self.entered.acquire(blocking=False))

    def test_a_call_that_waits_can_be_cancelled(self) -> None:
        local = self.local(Limits(running=1))
        local.call("stubborn", 1)
        self.enter()
        local.call("quick", 2)
        local.calls.cancel(2)
        self.go.set()
        local.calls.drain()
        self.assertEqual([one["id"] for one in local.sent], [1])

    def test_time_is_limited(self) -> None:
        for tool in ("stubborn", "polite", "sleeper"):
            with self.subTest(tool):
                local = self.local()
                local.call(tool)
                self.enter()
                self.assertEqual(local.calls.expire(), 60)
                local.now += 60
                local.calls.drain()
                said = f"`{tool}` did not end within 60 s, the most that a call may take"
                self.assertEqual(self.texts(local), {1: said})
                self.assertTrue(local.sent[0]["result"]["isError"])

    def test_calls_are_limited(self) -> None:
        local = self.local(Limits(open=3, running=2))
        for number in range(5):
            local.call("stubborn", number)
        self.enter(2)
        self.assertFalse(self.entered.acquire(blocking=False))
        refused = {one["id"]: one["error"]["message"] for one in local.sent}
        self.assertEqual(refused, dict.fromkeys((3, 4), "3 calls are open: wait until one is answered"))
        self.go.set()
        local.calls.drain()
        self.assertEqual(sorted(one["id"] for one in local.sent if "result" in one), [0, 1, 2])

    def test_coroutines_are_limited_too(self) -> None:
        local = self.local(Limits(running=2))
        for number in range(3):
            local.call("sleeper", number)
        self.enter(2)
        self.assertFalse(self.entered.acquire(timeout=0.05))
        local.calls.cancel(0)
        self.enter()

    def test_an_id_is_used_once_at_a_time(self) -> None:
        local = self.local()
        local.call("stubborn", 1)
        local.call("quick", 1)
        self.assertEqual(local.sent[0]["error"]["message"], "the id 1 is that of a call which is not answered yet")
        self.go.set()
        local.calls.drain()
        local.call("quick", 1)
        local.calls.drain()
        self.assertEqual(len(local.sent), 3)

    def test_a_function_that_never_ends_ends_the_plugin(self) -> None:
        local = self.local()
        local.call("stubborn", 1)
        self.enter()
        local.calls.cancel(1)
        self.assertEqual(local.calls.expire(), 10)
        local.now += 10
        said = "^still running 10 s after .* out of time: `stubborn`$"
        self.assertRaisesRegex(StuckError, said, local.calls.expire)

    def test_it_does_not_as_long_as_others_work(self) -> None:
        local = self.local()
        local.call("stubborn", 1)
        local.call("polite", 2)
        self.enter(2)
        local.calls.cancel(1)
        local.now += 30
        self.assertEqual(local.calls.expire(), 10)
        local.calls.cancel(2)
        self.assertRaises(StuckError, local.calls.expire)

    def test_it_does_when_they_take_all_the_room(self) -> None:
        local = self.local(Limits(running=2))
        for number in range(3):
            local.call("stubborn", number)
        self.enter(2)
        local.calls.cancel(0)
        self.assertEqual(local.calls.expire(), 10)
        local.calls.cancel(1)
        local.now += 10
        self.assertRaisesRegex(StuckError, "`stubborn`", local.calls.expire)

    def test_one_that_does_end_is_forgotten(self) -> None:
        local = self.local()
        local.call("stubborn", 1)
        self.enter()
        local.calls.cancel(1)
        self.go.set()
        until(lambda: local.calls.expire() is None)
        local.now += 100
        self.assertIsNone(local.calls.expire())


class Reports(unittest.TestCase):
    def sent(self, meta: JsonObject) -> list[JsonObject]:
        local = Local(SLOW)
        local.ask("tools/call", {"name": "report", "_meta": meta})
        local.calls.drain()
        return local.sent

    def test_they_carry_the_client_s_token(self) -> None:
        for token in ("t", 7, 0):
            *reports, answer = self.sent({"progressToken": token})
            self.assertEqual(answer["id"], 1)
            self.assertEqual({one["method"] for one in reports}, {"notifications/progress"})
            params = [{"progressToken": token, "progress": n, "total": 2, "message": f"step {n}"} for n in range(3)]
            self.assertEqual([one["params"] for one in reports], params)

    def test_without_a_token_there_are_none(self) -> None:
        for meta in ({}, {"progressToken": None}, {"progressToken": True}, {"progressToken": [1]}):
            self.assertEqual(len(self.sent(meta)), 1)
