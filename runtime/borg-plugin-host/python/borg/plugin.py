"""What a plugin imports: `from borg.plugin import Tool`; docs/plugins.md is the guide."""

from borg._context import Context
from borg._decorator import Tool

__all__ = ["Context", "Tool"]
