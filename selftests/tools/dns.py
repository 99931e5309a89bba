#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Names and addresses for the tests of the forwarder: every query from a socket of its own.

  dns.py ADDR...            serve UDP port 53 at these addresses until killed; "ready" on stdout
  dns.py ask ADDR COUNT     COUNT queries, many at once; prints how many answers were right
"""
import select
import socket
import struct
import sys
import time

# A socket's receive buffer holds 256 datagrams, however small, while its owner does not get the CPU
IN_FLIGHT = 200
PATIENCE_S = 40


def family(addr):
    return socket.AF_INET6 if ":" in addr else socket.AF_INET


def question(number):
    label = b"name%d" % number
    return (struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + bytes([len(label)]) + label +
            b"\4test\0" + struct.pack("!HH", 1, 1))


def answer(query):
    """The same question, and 10.x.y.z for query number xyz, as RFC 1035 lays it out."""
    number = struct.unpack("!H", query[:2])[0]
    return (query[:2] + struct.pack("!HHHHH", 0x8180, 1, 1, 0, 0) + query[12:] +
            struct.pack("!HHHIHI", 0xc00c, 1, 1, 60, 4, 0x0a000000 + number))


def serve(addrs):
    socks = []
    for addr in addrs:
        sock = socket.socket(family(addr), socket.SOCK_DGRAM)
        sock.bind((addr, 53))
        socks.append(sock)
    print("ready", flush=True)
    while True:
        for sock in select.select(socks, [], [])[0]:
            query, peer = sock.recvfrom(4096)
            sock.sendto(answer(query), peer)


def ask(addr, count):
    """None is asked again: one that is lost is missing from the sum."""
    waiting, right, deadline = {}, 0, time.monotonic() + PATIENCE_S
    number = 0
    while number < count or waiting:
        while number < count and len(waiting) < IN_FLIGHT:
            sock = socket.socket(family(addr), socket.SOCK_DGRAM)
            sock.connect((addr, 53))
            sock.send(question(number))
            waiting[sock] = number
            number += 1
        ready = select.select(waiting, [], [], max(deadline - time.monotonic(), 0))[0]
        if not ready:
            print(f"no answer to queries {list(waiting.values())}", file=sys.stderr)
            break
        for sock in ready:
            asked = waiting.pop(sock)
            try:
                right += sock.recv(4096) == answer(question(asked))
            except OSError as error:
                print(f"query {asked}: {error}", file=sys.stderr)
            sock.close()
    print(f"{right} right")


if sys.argv[1] == "ask":
    ask(sys.argv[2], int(sys.argv[3]))
else:
    serve(sys.argv[1:])
