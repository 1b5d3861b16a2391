"""The program over pipes, as the host starts it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import unittest
from pathlib import Path

from borg._json import LINE_LIMIT
from tests.running import PATIENCE, PROGRAM, Process, check

HELLO = """
@Tool(name="hello", desc="Say hi")
async def hello(name: str = "world"):
    return f"Hello {name}!"
"""


class Serving(unittest.TestCase):
    def test_the_smallest_plugin(self) -> None:
        with Process(HELLO) as hello:
            hello.send("initialize", 1, protocolVersion="2025-06-18", capabilities={}, clientInfo={})
            self.assertEqual(hello.read()["result"]["serverInfo"]["name"], "hello")
            hello.send("notifications/initialized")
            hello.send("tools/list", 2)
            self.assertEqual([tool["name"] for tool in hello.read()["result"]["tools"]], ["hello"])
            hello.call("hello", 3, name="you")
            self.assertEqual(hello.text(), "Hello you!")
            self.assertEqual(hello.end(), (b"", ""))
            self.assertEqual(hello.pipes.returncode, 0)

    def test_nothing_that_a_plugin_prints_reaches_the_client(self) -> None:
        source = """
            import os, subprocess, sys

            print("at import")

            @Tool()
            def noisy(ctx: Context):
                print("print")
                sys.stdout.buffer.write(b"buffer\\n")
                sys.stdout.buffer.flush()
                sys.__stdout__.write("original\\n")
                sys.__stdout__.flush()
                os.write(1, b"descriptor\\n")
                subprocess.run(["echo", "child"], check=True)
                ctx.log("log")
                return sys.stdin.read() + "nothing"
        """
        with Process(source) as noisy:
            noisy.call("noisy")
            self.assertEqual(noisy.text(), "nothing")
            out, err = noisy.end()
        self.assertEqual(out, b"")
        for word in ("at import", "print", "buffer", "original", "descriptor", "child", "log"):
            self.assertIn(f"{word}\n", err)

    def test_a_traceback_goes_to_the_journal_and_the_line_to_the_client(self) -> None:
        with Process("import json\n@Tool()\ndef f():\n    json.loads('{')") as f:
            f.call("f")
            text = f.text()
            _, err = f.end()
        self.assertRegex(text, r"^JSONDecodeError: .*\n  hello.py, line 5: json.loads\('\{'\)$")
        self.assertNotIn("Traceback", text)
        self.assertIn("Traceback", err)
        self.assertIn("decoder.py", err)

    def test_a_broken_plugin_answers_everything_with_its_error(self) -> None:
        with Process("def f(:\n") as broken:
            for number, method in enumerate(("initialize", "server/discover", "tools/list", "x")):
                broken.send(method, number)
                answer = broken.read()
                self.assertEqual((answer["id"], answer["error"]["code"]), (number, -32000))
                self.assertRegex(answer["error"]["message"], r'(?s)^  File ".*hello.py", line 2\n.*SyntaxError')
            broken.send("notifications/initialized")
            broken.write(b"x")
            self.assertEqual(broken.read()["error"]["code"], -32700)
            broken.end()

    def test_calls_that_are_open_are_answered_after_the_client_closed(self) -> None:
        with Process("import time\n@Tool()\ndef f():\n    time.sleep(0.2)\n    return 'late'") as f:
            f.call("f")
            out, _ = f.end()
        self.assertEqual(json.loads(out)["result"]["content"][0]["text"], "late")

    def test_a_coroutine_that_blocks_does_not_block_the_protocol(self) -> None:
        with Process("import time\n@Tool()\nasync def f():\n    time.sleep(1000)") as f:
            f.call("f", 1)
            f.send("ping", 2)
            self.assertEqual(f.read()["id"], 2)

    def test_threads_that_do_not_end_do_not_keep_it(self) -> None:
        source = "import threading\nthreading.Thread(target=threading.Event().wait).start()\n@Tool()\ndef f(): pass"
        with Process(source) as f:
            f.end()
            self.assertEqual(f.pipes.returncode, 0)

    def test_it_ends_when_the_client_does_not_read_any_more(self) -> None:
        with Process("@Tool()\ndef f():\n    return 'x' * 4_000_000") as f:
            f.call("f")
            assert f.pipes.stdout
            f.pipes.stdout.read(1)
            f.pipes.stdout.close()
            self.assertEqual(f.pipes.wait(PATIENCE), 0)

    def test_answers_that_are_written_at_once_stay_whole(self) -> None:
        with Process("@Tool()\ndef f(n: int):\n    return str(n) * 500_000") as f:
            for number in range(8):
                f.call("f", number, n=number)
            time.sleep(0.2)
            found = {one["id"]: one["result"]["content"][0]["text"] for one in (f.read() for _ in range(8))}
        self.assertEqual(found, {number: str(number) * 500_000 for number in range(8)})

    def test_surrogates_become_something_that_others_can_read(self) -> None:
        with Process("@Tool()\ndef f():\n    return 'a\\udcffb'") as f:
            f.call("f")
            self.assertEqual(f.text(), "a?b")


class HostileInput(unittest.TestCase):
    def test_long_lines(self) -> None:
        with Process(HELLO) as hello:
            hello.write(b"x" * (LINE_LIMIT * 3))
            self.assertEqual(hello.read()["error"]["message"], f"a line may have {LINE_LIMIT} bytes at most")
            hello.call("hello", 2, name="x" * (LINE_LIMIT // 2))
            self.assertEqual(len(hello.text()), LINE_LIMIT // 2 + len("Hello !"))

    def test_memory_is_bounded_by_one_line(self) -> None:
        with Process(HELLO) as hello:
            assert hello.pipes.stdin
            for _ in range(64):
                hello.pipes.stdin.write(b"[" * (1 << 20))
            hello.write(b"")
            self.assertEqual(hello.read()["error"]["code"], -32700)
            status = Path(f"/proc/{hello.pipes.pid}/status").read_text()
            peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
            self.assertLess(peak, 64 * 1024)

    def test_a_line_without_end_is_read(self) -> None:
        with Process(HELLO) as hello:
            assert hello.pipes.stdin
            hello.pipes.stdin.write(b'{"jsonrpc":"2.0","id":1,"method":"ping"}')
            out, _ = hello.end()
        self.assertEqual(json.loads(out), {"jsonrpc": "2.0", "id": 1, "result": {}})


class Checking(unittest.TestCase):
    def test_tools(self) -> None:
        (tool,) = check(f"from borg.plugin import Tool\n{HELLO}")["tools"]
        self.assertEqual((tool["name"], tool["description"]), ("hello", "Say hi"))

    def test_errors(self) -> None:
        self.assertEqual(check("x = 1\ny =\n")["error"].splitlines()[0], '  File "hello.py", line 2')
        self.assertIn('File "hello.py", line 1, in <module>\n    1 / 0\n', check("1 / 0\n")["error"])
        self.assertIn("has no tool", check("print('noise')")["error"])
        self.assertIn("SystemExit: 1", check("import sys\nsys.exit(1)")["error"])

    def test_threads_do_not_keep_it(self) -> None:
        start = time.monotonic()
        check("import threading, time\nthreading.Thread(target=time.sleep, args=(100,)).start()")
        self.assertLess(time.monotonic() - start, PATIENCE)

    def test_the_command_line_is_checked(self) -> None:
        for arguments in ([], ["a.py", "b.py"], ["--check", "x", "a.py"]):
            done = subprocess.run([sys.executable, "-I", PROGRAM, *arguments], capture_output=True, check=False)
            self.assertEqual((done.returncode, done.stdout), (2, b""))
            self.assertIn(b"usage: borg_run.py", done.stderr)
