"""What an author is told of a plugin that cannot be used."""

from __future__ import annotations

import json
import re
import tempfile
import unittest
from pathlib import Path

from borg._load import BrokenPluginError, load, load_file

TOOL = "from borg.plugin import Tool\n@Tool()\ndef f(): pass\n"


def error(source: bytes | str, file: str = "/opt/borgos/plugins/bad.py") -> str:
    """The message, without the lines of carets, which differ between versions of Python."""
    try:
        load(file, source.encode() if isinstance(source, str) else source)
    except BrokenPluginError as fault:
        return "\n".join(line for line in str(fault).splitlines() if not re.fullmatch(r"[ ^~]+", line))
    raise AssertionError("it loads")


class Loading(unittest.TestCase):
    def test_the_frames_are_the_plugin_s_own(self) -> None:
        source = "import json\n\ndef read():\n    return json.loads('{')\n\nread()\n"
        expected = """Traceback (most recent call last):
  File "/opt/borgos/plugins/bad.py", line 6, in <module>
    read()
  File "/opt/borgos/plugins/bad.py", line 4, in read
    return json.loads('{')
json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"""
        self.assertEqual(error(source), expected)

    def test_causes_are_told_too(self) -> None:
        told = error("try:\n    {}['key']\nexcept KeyError as e:\n    raise ValueError('no key') from e\n")
        self.assertRegex(told, r"(?s)line 2, in <module>.*KeyError: 'key'.*direct cause.*line 4.*ValueError: no key$")

    def test_a_mistake_in_the_syntax_has_its_line(self) -> None:
        self.assertEqual(
            error("x = 1\ndef f(:\n    pass\n"),
            '  File "/opt/borgos/plugins/bad.py", line 2\n    def f(:\nSyntaxError: invalid syntax',
        )

    def test_a_missing_module_is_named(self) -> None:
        self.assertTrue(error("import nothing_there").endswith("ModuleNotFoundError: No module named 'nothing_there'"))

    def test_whatever_the_module_does_is_an_error_of_the_plugin(self) -> None:
        sources: list[tuple[bytes, str]] = [
            (b"import sys; sys.exit(0)", "SystemExit: 0"),
            (b"raise KeyboardInterrupt", "KeyboardInterrupt"),
            (b"def f(): f()\nf()", "RecursionError: maximum recursion depth exceeded"),
            (b"\xff", "SyntaxError: (unicode error)"),
            (b"\0", "source code string cannot contain null bytes"),
            (b"raise ExceptionGroup('two', [ValueError(1), KeyError(2)])", "ExceptionGroup: two (2 sub-exceptions)"),
            (b"class E(Exception):\n  def __str__(self): 1/0\nraise E", "E: <exception str() failed>"),
            (b"(" * 300, "SyntaxError: too many nested parentheses"),
        ]
        for source, message in sources:
            with self.subTest(source[:40]):
                self.assertIn(message, error(source))

    def test_a_long_error_is_cut(self) -> None:
        told = error("raise ValueError('x' * 10_000_000)")
        self.assertLess(len(told), 20_000)
        self.assertRegex(told, r"(?s)line 1, in <module>.*ValueError: x+\n… \(99\d+ characters\)\nx+$")
        told = error("def f(): g()\ndef g(): f()\nf()")
        self.assertLess(len(told), 20_000)
        self.assertRegex(told, r"(?s)line 3, in <module>.*RecursionError: [^\n]*$")

    def test_a_plugin_needs_a_tool(self) -> None:
        self.assertEqual(
            error("x = 1", "none.py"),
            "none.py has no tool: import Tool from borg.plugin and write `@Tool()` over a function",
        )

    def test_a_broken_load_leaves_no_tools_behind(self) -> None:
        error(TOOL + "1 / 0")
        self.assertEqual([tool.name for tool in load("bad.py", TOOL.encode()).tools], ["f"])

    def test_a_plugin_may_be_called_like_a_module(self) -> None:
        load("json.py", f"import json\nassert json.loads('1') == 1\n{TOOL}".encode())
        self.assertEqual(json.loads("2"), 2)

    def test_the_source_says_its_encoding(self) -> None:
        source = "# -*- coding: latin-1 -*-\n" + TOOL.replace("pass", "'''\xe9'''")
        self.assertEqual(load("old.py", source.encode("latin-1")).tools[0].description, "é")

    def test_a_file_that_cannot_be_read_is_named(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            missing = Path(folder) / "x.py"
            with self.assertRaisesRegex(BrokenPluginError, f"the plugin {missing} cannot be read: No such file"):
                load_file(missing)
            self.assertEqual(list(Path(folder).iterdir()), [])
