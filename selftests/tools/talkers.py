#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Datagrams of peers that are answered, for the tests of full tables.

  talkers.py KIND SOURCE N PEER-NETNS DEVICE ROUTER-NETNS DEVICE   N flows of SOURCE: udp, icmp
  talkers.py first SOURCE N PEER-NETNS DEVICE                      first fragments of N datagrams

Both ends are played here, by packet sockets; the router should have a blackhole route for 10.99.0.1
and fd99::1, to which the flows go.  In each of them the peer sends, is answered, and sends again.
Fragments go to 100.64.0.1 or fd64::1.  Prints how many packets of the peer came.
"""
import ctypes
import ipaddress
import socket
import struct
import sys
import time

BATCH = 128
LIBC = ctypes.CDLL(None, use_errno=True)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def open_socket(netns, device, version):
    with open("/run/netns/" + netns, "rb") as file:
        if LIBC.setns(file.fileno(), 0):
            raise OSError(ctypes.get_errno(), netns)
    ethertype = 0x0800 if version == 4 else 0x86dd
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ethertype))
    sock.bind((device, ethertype))
    sock.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
    sock.settimeout(2)
    to = (device, ethertype, 0, 0, b"\x33\x33\0\0\0\1")
    return lambda packet: sock.sendto(packet, to), sock


def ip(src, dst, protocol, data, ident=0, more=False):
    if src.version == 4:
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), ident & 0xffff,
                             0x2000 if more else 0, 64, protocol, 0) + src.packed + dst.packed
        return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + data
    if more:
        data = struct.pack("!BBHI", protocol, 0, 1, ident) + data
        protocol = 44
    return struct.pack("!IHBB", 6 << 28, len(data), protocol, 64) + src.packed + dst.packed + data


def datagram(kind, src, dst, number, answer):
    """One of flow NUMBER, whose number is in the ports or in the identifier."""
    if answer:
        src, dst = dst, src
    if kind == "udp":
        ports = (53, 1024 + number) if answer else (1024 + number, 53)
        return ip(src, dst, 17, struct.pack("!HHHH", *ports, 8, 0))
    request, reply, protocol = (8, 0, 1) if src.version == 4 else (128, 129, 58)
    echo = struct.pack("!BBHHH", reply if answer else request, 0, 0, number, 1)
    pseudo = b"" if src.version == 4 else src.packed + dst.packed + struct.pack("!II", 8, 58)
    return ip(src, dst, protocol, echo[:2] + struct.pack("!H", checksum(pseudo + echo)) + echo[4:])


def count(sock, src, wanted):
    """Packets of SRC that come, up to WANTED."""
    at, came = (12, 0) if src.version == 4 else (8, 0)
    try:
        while came < wanted:
            packet, sender = sock.recvfrom(256)
            came += sender[2] != 4 and packet[at:at + len(src.packed)] == src.packed
    except socket.timeout:
        pass
    return came


def talk(kind, src, n, peer, router):
    dst = ipaddress.ip_address("10.99.0.1" if src.version == 4 else "fd99::1")
    send, _ = open_socket(*peer, src.version)
    answer, received = open_socket(*router, src.version)
    came = 0
    for first in range(0, n, BATCH):
        batch = range(first, min(first + BATCH, n))
        for is_answer in False, True, False:
            for number in batch:
                (answer if is_answer else send)(datagram(kind, src, dst, number, is_answer))
            if not is_answer:
                came += count(received, src, len(batch))
    print("came=%d" % came)


def fragments(src, n, peer):
    dst = ipaddress.ip_address("100.64.0.1" if src.version == 4 else "fd64::1")
    send, _ = open_socket(*peer, src.version)
    for number in range(n):
        send(ip(src, dst, 17, struct.pack("!HHHH", 1024, 53, 64, 0) + bytes(8), number, True))
        if number % 16 == 0:  # the link shall lose nothing
            time.sleep(.001)


def main():
    kind, src, n = sys.argv[1], ipaddress.ip_address(sys.argv[2]), int(sys.argv[3])
    if kind == "first":
        fragments(src, n, sys.argv[4:6])
    else:
        talk(kind, src, n, sys.argv[4:6], sys.argv[6:8])


main()
