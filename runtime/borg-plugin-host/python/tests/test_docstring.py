"""Descriptions from docstrings in three styles."""

from __future__ import annotations

import unittest

from borg._docstring import parse

GOOGLE = """Opens a port.

    More of it, over
    two lines.

    Args:
        port (str): which one,
            by name
        baud (int, optional): symbols a second: 9600
        *rest: what else

    Returns:
        port: not a parameter
    """

NUMPY = """Opens a port.

    Parameters
    ----------
    port : str
        which one,
        by name
    baud, rate : int, optional
        symbols a second
    silent : bool

    Returns
    -------
    port : str
        not a parameter
    """

SPHINX = """Opens a port.

    :param str port: which one,
        by name
    :param baud: symbols a second
    :type baud: int
    :returns: port: not a parameter
    """


class Docstrings(unittest.TestCase):
    def test_google(self) -> None:
        doc = parse(GOOGLE)
        self.assertEqual(doc.summary, "Opens a port.\n\nMore of it, over\ntwo lines.")
        self.assertEqual(
            doc.parameters,
            {"port": "which one, by name", "baud": "symbols a second: 9600", "rest": "what else"},
        )

    def test_numpy(self) -> None:
        doc = parse(NUMPY)
        self.assertEqual(doc.summary, "Opens a port.")
        self.assertEqual(
            doc.parameters,
            {"port": "which one, by name", "baud": "symbols a second", "rate": "symbols a second"},
        )

    def test_sphinx(self) -> None:
        doc = parse(SPHINX)
        self.assertEqual(doc.summary, "Opens a port.")
        self.assertEqual(doc.parameters, {"port": "which one, by name", "baud": "symbols a second"})

    def test_prose_stays_prose(self) -> None:
        for text in (None, "", "One line.", "Note: this is prose.", "See: http://x\n\n- a: b", "Args are fine"):
            doc = parse(text)
            self.assertEqual((doc.summary, doc.parameters), (text or "", {}))

    def test_nothing_makes_it_fail(self) -> None:
        odd = ("Args:", "Parameters\n---", ":param:", ":param x", "Args:\n  : x\n y\n      z", "\t\n Args:\n\tx:")
        for text in odd:
            with self.subTest(text):
                self.assertEqual(parse(text).parameters.get("y"), None)
