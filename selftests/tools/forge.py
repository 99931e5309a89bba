#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Frames that nobody should believe, to an uplink, for the tests of routing by NAT.

  forge.py KIND DEVICE MAC SRC SPORT DST DPORT

They go out of DEVICE, to MAC unless the kind says otherwise.  "answer" is one UDP datagram, as the
others are that follow but for what makes them wrong: "last-hop" has one hop left, "frames" are four,
to broadcast, to a group, to another host and in a VLAN, "ports" come from all ports but SPORT and go
to all ports from 1024 on but DPORT, and "fragment" is a later fragment.  "tcp" is an ACK, "reset" a
RST far outside any window.  "errors" are ICMP errors that quote what DST would have sent from a port
beside DPORT, to a port beside SPORT, from another address, of another protocol, and cut short;
"error" is one that is right, and "router-error" the same from an address that is not SRC.
"priority" is an answer with a tag of no VLAN, which nothing is wrong with.
"""
import socket
import struct
import sys

KIND, DEVICE, MAC, SRC, SPORT, DST, DPORT = sys.argv[1:]
SPORT, DPORT = int(SPORT), int(DPORT)
VERSION = 6 if ":" in SRC else 4
FAMILY = socket.AF_INET6 if VERSION == 6 else socket.AF_INET
ETHERTYPE = 0x86dd if VERSION == 6 else 0x0800
ICMP = 58 if VERSION == 6 else 1
SOURCE = bytes.fromhex("020000000099")


def address(text):
    return socket.inet_pton(FAMILY, text)


def checksum(data):
    """RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ip(src, dst, protocol, payload, ttl=64, fragment=0):
    if VERSION == 6:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, ttl) + src + dst + payload
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 7, fragment, ttl, protocol, 0)
    total = checksum(header + src + dst)
    return header[:10] + struct.pack("!H", total) + src + dst + payload


def summed(src, dst, protocol, segment, at):
    pseudo = src + dst + struct.pack("!II", len(segment), protocol)
    if protocol == 1:
        pseudo = b""
    return segment[:at] + struct.pack("!H", checksum(pseudo + segment)) + segment[at + 2:]


def udp(src, sport, dst, dport, **how):
    data = b"forged"
    segment = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
    return ip(src, dst, 17, summed(src, dst, 17, segment, 6), **how)


def tcp(src, sport, dst, dport, flags):
    segment = struct.pack("!HHIIBBHHH", sport, dport, 0x12345678, 0x9abcdef0, 5 << 4, flags, 512, 0, 0)
    return ip(src, dst, 6, summed(src, dst, 6, segment, 16))


def error(src, dst, quoted):
    kind, code = (1, 4) if VERSION == 6 else (3, 3)
    message = struct.pack("!BBHI", kind, code, 0, 0) + quoted
    return ip(src, dst, ICMP, summed(src, dst, ICMP, message, 2))


def frame(packet, mac=None, vlan=None):
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    mac = bytes.fromhex((mac or MAC).replace(":", ""))
    return mac + SOURCE + tag + struct.pack("!H", ETHERTYPE) + packet


def frames():
    src, dst = address(SRC), address(DST)
    other = src[:-1] + bytes([src[-1] ^ 5])
    good = udp(src, SPORT, dst, DPORT)
    if KIND == "answer":
        yield frame(good)
    elif KIND == "last-hop":
        yield frame(udp(src, SPORT, dst, DPORT, ttl=1))
    elif KIND == "frames":
        for mac in "ffffffffffff", "01005e000001", "020000000055":
            yield frame(good, mac)
        yield frame(good, vlan=5)
    elif KIND == "priority":
        yield frame(good, vlan=5 << 13)
    elif KIND == "ports":
        for port in range(1024, 65536):
            if port != SPORT:
                yield frame(udp(src, port, dst, DPORT))
            if port != DPORT:
                yield frame(udp(src, SPORT, dst, port))
    elif KIND == "fragment":
        yield frame(udp(src, SPORT, dst, DPORT, fragment=185))
    elif KIND == "tcp":
        yield frame(tcp(src, SPORT, dst, DPORT, 0x10))
    elif KIND == "reset":
        yield frame(tcp(src, SPORT, dst, DPORT, 0x04))
    elif KIND == "error":
        yield frame(error(src, dst, udp(dst, DPORT, src, SPORT)))
    elif KIND == "router-error":
        yield frame(error(other, dst, udp(dst, DPORT, src, SPORT)))
    elif KIND == "errors":
        right = udp(dst, DPORT, src, SPORT)
        wrong = [udp(dst, DPORT ^ 1, src, SPORT), udp(dst, DPORT, src, SPORT ^ 1),
                 udp(dst, DPORT, other, SPORT), udp(other, DPORT, src, SPORT),
                 tcp(dst, DPORT, src, SPORT, 2), right[:28 if VERSION == 4 else 46][:-5],
                 error(dst, src, right)]
        for quoted in wrong:
            yield frame(error(src, dst, quoted))
    else:
        sys.exit("no such kind: " + KIND)


def main():
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sock.bind((DEVICE, 0))
    count = 0
    for data in frames():
        sock.send(data)
        count += 1
    print(count)


main()
