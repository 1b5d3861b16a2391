"""What a plugin must not be able to do; each tool says how far it came."""

import os
import socket
import time

from borg.plugin import Tool


@Tool(name="read_shadow", desc="Read the password hashes")
def read_shadow() -> str:
    with open("/etc/shadow") as file:
        return "got " + file.read()


@Tool(name="write_plugin", desc="Put a plugin beside this one")
def write_plugin() -> str:
    with open("/opt/borgos/plugins/more.py", "w") as file:
        file.write("x")
    return "got in"


@Tool(name="connect", desc="Reach the machine that the gateway is on")
def connect() -> str:
    for place in [("10.0.2.2", 80), ("127.0.0.1", 7302)]:
        with socket.create_connection(place, 5):
            return "got through"
    return ""


@Tool(name="fork_bomb", desc="Start processes until no more can be")
def fork_bomb() -> str:
    made = 0
    try:
        while made < 5000:
            if os.fork() == 0:
                time.sleep(300)
                os._exit(0)
            made += 1
    except OSError:
        pass
    return f"made {made}."


@Tool(name="memory", desc="Take ten gigabytes of memory")
def memory() -> str:
    taken = [b"x" * (1 << 20) + bytes([i % 256]) for i in range(10 << 10)]
    return f"got {len(taken)}"


@Tool(name="endless", desc="Never end")
def endless() -> str:
    while True:
        pass


@Tool(name="output", desc="Print ten gigabytes")
def output() -> str:
    for _ in range(10 << 10):
        os.write(1, b"x" * (1 << 20))
    return "got rid of it"


@Tool(name="answer", desc="Answer with ten gigabytes")
def answer() -> str:
    return "got " + "x" * (10 << 30)
