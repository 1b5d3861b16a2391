"""What a docstring says of a function and of its parameters, in the styles of Google, NumPy and Sphinx."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_PARAMETERS = {"args", "arguments", "parameters", "params", "keyword args", "keyword arguments", "attributes"}
_OTHERS = {"returns", "yields", "raises", "example", "examples", "note", "notes", "see also", "references", "warnings"}
_GOOGLE_ENTRY = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)")
_NUMPY_ENTRY = re.compile(r"(\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?")
_SPHINX_ENTRY = re.compile(r":(?:param|parameter|arg|argument|key|keyword)\s+(?:[^:]*\s)?\*{0,2}(\w+)\s*:\s*(.*)")
_SPHINX_FIELD = re.compile(r":\w+(?:\s[^:]*)?:")


@dataclass
class Docstring:
    """The prose before the first section, and a description for each parameter that has one."""

    summary: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


def parse(text: str | None) -> Docstring:
    """Never fails: what it does not know stays in the summary or is left out."""
    lines = inspect.cleandoc(text or "").splitlines()
    start = next((index for index in range(len(lines)) if _begins_section(lines, index)), len(lines))
    doc = Docstring("\n".join(lines[:start]).strip())
    while start < len(lines):
        end = next((index for index in range(start + 1, len(lines)) if _begins_section(lines, index)), len(lines))
        _read_section(doc, lines[start:end])
        start = end
    return doc


def _begins_section(lines: list[str], index: int) -> bool:
    line = lines[index]
    return _SPHINX_FIELD.match(line) is not None or _heading(lines[index : index + 2]) is not None


def _heading(lines: list[str]) -> tuple[str, str] | None:
    """The style and the name of the section that these lines begin, if they do."""
    name = lines[0].rstrip()
    if len(lines) > 1 and re.fullmatch(r"-{3,}\s*", lines[1]) and name.lower() in _PARAMETERS | _OTHERS:
        return "numpy", name.lower()
    if name.endswith(":") and name[:-1].lower() in _PARAMETERS | _OTHERS:
        return "google", name[:-1].lower()
    return None


def _read_section(doc: Docstring, lines: list[str]) -> None:
    heading = _heading(lines)
    if heading is None:
        entry = _SPHINX_ENTRY.match(lines[0])
        if entry:
            doc.parameters[entry[1]] = _joined([entry[2], *lines[1:]])
    elif heading[1] in _PARAMETERS:
        style, body = (_NUMPY_ENTRY, lines[2:]) if heading[0] == "numpy" else (_GOOGLE_ENTRY, lines[1:])
        _read_entries(doc, style, body)


def _read_entries(doc: Docstring, style: re.Pattern[str], lines: list[str]) -> None:
    """Each entry begins at the indentation of the first; what is further in belongs to the one above it."""
    text = [line for line in lines if line.strip()]
    margin = len(text[0]) - len(text[0].lstrip()) if text else 0
    names: list[str] = []
    parts: dict[str, list[str]] = {}
    for line in text:
        entry = style.fullmatch(line.strip()) if len(line) - len(line.lstrip()) == margin else None
        if entry:
            names = [name.strip(" *") for name in entry[1].split(",")]
            first = entry[2] if style is _GOOGLE_ENTRY else ""
            parts.update((name, [first]) for name in names)
        else:
            for name in names:
                parts[name].append(line)
    doc.parameters.update((name, joined) for name, lines in parts.items() if (joined := _joined(lines)))


def _joined(lines: Iterable[str]) -> str:
    return " ".join(" ".join(lines).split())
