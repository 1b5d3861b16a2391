from borg.plugin import Tool

@Tool(name="hello", desc="Say hi")
async def hello(name: str = "world"):
    return f"Hello {name}!"
