#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Datagrams of which no two have the same source, for the tests of what openings leave behind.

  once.py flood ADDR PORT             as fast as can be, until SIGTERM; "ready" on stdout
  once.py again ADDR PORT SOURCE...   one from each SOURCE, which is ADDR:PORT

IPv4 only.  The sources of a flood are in 100.64.128.0/17.
"""
import itertools
import signal
import socket
import struct
import sys


def datagram(source, sport, dest, dport):
    """An IPv4 header, whose checksum the kernel fills in, and a UDP header without one."""
    return struct.pack("!BBHHHBBH4s4sHHHH", 0x45, 0, 0, 0, 0, 64, socket.IPPROTO_UDP, 0,
                       socket.inet_aton(source), socket.inet_aton(dest), sport, dport, 8, 0)


def flood():
    for sport in itertools.count(1024):
        for host in range(1, 255):
            yield f"100.64.{128 + sport % 128}.{host}", sport


def main():
    command, dest, dport = sys.argv[1], sys.argv[2], int(sys.argv[3])
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if command == "flood":
        sources = flood()
        print("ready", flush=True)
    else:
        sources = ((addr, int(port)) for addr, port in (s.split(":") for s in sys.argv[4:]))
    for source, sport in sources:
        try:
            sock.sendto(datagram(source, sport, dest, dport), (dest, 0))
        except OSError:  # a full queue
            continue


main()
