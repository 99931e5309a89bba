#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A router behind the protected interface, whose next link is narrow, for the tests of the forwarder.

  toobig.py ROUTER ADDR DPORT BYTES MTU

Asks ADDR for an answer of BYTES, says in the name of ROUTER that its packet is too big, and asks
again.  Prints the lengths of the packets of both answers: "1428; 1296 188".
"""
import socket
import struct
import sys

ETH_P_IPV6 = 0x86dd
PATIENCE_S = 5
IPV6_HEADER, UDP_HEADER, FRAGMENT_HEADER = 40, 8, 8
FRAGMENT, UDP = 44, 17
TOO_BIG = 2


def answer_packets(wire, size):
    """Those of one answer: until all of its bytes have come."""
    packets, missing = [], size + UDP_HEADER
    while missing > 0:
        packet = wire.recv(65536)
        is_fragment = packet[6] == FRAGMENT
        if socket.inet_ntop(socket.AF_INET6, packet[8:24]) != addr or packet[6] not in (FRAGMENT, UDP):
            continue
        packets.append(packet)
        missing -= len(packet) - IPV6_HEADER - (FRAGMENT_HEADER if is_fragment else 0)
    return packets


router, addr, dport, size, mtu = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IPV6))
wire.bind(("p0", ETH_P_IPV6))
wire.settimeout(PATIENCE_S)
ask = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
ask.settimeout(PATIENCE_S)
ask.connect((addr, dport))

ask.send(b"burst 1 %d" % size)
before = answer_packets(wire, size)
ask.recv(65536)
icmp = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
icmp.bind((router, 0))
icmp.sendto(struct.pack("!BBHI", TOO_BIG, 0, 0, mtu) + before[0][:1232], (addr, 0))
ask.send(b"burst 1 %d" % size)
after = answer_packets(wire, size)
assert len(ask.recv(65536)) == size
print("; ".join(" ".join(str(len(p)) for p in packets) for packets in (before, after)))
