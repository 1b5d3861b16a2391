"""The examples of docs/plugins.md and of the README work unchanged."""

from __future__ import annotations

import re
import unittest
from pathlib import Path

from borg._load import Plugin, load

PACKAGE = Path(__file__).resolve().parent.parent
GUIDE = PACKAGE.parent.parent.parent / "docs/plugins.md"


def examples(page: Path) -> list[Plugin]:
    sources = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [load("example.py", source.encode()) for source in sources]


class Documentation(unittest.TestCase):
    def test_every_example_is_a_plugin(self) -> None:
        names = [[tool.name for tool in one.tools] for one in examples(GUIDE)]
        self.assertEqual(names, [["hello"], ["distance"], ["count"]])

    def test_the_example_of_the_types_takes_what_it_says(self) -> None:
        (distance,) = examples(GUIDE)[1].tools
        arguments = distance.read({"start": {"x": 0}, "end": {"x": 3, "y": 4}})
        self.assertEqual(distance.function(**arguments), 5)
        described = distance.listing()["inputSchema"]["properties"]
        told = [described[name]["description"] for name in ("start", "end", "note")]
        self.assertEqual(told, ["where to begin", "where to arrive", "for the log"])

    def test_the_readme_has_the_same_first_example(self) -> None:
        (mine,) = examples(PACKAGE / "README.md")
        self.assertEqual(mine.tools[0].listing(), examples(GUIDE)[0].tools[0].listing())
