#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What becomes of the type of service and the time to live of datagrams, for the tests of the forwarder.

  marks.py serve ADDR PORT          until killed; "ready" on stdout.  Says in its answer with which type
                                    of service and time to live a datagram came; answers with those
                                    of TOS and TTL below
  marks.py ask ADDR PORT TOS...     one for each TOS; prints "SEEN/TTL>ANSWERED/TTL" for each
"""
import socket
import sys

TOS, TTL = 0xb9, 50  # EF, ECT(1)
PATIENCE_S = 5


def open_socket(addr):
    """A socket, its protocol level, and the options for type of service and time to live."""
    if ":" in addr:
        sock, level = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM), socket.IPPROTO_IPV6
        tos, ttl = socket.IPV6_TCLASS, socket.IPV6_UNICAST_HOPS
        wanted = socket.IPV6_RECVTCLASS, socket.IPV6_RECVHOPLIMIT
    else:
        sock, level = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.IPPROTO_IP
        tos, ttl = socket.IP_TOS, socket.IP_TTL
        wanted = socket.IP_RECVTOS, 12  # IP_RECVTTL
    for option in wanted:
        sock.setsockopt(level, option, 1)
    return sock, level, tos, ttl


def receive(sock):
    data, controls, _, peer = sock.recvmsg(2000, 200)
    values = {kind: value[0] for _, kind, value in controls}
    tos = values.get(socket.IP_TOS, values.get(socket.IPV6_TCLASS))
    ttl = values.get(socket.IP_TTL, values.get(socket.IPV6_HOPLIMIT))
    return data, f"{tos:02x}/{ttl}", peer


def serve(addr, port):
    sock, level, tos, ttl = open_socket(addr)
    sock.setsockopt(level, tos, TOS)
    sock.setsockopt(level, ttl, TTL)
    sock.bind((addr, port))
    print("ready", flush=True)
    while True:
        _, seen, peer = receive(sock)
        sock.sendto(seen.encode(), peer)


def ask(addr, port, values):
    sock, level, tos, _ = open_socket(addr)
    sock.settimeout(PATIENCE_S)
    for value in values:
        sock.setsockopt(level, tos, int(value, 16))
        sock.sendto(b"what", (addr, port))
        data, answered, _ = receive(sock)
        print(f"{data.decode()}>{answered}")


if sys.argv[1] == "serve":
    serve(sys.argv[2], int(sys.argv[3]))
else:
    ask(sys.argv[2], int(sys.argv[3]), sys.argv[4:])
