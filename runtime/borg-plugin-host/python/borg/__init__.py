"""Plugins of BorgOS: see `borg.plugin`."""

__version__ = "0.1.0"
