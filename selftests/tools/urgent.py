#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""TCP connections on which something happens that is not in the stream, for tests of the forwarder.

  urgent.py serve ADDR PORT WHAT   one connection after the other; "ready" on stdout, until killed
  urgent.py ask ADDR PORT WHAT     prints what was heard

WHAT is `urgent`: each end sends data with an urgent byte in it; or one end sends until it cannot any
more, prints "full", and resets the connection with the next line of its input, while the other reads
nothing, and prints "reset" when it hears of that.  With `stall-up` the client sends, with
`stall-down` the server.
"""
import select
import socket
import struct
import sys

PATIENCE_S = 20
PARTS = b"before", b"!", b"behind"


def family(addr):
    return socket.AF_INET6 if ":" in addr else socket.AF_INET


def say(text):
    print(text, flush=True)


def send_urgent(sock):
    sock.sendall(PARTS[0])
    sock.send(PARTS[1], socket.MSG_OOB)
    sock.sendall(PARTS[2])


def hear_urgent(sock):
    """The urgent byte, and the stream without it."""
    poll = select.poll()
    poll.register(sock, select.POLLPRI)
    if not poll.poll(PATIENCE_S * 1000):
        return "nothing urgent"
    urgent = sock.recv(1, socket.MSG_OOB)
    data = b""
    while len(data) < len(PARTS[0] + PARTS[2]) and (more := sock.recv(100)):
        data += more
    return f"{urgent.decode()} {data.decode()}"


def fill(sock):
    """Send until there has been no room for a while, and reset when a line comes."""
    sock.setblocking(False)
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    while poll.poll(500):
        try:
            sock.send(bytes(65536))
        except BlockingIOError:
            pass
    say("full")


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def hear_reset(sock):
    """Without reading."""
    poll = select.poll()
    poll.register(sock, 0)
    events = poll.poll(PATIENCE_S * 1000)
    say("reset" if events and events[0][1] & select.POLLERR else "silence")


def serve(addr, port, what):
    listener = socket.socket(family(addr))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((addr, int(port)))
    listener.listen()
    say("ready")
    while True:
        sock = listener.accept()[0]
        sock.settimeout(PATIENCE_S)
        if what == "urgent":
            say(hear_urgent(sock))
            send_urgent(sock)
        elif what == "stall-up":
            hear_reset(sock)
        else:
            fill(sock)
            sys.stdin.readline()
            reset(sock)


def ask(addr, port, what):
    sock = socket.create_connection((addr, int(port)), PATIENCE_S)
    if what == "urgent":
        send_urgent(sock)
        say(hear_urgent(sock))
    elif what == "stall-up":
        fill(sock)
        sys.stdin.readline()
        reset(sock)
    else:
        hear_reset(sock)


{"serve": serve, "ask": ask}[sys.argv[1]](*sys.argv[2:])
