#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Connections that end in a reset, from either end, or are refused.

  resets.py serve ADDR PORT         until killed: resets every other connection after its first byte,
                                    and says how many clients have reset the others
  resets.py ask ADDR PORT COUNT     so many of each, and as many to the next port, where nobody is
  resets.py again ADDR PORT COUNT SOURCE_PORT   so many of each, from one port; and of every fourth the
                                    client forgets, without a word, that there has been one
"""
import socket
import struct
import sys

PATIENCE_S = 5
TCP_REPAIR = 19  # linux/tcp.h; who closes a socket in repair sends nothing


def opened(addr, port):
    return socket.create_connection((addr, port), PATIENCE_S)


def reset(sock):
    """Nothing lingers, so that closing resets."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def is_reset(sock):
    try:
        sock.recv(1)
        return False
    except ConnectionResetError:
        return True


def serve(addr, port):
    family = socket.AF_INET6 if ":" in addr else socket.AF_INET
    listener = socket.create_server((addr, port), family=family)
    count = 0
    print("ready", flush=True)
    while True:
        sock = listener.accept()[0]
        sock.settimeout(PATIENCE_S)
        if sock.recv(1) == b"s":
            reset(sock)
        else:
            sock.send(b"?")
            count += is_reset(sock)
            print(f"{count} reset by the client", flush=True)


def is_refused(addr, port):
    try:
        opened(addr, port).close()
    except ConnectionRefusedError:
        return True
    return False


def ask(addr, port, count):
    resets = 0
    for _ in range(count):
        sock = opened(addr, port)
        sock.send(b"s")
        resets += is_reset(sock)
        sock = opened(addr, port)
        sock.send(b"c")
        sock.recv(1)
        reset(sock)
    refused = sum(is_refused(addr, port + 1) for _ in range(count))
    print(f"{refused} refused, {resets} reset by the server")


def opened_from(source_port, addr, port):
    sock = socket.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.settimeout(PATIENCE_S)
    sock.bind(("", source_port))
    sock.connect((addr, port))
    return sock


def again(addr, port, count, source_port):
    answers = resets = 0
    for i in range(2 * count):
        sock = opened_from(source_port, addr, port)
        if i % 2:
            sock.send(b"s")
            resets += is_reset(sock)
            sock.close()
            continue
        sock.send(b"c")
        answers += sock.recv(1) == b"?"
        if i % 8 == 0:
            sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
            sock.close()
        else:
            reset(sock)
    print(f"{answers} answered, {resets} reset by the server")


if sys.argv[1] == "serve":
    serve(sys.argv[2], int(sys.argv[3]))
elif sys.argv[1] == "again":
    again(sys.argv[2], *map(int, sys.argv[3:]))
else:
    ask(sys.argv[2], *map(int, sys.argv[3:]))
