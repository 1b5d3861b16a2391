"""MCP in all of its versions, and what is no MCP."""

from __future__ import annotations

import json
import random
import unittest
from typing import Any

from borg._json import JsonObject
from borg._protocol import STATELESS, WITH_INITIALIZE
from borg._streams import Lines
from tests.running import Local

HELLO = "@Tool()\ndef hello(name: str = 'world'):\n  return f'Hello {name}!'"
NEW = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
IDENTITY = {"name": "plugin", "version": "0.1.0"}

# A line, and the code and the id of the error that answers it.
BAD: list[tuple[bytes | None, int, Any]] = [
    (None, -32700, None),
    (b"x", -32700, None),
    (b"\xff", -32700, None),
    (b"\xef\xbb\xbf{}", -32700, None),
    (b'{"jsonrpc":"2.0","id":1,"method":"ping"', -32700, None),
    (b'{"id":NaN}', -32700, None),
    (b'{"id":1e999}', -32700, None),
    (b'{"id":' + b"1" * 5000 + b"}", -32700, None),
    (b"[" * 100_000, -32700, None),
    (b"[]", -32600, None),
    (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600, None),
    (b"1", -32600, None),
    (b"null", -32600, None),
    (b'"x"', -32600, None),
    (b"{}", -32600, None),
    (b'{"id":1}', -32600, 1),
    (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600, 1),
    (b'{"jsonrpc":"2.0","id":"a","method":7}', -32600, "a"),
    (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600, None),
    (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600, None),
    (b'{"jsonrpc":"2.0","id":[1],"method":"ping"}', -32600, None),
    (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32602, 1),
    (b'{"jsonrpc":"2.0","id":1,"method":"prompts/list"}', -32601, 1),
    (b'{"jsonrpc":"2.0","id":1,"method":"notifications/cancelled"}', -32601, 1),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call"}', -32602, 1),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"no"}}', -32602, 1),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":["hello"]}}', -32602, 1),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"hello","arguments":1}}', -32602, 1),
    (b'{"jsonrpc":"2.0","id":1,"method":"server/discover"}', -32602, 1),
]

UNANSWERED = [
    b"",
    b"  \r",
    b'{"jsonrpc":"2.0","method":"notifications/initialized"}',
    b'{"jsonrpc":"2.0","method":"notifications/cancelled"}',
    b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":[1]}}',
    b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99}}',
    b'{"jsonrpc":"2.0","method":"tools/call","params":{"name":"hello"}}',
    b'{"jsonrpc":"2.0","id":1,"result":{}}',
    b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}',
]


class WithInitialize(unittest.TestCase):
    def test_each_version_is_agreed_to(self) -> None:
        for version in WITH_INITIALIZE:
            result = Local(HELLO).answer("initialize", {"protocolVersion": version})["result"]
            expected = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": IDENTITY}
            self.assertEqual(result, expected)

    def test_another_version_gets_the_newest(self) -> None:
        for version in ("2026-07-28", "1999-01-01", None, 3, ["2025-06-18"]):
            result = Local(HELLO).answer("initialize", {"protocolVersion": version})["result"]
            self.assertEqual(result["protocolVersion"], "2025-11-25")

    def test_its_results_are_as_they_were(self) -> None:
        local = Local(HELLO)
        self.assertEqual(local.answer("ping")["result"], {})
        self.assertEqual(list(local.answer("tools/list")["result"]), ["tools"])
        called = local.answer("tools/call", {"name": "hello", "arguments": {"name": "you"}})["result"]
        self.assertEqual(called, {"content": [{"type": "text", "text": "Hello you!"}]})

    def test_arguments_may_be_left_out(self) -> None:
        for params in ({"name": "hello"}, {"name": "hello", "arguments": None}):
            self.assertEqual(Local(HELLO).answer("tools/call", params)["result"]["content"][0]["text"], "Hello world!")


class Stateless(unittest.TestCase):
    def answer(self, method: str, meta: JsonObject | None = None, **params: Any) -> JsonObject:
        return Local(HELLO).answer(method, {**params, "_meta": NEW if meta is None else meta})

    def test_discovery(self) -> None:
        expected = {
            "resultType": "complete",
            "supportedVersions": ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"],
            "capabilities": {"tools": {}},
            "ttlMs": 0,
            "cacheScope": "private",
            "_meta": {"io.modelcontextprotocol/serverInfo": IDENTITY},
        }
        self.assertEqual(self.answer("server/discover")["result"], expected)

    def test_results_say_that_they_are_complete(self) -> None:
        listed = self.answer("tools/list")["result"]
        self.assertEqual(
            (listed["resultType"], listed["ttlMs"], listed["cacheScope"], len(listed["tools"])),
            ("complete", 0, "private", 1),
        )
        called = self.answer("tools/call", name="hello")["result"]
        self.assertEqual(called["resultType"], "complete")
        self.assertEqual(called["_meta"], {"io.modelcontextprotocol/serverInfo": IDENTITY})

    def test_there_is_no_ping(self) -> None:
        self.assertEqual(self.answer("ping")["error"]["code"], -32601)

    def test_another_version_is_refused_with_those_there_are(self) -> None:
        error = self.answer("tools/list", {**NEW, "io.modelcontextprotocol/protocolVersion": "1900-01-01"})["error"]
        self.assertEqual((error["code"], error["data"]["requested"]), (-32022, "1900-01-01"))
        self.assertEqual(set(error["data"]["supported"]), {*WITH_INITIALIZE, *STATELESS})

    def test_an_older_version_may_be_named_too(self) -> None:
        meta = {**NEW, "io.modelcontextprotocol/protocolVersion": "2025-11-25"}
        self.assertNotIn("resultType", self.answer("tools/list", meta)["result"])

    def test_both_fields_are_demanded(self) -> None:
        for key, value in (("protocolVersion", 3), ("clientCapabilities", [])):
            answer = self.answer("tools/list", {**NEW, f"io.modelcontextprotocol/{key}": value})
            self.assertEqual(answer["error"]["code"], -32602)


class Hostile(unittest.TestCase):
    def test_what_is_wrong_is_answered_with_its_code(self) -> None:
        for line, code, number in BAD:
            with self.subTest(line and line[:80]):
                local = Local(HELLO)
                local.server.take(line)
                (answer,) = local.sent
                self.assertEqual((answer["error"]["code"], answer["id"]), (code, number))
                self.assertLess(len(answer["error"]["message"]), 500)

    def test_what_wants_no_answer_gets_none(self) -> None:
        local = Local(HELLO)
        for line in UNANSWERED:
            local.server.take(line)
        local.calls.drain()
        self.assertEqual(local.sent, [])

    def test_any_line_is_survived(self) -> None:
        dice = random.Random(4)
        params = {"name": "hello", "arguments": {}, "_meta": NEW}
        whole = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
        local = Local(HELLO)
        for _ in range(3000):
            line = bytearray(whole)
            for _ in range(dice.randint(1, 8)):
                place = dice.randrange(len(line))
                line[place : place + dice.randint(0, 3)] = dice.randbytes(dice.randint(0, 3))
            for part in Lines().feed(bytes(line) + b"\n"):
                local.server.take(part)
        local.calls.drain()
        self.assertGreater(len(local.sent), 1000)

    def test_wrong_arguments_are_told_to_the_model(self) -> None:
        result = Local(HELLO).answer("tools/call", {"name": "hello", "arguments": {"name": 3, "x": 1}})["result"]
        self.assertTrue(result["isError"])
        self.assertEqual(
            result["content"][0]["text"],
            "`hello`: argument x is not known: there is `name`\n"
            "`hello`: argument name: wanted a string, got the number 3",
        )


class Cutting(unittest.TestCase):
    def test_lines_come_whole_however_they_arrive(self) -> None:
        text = b"one\n\ntwo\r\nthree"
        for size in range(1, len(text) + 1):
            lines = Lines()
            found = [line for at in range(0, len(text), size) for line in lines.feed(text[at : at + size])]
            self.assertEqual([*found, *lines.rest()], [b"one", b"", b"two\r", b"three"])

    def test_a_line_that_is_too_long_is_passed_over(self) -> None:
        lines = Lines(limit=4)
        self.assertEqual(list(lines.feed(b"12345\n1234\n123")), [None, b"1234"])
        self.assertEqual(list(lines.feed(b"45678")), [])
        self.assertEqual(list(lines.feed(b"9\nab\n")), [None, b"ab"])
        self.assertEqual(list(lines.feed(b"12345")) + list(lines.rest()), [None])
