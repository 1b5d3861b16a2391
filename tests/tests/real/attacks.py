"""What a plugin must not be able to do; each tool says how far it came."""

import errno
import json
import os
import socket
import time

from borg.plugin import Tool


@Tool(name="calm", desc="Harm nobody")
def calm() -> str:
    return "calm"


@Tool(name="read_shadow", desc="Read the password hashes")
def read_shadow() -> str:
    with open("/etc/shadow") as file:
        return "got " + file.read()


@Tool(name="write_plugin", desc="Put a plugin beside this one")
def write_plugin() -> str:
    with open("/opt/borgos/plugins/more.py", "w") as file:
        file.write("x")
    return "got in"


PLACES = {
    "host": (socket.AF_INET, socket.SOCK_STREAM, 0, ("10.0.2.2", 80)),
    "loopback": (socket.AF_INET, socket.SOCK_STREAM, 0, ("127.0.0.1", 7302)),
    "loopback6": (socket.AF_INET6, socket.SOCK_STREAM, 0, ("::1", 7302)),
    "gateway": (socket.AF_UNIX, socket.SOCK_STREAM, 0, "/run/borg-gateway/mcp.sock"),
    "raw": (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP, ("10.0.2.2", 0)),
    "packet": (socket.AF_PACKET, socket.SOCK_RAW, 0, ("lo", 0)),
    "netlink": (socket.AF_NETLINK, socket.SOCK_RAW, 0, (0, 0)),
}


def tried(family: int, kind: int, protocol: int, place: object) -> str:
    """The kernel's word for why a place cannot be reached."""
    try:
        with socket.socket(family, kind, protocol) as one:
            one.settimeout(5)
            one.bind(place) if family == socket.AF_PACKET else one.connect(place)
    except TimeoutError:
        return "timeout"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    return "got through"


@Tool(name="connect", desc="Reach anything but the one who called, by every kind of socket")
def connect() -> str:
    return "".join(f"{name}: {tried(*place)}\n" for name, place in PLACES.items())


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


@Tool(name="output", desc="Print for as long as it may")
def output() -> str:
    while True:
        os.write(1, b"x" * (1 << 20))


@Tool(name="answer", desc="Answer with more than is carried, and little enough to be held")
def answer() -> str:
    return "got " + "x" * (32 << 20)


def line() -> int:
    """The descriptor of the line to the gateway, which the package keeps to itself."""
    for number in range(3, 100):
        try:
            with socket.socket(fileno=os.dup(number)) as one:
                if one.getsockname() == "/run/borg-plugin/host.sock":
                    return number
        except OSError:
            continue
    raise LookupError("got no line to the gateway")


@Tool(name="long_line", desc="Send the gateway a line without an end")
def long_line() -> str:
    number = line()
    while True:
        os.write(number, b"x" * (1 << 20))


@Tool(name="unasked", desc="Send the gateway messages that nobody asked for")
def unasked() -> str:
    number = line()
    note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x" * (1 << 16)}}
    text = json.dumps(note).encode() + b"\n"
    while True:
        rest = text
        while rest:
            rest = rest[os.write(number, rest) :]
