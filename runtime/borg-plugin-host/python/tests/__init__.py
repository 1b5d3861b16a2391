"""Tests with the standard library alone: `python3 -m unittest discover -s tests -t .` one folder up."""
