#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Datagrams of a service that goes on talking to who has asked it once.

  stream.py serve ADDR PORT             prints "ready", then the words that come; the first one to send
                                        gets a datagram every 2 s, until killed, and "sent" is printed
  stream.py send ADDR PORT SPORT WORD   one datagram from port SPORT
  stream.py flood ADDR PORT N           two datagrams from each of N ports
"""
import socket
import struct
import sys
import time

PERIOD_S = 2


def open_socket(addr, sport=0):
    sock = socket.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if sport:
        sock.bind(("::" if ":" in addr else "0.0.0.0", sport))
    return sock


def serve(addr, port):
    sock = open_socket(addr, port)
    to, due = None, 0
    print("ready", flush=True)
    while True:
        sock.settimeout(max(due - time.monotonic(), .01) if to else None)
        try:
            word, sender = sock.recvfrom(100)
            to = to or sender
            print(word.decode(), flush=True)
        except (TimeoutError, ConnectionRefusedError):
            pass
        if time.monotonic() >= due:
            sock.sendto(b"stream", to)
            due = time.monotonic() + PERIOD_S
            print("sent", flush=True)


def send(addr, port, sport, word):
    with open_socket(addr, sport) as sock:
        sock.sendto(word.encode(), (addr, port))


def flood(addr, port, count):
    sock = socket.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET, socket.SOCK_RAW,
                         socket.IPPROTO_UDP)
    for first in range(1024, 1024 + count, 1000):
        for _ in range(2):
            for sport in range(first, first + 1000):
                sock.sendto(struct.pack("!HHHH", sport, port, 8, 0), (addr, 0))


def main():
    command, *words = sys.argv[1:]
    {"serve": serve, "send": send, "flood": flood}[command](
        *(int(word) if word.isdigit() else word for word in words))


main()
