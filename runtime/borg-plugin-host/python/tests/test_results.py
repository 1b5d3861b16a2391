"""What a function returns, and what it raises, as results."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import enum
import unittest
from pathlib import Path
from typing import Any

from borg._json import LINE_LIMIT
from borg._results import raised, returned
from tests.running import plugin


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    colour: Colour = Colour.RED


STRUCTURED: list[tuple[Any, str, Any]] = [
    ({"a": 1, 2: None}, '{"a":1,"2":null}', {"a": 1, "2": None}),
    (Point(1), '{"x":1,"colour":"red"}', {"x": 1, "colour": "red"}),
    ([1, (2, "é")], '[1,[2,"é"]]', {"result": [1, [2, "é"]]}),
    ({"b", "a"}, '["a","b"]', {"result": ["a", "b"]}),
    (3, "3", {"result": 3}),
    (2.5, "2.5", {"result": 2.5}),
    (True, "true", {"result": True}),
    ([datetime.date(2026, 1, 2)], '["2026-01-02"]', {"result": ["2026-01-02"]}),
]

TEXTS: list[tuple[Any, str]] = [
    ("hi", "hi"),
    ("", ""),
    (Colour.RED, "red"),
    (Path("/x"), "/x"),
    (datetime.datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05"),
]

UNSAYABLE: list[tuple[Any, str]] = [
    (object(), "the result of `f` is of the type object, which JSON does not have: make it a text, a number, a list"),
    ({"a": [1, open]}, "the result of `f`.a[1] is of the type builtin_function_or_method"),
    ([float("nan")], "the result of `f`[0] is nan, which JSON does not have"),
    ({1.5: 1}, "the result of `f` has a key of the type float: the keys of a JSON object are strings"),
    (b"plain", "the result of `f` is bytes, but no PNG, JPEG, GIF or WebP image"),
    ([b"plain"], "the result of `f`[0] is of the type bytes"),
    (Point, "the result of `f` is of the type type"),
]


class Returned(unittest.TestCase):
    def test_nothing_is_no_content(self) -> None:
        self.assertEqual(returned("f", None), {"content": []})

    def test_texts(self) -> None:
        for value, text in TEXTS:
            with self.subTest(value):
                self.assertEqual(returned("f", value), {"content": [{"type": "text", "text": text}]})

    def test_what_has_a_structure_keeps_it(self) -> None:
        for value, text, structured in STRUCTURED:
            with self.subTest(value):
                content = [{"type": "text", "text": text}]
                self.assertEqual(returned("f", value), {"content": content, "structuredContent": structured})

    def test_images_by_their_first_bytes(self) -> None:
        kinds = {
            "image/png": b"\x89PNG\r\n\x1a\n...",
            "image/jpeg": b"\xff\xd8\xff...",
            "image/gif": b"GIF89a",
            "image/webp": b"RIFF\0\0\0\0WEBP",
        }
        for kind, data in kinds.items():
            with self.subTest(kind):
                image = {"type": "image", "data": base64.b64encode(data).decode(), "mimeType": kind}
                self.assertEqual(returned("f", data), {"content": [image]})

    def test_what_json_lacks_is_a_fault(self) -> None:
        for value, message in UNSAYABLE:
            with self.subTest(value):
                result = returned("f", value)
                self.assertTrue(result["isError"])
                self.assertTrue(result["content"][0]["text"].startswith(message), result)

    def test_what_holds_itself_is_a_fault(self) -> None:
        value: list[Any] = []
        value.append(value)
        self.assertIn("is nested more than 100 deep, or holds itself", returned("f", value)["content"][0]["text"])

    def test_a_large_result_is_a_fault(self) -> None:
        self.assertNotIn("isError", returned("f", "x" * (LINE_LIMIT - 1000)))
        half = LINE_LIMIT // 2
        for value in ("x" * (LINE_LIMIT + 1), "\n" * (half + 1), b"GIF8" * half, ["x" * half]):
            result = returned("f", value)
            self.assertTrue(result["isError"])
            self.assertRegex(
                result["content"][0]["text"],
                r"^the result of `f` takes [\d.]+ MiB, and at most 4 are carried: return less at a time$",
            )


class Raised(unittest.TestCase):
    def said(self, source: str) -> str:
        found = plugin(source, "/opt/borgos/plugins/p.py")
        try:
            found.tools[0].function()
        except BaseException as error:
            result = raised(error, found.file)
        self.assertTrue(result["isError"])
        text: str = result["content"][0]["text"]
        return text

    def test_type_message_and_the_plugin_s_line(self) -> None:
        source = """
            import json

            @Tool()
            def f():
                json.loads("{")
        """
        self.assertEqual(
            self.said(source),
            "JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)\n"
            '  p.py, line 7: json.loads("{")',
        )

    def test_no_message_and_odd_messages(self) -> None:
        bare = "@Tool()\ndef f():\n  raise KeyError"
        self.assertEqual(self.said(bare), "KeyError\n  p.py, line 4: raise KeyError")
        odd = "class E(Exception):\n  def __str__(self): 1/0\n@Tool()\ndef f():\n  raise E"
        expected = "E: (its message cannot be shown: ZeroDivisionError)\n  p.py, line 6: raise E"
        self.assertEqual(self.said(odd), expected)
        self.assertLess(len(self.said("@Tool()\ndef f():\n  raise ValueError('x' * 10_000_000)")), 20_000)
