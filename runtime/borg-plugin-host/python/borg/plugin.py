"""What a plugin imports.

    from borg.plugin import Tool

    @Tool(name="hello", desc="Say hi")
    async def hello(name: str = "world"):
        return f"Hello {name}!"
"""

from borg._context import Context
from borg._decorator import Tool

__all__ = ["Context", "Tool"]
