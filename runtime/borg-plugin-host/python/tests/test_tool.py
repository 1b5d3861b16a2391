"""What `@Tool()` makes of a function, or says against it."""

from __future__ import annotations

import unittest
from typing import Any

from borg._json import JsonObject
from borg._load import BrokenPluginError, load
from borg.plugin import Context, Tool
from tests.running import HEADER, plugin

# What stands below the import, and how the last line of the error begins.
REFUSED = [
    ("@Tool\ndef f(): pass", "write `@Tool()` with parentheses over `f`"),
    ("@Tool(desc=3)\ndef f(): pass", "the `desc` of a tool is a text, not 3"),
    ("@Tool('a b')\ndef f(): pass", "the tool's name 'a b' must be 1 to 64 letters, digits, `_`, `-` or `.`"),
    ("@Tool('')\ndef f(): pass", "the tool's name '' must be"),
    ("@Tool()\nclass F: pass", "@Tool() stands over a function, not over <class"),
    ("@Tool()\ndef f(): yield 1", "`f` yields its results one by one: return a list of them"),
    ("@Tool()\nasync def f(): yield 1", "`f` yields its results one by one"),
    ("@Tool()\ndef f(x: complex): pass", "parameter `x` of `f`: JSON has no type for complex: use str"),
    ("@Tool('g')\ndef f(x, /): pass", "parameter `x` of `g`: can be given by position only: remove the `/`"),
    (
        "@Tool()\ndef f(*names: str): pass",
        "parameter `names` of `f`: takes any number of values: make it a list, such as `names: list[str]`",
    ),
    ("@Tool()\ndef f(**more: str): pass", "parameter `more` of `f`: takes any names: make it a dict"),
    (
        "@Tool()\ndef f(x: int = 'a'): pass",
        'parameter `x` of `f`: the default does not fit: x: wanted an integer, got the string "a"',
    ),
    (
        "@Tool()\ndef f(x: 'Later'): pass\nclass Later: pass",
        "an annotation of `f` cannot be read, name 'Later' is not defined: define or import its type above",
    ),
    (
        "@Tool()\ndef f(): pass\n@Tool('f')\ndef g(): pass",
        "two functions are the tool `f`, in lines 2 and 4: give one of them another `name=`",
    ),
]


def listing(source: str) -> JsonObject:
    (tool,) = plugin(source).tools
    return tool.listing()


class Tools(unittest.TestCase):
    def test_the_smallest_plugin(self) -> None:
        source = """
            @Tool(name="hello", desc="Say hi")
            async def hello(name: str = "world"):
                return f"Hello {name}!"
        """
        schema = {
            "type": "object",
            "properties": {"name": {"type": "string", "default": "world"}},
            "additionalProperties": False,
        }
        self.assertEqual(listing(source), {"name": "hello", "description": "Say hi", "inputSchema": schema})

    def test_name_and_description_come_from_the_function(self) -> None:
        source = '''
            from typing import Annotated

            @Tool(read_only=True, destructive=False, open_world=None)
            def add(a: int, b: Annotated[int, "the second"] = 2, c=None, d: str = None) -> float:
                """Adds.

                Args:
                    a: the first
                    b: overridden
                    d: a text
                """
        '''
        schema = {
            "type": "object",
            "properties": {
                "a": {"type": "integer", "description": "the first"},
                "b": {"type": "integer", "description": "the second", "default": 2},
                "c": {"default": None},
                "d": {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "a text", "default": None},
            },
            "required": ["a"],
            "additionalProperties": False,
        }
        expected = {
            "name": "add",
            "description": "Adds.",
            "inputSchema": schema,
            "annotations": {"readOnlyHint": True, "destructiveHint": False},
        }
        self.assertEqual(listing(source), expected)

    def test_annotations_may_be_texts(self) -> None:
        source = f"from __future__ import annotations\n{HEADER}@Tool()\ndef f(ctx: Context, x: list[int] | None): pass"
        (tool,) = load("plugin.py", source.encode()).tools
        self.assertEqual(list(tool.listing()["inputSchema"]["properties"]), ["x"])
        self.assertEqual(tool.contexts, ("ctx",))

    def test_a_context_is_no_argument(self) -> None:
        (tool,) = plugin("@Tool()\ndef f(a: int, ctx: Context, other: Context | None = None): pass").tools
        self.assertEqual(list(tool.listing()["inputSchema"]["properties"]), ["a"])
        self.assertEqual(tool.contexts, ("ctx", "other"))

    def test_a_default_that_json_lacks_is_not_shown(self) -> None:
        properties = listing("@Tool()\ndef f(a=object(), b: float = float('inf')): pass")["inputSchema"]["properties"]
        self.assertEqual(properties, {"a": {}, "b": {"type": "number"}})

    def test_a_function_may_be_wrapped(self) -> None:
        source = """
            import functools

            def wrapper(function):
                @functools.wraps(function)
                def inner(*args, **kwargs):
                    return function(*args, **kwargs)
                return inner

            @Tool()
            @wrapper
            def f(a: int): pass
        """
        self.assertEqual(listing(source)["inputSchema"]["properties"], {"a": {"type": "integer"}})

    def test_the_function_stays_as_it_is(self) -> None:
        def double(x: int) -> int:
            return 2 * x

        self.assertIs(Tool()(double), double)

    def test_only_what_stands_in_the_plugin_is_its_own(self) -> None:
        source = """
            import types

            other = types.ModuleType("other")
            exec("from borg.plugin import Tool\\n@Tool()\\ndef g(): pass", other.__dict__)

            @Tool()
            def f(): pass
        """
        self.assertEqual([tool.name for tool in plugin(source).tools], ["f"])

    def test_what_is_wrong_is_said_when_the_plugin_loads(self) -> None:
        for source, message in REFUSED:
            with self.subTest(source), self.assertRaises(BrokenPluginError) as caught:
                plugin(source)
            last = str(caught.exception).splitlines()[-1]
            self.assertTrue(last.startswith(f"TypeError: {message}"), last)


class Contexts(unittest.TestCase):
    def test_reports_that_go_further_are_sent(self) -> None:
        sent: list[JsonObject] = []
        context = Context(sent.append)
        context.progress(1, 3, "one")
        context.progress(1)
        context.progress(0.5)
        context.progress(2.5, message="more")
        self.assertEqual(sent, [{"progress": 1, "total": 3, "message": "one"}, {"progress": 2.5, "message": "more"}])

    def test_nothing_is_sent_when_nobody_asked_or_listens(self) -> None:
        Context().progress(1)
        sent: list[JsonObject] = []
        context = Context(sent.append)
        self.assertFalse(context.cancelled)
        context._end()
        context.progress(1)
        self.assertTrue(context.cancelled)
        self.assertEqual(sent, [])

    def test_progress_is_a_number(self) -> None:
        odd: list[Any] = ["1", True, float("nan"), [1]]
        for wrong in odd:
            for numbers in ((wrong,), (1, wrong)):
                with self.subTest(numbers), self.assertRaisesRegex(TypeError, "progress wants numbers, not "):
                    Context().progress(*numbers)
