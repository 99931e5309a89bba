#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Datagrams that come in bursts, as those of QUIC do, for the tests of the forwarder.

  burst.py serve ADDR PORT          until killed; "ready" on stdout
  burst.py ask ADDR PORT SIZE...    a burst of datagrams of these sizes; prints how many came back
  burst.py ports ADDR PORT COUNT    one datagram from each of COUNT ports, to an echo server
  burst.py whole ADDR PORT SIZE...  the same, sent in pieces that the kernel divides

The server waits until it has had a whole burst, and answers it in pieces that the kernel divides
(UDP_SEGMENT), or that the device hands on as they are (USO).  Every byte is compared.
"""
import random
import socket
import struct
import sys

UDP_SEGMENT = 103
IP_MTU_DISCOVER = 10
IP_PMTUDISC_DONT = 0


def datagrams(sizes):
    """The first byte says how many there are, the second which one it is."""
    source = random.Random(1)
    return [bytes([len(sizes), i]) + source.randbytes(size - 2) for i, size in enumerate(sizes)]


def open_socket(addr):
    sock = socket.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(20)
    if ":" not in addr:  # routers may fragment
        sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
    return sock


def send_whole(sock, burst, peer=None):
    """Runs of one size go at once."""
    while burst:
        n = 1
        while n < len(burst) and len(burst[n - 1]) == len(burst[0]) >= len(burst[n]):
            n += 1
        sock.sendmsg([b"".join(burst[:n])],
                     [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("H", len(burst[0])))]
                     if n > 1 else [], 0, *([peer] if peer else []))
        burst = burst[n:]


def serve(addr, port):
    sock = open_socket(addr)
    sock.settimeout(None)
    sock.bind((addr, port))
    print("ready", flush=True)
    burst = []
    while True:
        data, peer = sock.recvfrom(65536)
        burst.append(data)
        if len(burst) == data[0]:
            send_whole(sock, burst, peer)
            burst = []


def ask(addr, port, sizes, whole):
    sock = open_socket(addr)
    sock.connect((addr, port))
    expected = datagrams(sizes)
    if whole:
        send_whole(sock, expected)
    else:
        for data in expected:
            sock.send(data)
    got = [sock.recv(65536) for _ in expected]
    print(f"{sum(a == b for a, b in zip(got, expected))} of {len(expected)}")


def ports(addr, port, count):
    """A few at a time, as the server's socket has only so much room."""
    socks = [open_socket(addr) for _ in range(count)]
    right = 0
    for start in range(0, count, 20):
        some = list(enumerate(socks))[start:start + 20]
        for i, sock in some:
            sock.sendto(b"%d" % i, (addr, port))
        right += sum(sock.recv(100) == b"%d" % i for i, sock in some)
    print(f"{right} of {count}")


if sys.argv[1] == "serve":
    serve(sys.argv[2], int(sys.argv[3]))
elif sys.argv[1] == "ports":
    ports(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
else:
    ask(sys.argv[2], int(sys.argv[3]), list(map(int, sys.argv[4:])), sys.argv[1] == "whole")
