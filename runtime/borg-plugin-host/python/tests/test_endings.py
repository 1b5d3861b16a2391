"""Functions that end in other ways than by returning."""

from __future__ import annotations

import unittest

from tests.running import Local


class Ending(unittest.TestCase):
    """Whatever a function does, its call is answered, and the next one too."""

    SOURCE = """
        import asyncio, sys

        @Tool()
        def leave(): sys.exit(3)

        @Tool()
        async def leave_async(): sys.exit(3)

        @Tool()
        async def interrupt(): raise KeyboardInterrupt

        @Tool()
        async def cancel_itself(): raise asyncio.CancelledError("by itself")

        @Tool()
        async def leave_a_bomb():
            async def bomb(): sys.exit(4)
            asyncio.get_running_loop().create_task(bomb())
            await asyncio.sleep(0)

        @Tool()
        def coroutine(): return asyncio.sleep(0)

        @Tool()
        async def nested():
            return await asyncio.create_task(asyncio.to_thread(lambda: "done"))
    """

    def test_endings(self) -> None:
        endings = {
            "leave": "SystemExit: 3\n  plugin.py, line",
            "leave_async": "SystemExit: 3\n  plugin.py, line",
            "interrupt": "KeyboardInterrupt\n  plugin.py, line",
            "cancel_itself": "CancelledError: by itself\n  plugin.py, line",
            "coroutine": "the result of `coroutine` is of the type coroutine",
            "leave_a_bomb": "",
            "nested": "done",
        }
        local = Local(self.SOURCE)
        for tool, text in endings.items():
            with self.subTest(tool):
                content = local.answer("tools/call", {"name": tool})["result"]["content"]
                self.assertTrue("".join(one["text"] for one in content).startswith(text), content)
