"""What an author is told of an error: their own lines, and none of this package's."""

from __future__ import annotations

import linecache
import traceback
from pathlib import Path
from traceback import StackSummary, TracebackException

from borg._json import shorten

_LONGEST = 16 * 1024


def own_traceback(error: BaseException, file: str) -> str:
    """Python's traceback with the frames of one file only."""
    whole = TracebackException.from_exception(error, compact=True)
    pending = [whole]
    seen: set[int] = set()
    while pending:
        one = pending.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        one.stack = StackSummary.from_list([frame for frame in one.stack if frame.filename == file])
        pending += [other for other in (one.__cause__, one.__context__, *(one.exceptions or ())) if other]
    return _middle_out("".join(whole.format()).strip("\n"))


def summary(error: BaseException, file: str) -> str:
    """Type and message, and the last line of the file that was on the way to it."""
    text = f"{type(error).__name__}: {_message(error)}".removesuffix(": ")
    own = [place for place in traceback.walk_tb(error.__traceback__) if place[0].f_code.co_filename == file]
    if not own:
        return text
    frame, line = own[-1]
    source = linecache.getline(file, line, frame.f_globals).strip()
    return f"{text}\n  {Path(file).name}, line {line}: {shorten(source, 200)}"


def _middle_out(text: str) -> str:
    """A traceback says where at its beginning, and what at its end."""
    left_out = len(text) - _LONGEST
    half = _LONGEST // 2
    return text if left_out <= 0 else f"{text[:half]}\n… ({left_out} characters)\n{text[-half:]}"


def _message(error: BaseException) -> str:
    try:
        return shorten(str(error), _LONGEST)
    except Exception as second:
        return f"(its message cannot be shown: {type(second).__name__})"
