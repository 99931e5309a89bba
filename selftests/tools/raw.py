#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Packets of protocols that have no ports, by raw sockets.

  raw.py serve ADDR PROTOCOL...       answers each with what it holds; "ready" on stdout, until killed
  raw.py ask ADDR PROTOCOL [BYTES [SOURCE]]
                                      "ok" if such an answer comes back, "refused" where the host says
                                      that it has no such protocol, "timeout"; BYTES (100) of payload

PROTOCOL is a number.
"""
import errno
import os
import select
import socket
import sys

PATIENCE_S = 3


def raw(addr, protocol):
    family = socket.AF_INET6 if ":" in addr else socket.AF_INET
    return socket.socket(family, socket.SOCK_RAW, protocol)


def payload_of(sock, packet):
    """What is behind the IP header, which IPv6 does not hand out."""
    return packet[20:] if sock.family == socket.AF_INET else packet


def serve(addr, protocols):
    socks = [raw(addr, int(protocol)) for protocol in protocols]
    for sock in socks:
        sock.bind((addr, 0))
    print("ready", flush=True)
    while True:
        for sock in select.select(socks, [], [])[0]:
            packet, source = sock.recvfrom(65535)
            sock.sendto(payload_of(sock, packet), source)


def ask(addr, protocol, size, source):
    sock = raw(addr, protocol)
    if source:
        sock.bind((source, 0))
    sock.connect((addr, 0))
    data = os.urandom(size)
    try:
        sock.send(data)
        if not select.select([sock], [], [], PATIENCE_S)[0]:
            return "timeout"
        return "ok" if payload_of(sock, sock.recv(65535)) == data else "mismatch"
    except OSError as error:
        return {errno.ENOPROTOOPT: "refused", errno.EACCES: "refused"}.get(error.errno, str(error))


def main():
    if sys.argv[1] == "serve":
        serve(sys.argv[2], sys.argv[3:])
    size = int(sys.argv[4]) if sys.argv[4:] else 100
    print(ask(sys.argv[2], int(sys.argv[3]), size, sys.argv[5] if sys.argv[5:] else None))


main()
