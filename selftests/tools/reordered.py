#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Datagrams in fragments, of which the last one is sent first.

  reordered.py serve ADDR PORT         answers with the same; "ready" on stdout, until killed
  reordered.py ask ADDR PORT BYTES COUNT    prints how many of so many answers came whole
"""
import ipaddress
import socket
import struct
import sys

PIECE = 1208  # bytes of a datagram in each fragment, a multiple of 8
PATIENCE_S = 2


def fold(data):
    """The sum of RFC 1071, not complemented."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def udp(source, target, payload):
    """A datagram between (address, port) pairs, with its checksum."""
    length = 8 + len(payload)
    ends = b"".join(ipaddress.ip_address(end[0]).packed for end in (source, target))
    head = struct.pack("!HHHH", source[1], target[1], length, 0)
    check = 0xffff - fold(ends + struct.pack("!II", length, socket.IPPROTO_UDP) + head + payload)
    return head[:6] + struct.pack("!H", check or 0xffff) + payload


def fragment(source, target, number, offset, more, piece):
    """One of them, with its IP header; the kernel fills in the checksum of IPv4."""
    ends = b"".join(ipaddress.ip_address(end[0]).packed for end in (source, target))
    if len(ends) == 8:
        return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(piece), number, more << 13 | offset // 8,
                           64, socket.IPPROTO_UDP, 0) + ends + piece
    return struct.pack("!IHBB", 6 << 28, 8 + len(piece), 44, 64) + ends + \
        struct.pack("!BBHI", socket.IPPROTO_UDP, 0, offset | more, number) + piece


def send(raw, source, target, number, payload):
    datagram = udp(source, target, payload)
    for offset in reversed(range(0, len(datagram), PIECE)):
        piece = datagram[offset:offset + PIECE]
        more = offset + PIECE < len(datagram)
        raw.sendto(fragment(source, target, number, offset, more, piece), (target[0], 0))


def open_sockets(addr):
    family = socket.AF_INET6 if ":" in addr else socket.AF_INET
    return (socket.socket(family, socket.SOCK_DGRAM),
            socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW))


def serve(addr, port):
    sock, raw = open_sockets(addr)
    sock.bind((addr, port))
    print("ready", flush=True)
    number = 0
    while True:
        data, peer = sock.recvfrom(65536)
        number += 1
        send(raw, (addr, port), peer[:2], number, data)


def ask(addr, port, size, count):
    sock, raw = open_sockets(addr)
    sock.connect((addr, port))
    sock.settimeout(PATIENCE_S)
    came = 0
    for number in range(size % 1000 + 1, size % 1000 + 1 + count):
        payload = bytes([number % 256]) * size
        send(raw, sock.getsockname()[:2], (addr, port), number, payload)
        try:
            came += sock.recv(65536) == payload
        except TimeoutError:
            pass
    print(f"{came} of {count}")


if sys.argv[1] == "serve":
    serve(sys.argv[2], int(sys.argv[3]))
else:
    ask(sys.argv[2], *map(int, sys.argv[3:6]))
