#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A peer that makes its packets by itself, for the tests of what the forwarder does to a packet.

  wire.py sums DEVICE SRC DST PORT     what an echo server answers to packets with odd checksums
  wire.py marks DEVICE SRC DST PORT tcp|udp|icmp    what becomes of type of service and time to live
  wire.py ids DEVICE SRC DST PORT      how many identifications four answers of UDP and of ICMP have
  wire.py dial DEVICE SRC DST PORT     one SYN, and nothing after it
  wire.py flood DEVICE SRC DST PORT COUNT    COUNT datagrams
  wire.py odd DEVICE SRC DST PORT      a packet of each kind that is not relayed: 300 first fragments,
                                       one of a protocol that is not forwarded, one at its last hop
  wire.py server DEVICE ADDR PORT      for marks; "ready" on stdout, until killed

SRC is an address that nobody else answers for; what comes for it is read from DEVICE, from which
all is sent.  Sums prints which packets were answered, by protocol; marks what the server has seen
and what has come back, as TOS>TOS/TTL, numbers in hexadecimal but the last one.
"""
import select
import socket
import struct
import sys
import time

PATIENCE_S = 10
SYN, RST, ACK = 2, 4, 16
SPORT = 40000
EF, AF41, AF11, CS1 = 0xb8, 0x88, 0x28, 0x20  # DSCP (RFC 4594), where the type of service has it
ECT1, ECT0, CE = 1, 2, 3  # ECN (RFC 3168)
ANSWERS = {EF: AF11, AF41: CS1, EF | ECT1: AF11 | ECT0, AF41 | CE: CS1 | CE}


def fold(data):
    """The sum of RFC 1071, not complemented."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def flip(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at:][1:]


class Wire:
    """IP packets of one source, from and to a device."""

    def __init__(self, device, src, dst):
        self.version = 6 if ":" in src else 4
        family = socket.AF_INET6 if self.version == 6 else socket.AF_INET
        self.src, self.dst = socket.inet_pton(family, src), socket.inet_pton(family, dst)
        ethertype = 0x86dd if self.version == 6 else 0x0800
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ethertype))
        self.sock.bind((device, ethertype))
        # no address of a neighbour is asked for: everybody takes this one
        self.to = (device, ethertype, 0, 0, b"\x33\x33\0\0\0\1")

    def pseudo(self, protocol, length):
        if self.version == 4:
            return self.src + self.dst + struct.pack("!BBH", 0, protocol, length)
        return self.src + self.dst + struct.pack("!IHBB", length, 0, 0, protocol)

    def packet(self, protocol, data, ttl=64, tos=0, fragment=0, ident=0):
        if self.version == 6:
            if fragment or ident:
                data = struct.pack("!BBHI", protocol, 0, (fragment & 0x1fff) * 8 |
                                   fragment >> 13, ident) + data
                protocol = 44
            return struct.pack("!IHBB", 6 << 28 | tos << 20, len(data), protocol, ttl) + \
                self.src + self.dst + data
        header = struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(data), ident, fragment, ttl,
                             protocol, 0) + self.src + self.dst
        return header[:10] + struct.pack("!H", ~fold(header) & 0xffff) + header[12:] + data

    def summed(self, protocol, data, at, how="whole"):
        """A transport packet with its checksum, or less than that."""
        pseudo = b"" if protocol == socket.IPPROTO_ICMP else self.pseudo(protocol, len(data))
        value = {"none": 0, "partial": fold(pseudo)}.get(how)
        if value is None:
            value = ~fold(pseudo + data) & 0xffff or 0xffff
        return data[:at] + struct.pack("!H", value) + data[at + 2:]

    def udp(self, port, payload, how="whole"):
        return self.summed(17, struct.pack("!HHHH", SPORT, port, 8 + len(payload), 0) + payload, 6,
                           how)

    def echo(self, payload, seq):
        is6 = self.version == 6
        return self.summed(58 if is6 else 1,
                           struct.pack("!BBHHH", 128 if is6 else 8, 0, 0, 7, seq) + payload, 2)

    def tcp(self, port, flags, seq, ack, payload=b"", how="whole", urgent=0):
        return self.summed(6, struct.pack("!HHIIBBHHH", SPORT, port, seq, ack, 0x50, flags, 64000, 0,
                                          urgent) + payload, 16, how)

    def send(self, packet):
        self.sock.sendto(packet, self.to)

    def receive(self, protocol):
        """(ttl, tos, transport packet) of the next answer."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            self.sock.settimeout(max(deadline - time.monotonic(), 0.001))
            packet, sender = self.sock.recvfrom(65535)
            if sender[2] == socket.PACKET_OUTGOING:
                continue
            if self.version == 4:
                self.ident = packet[4:6]
                fields = packet[9], packet[8], packet[1], packet[20:struct.unpack("!H", packet[2:4])[0]]
                dst = packet[16:20]
            else:
                tos = struct.unpack("!H", packet[:2])[0] >> 4 & 0xff
                fields = packet[6], packet[7], tos, packet[40:]
                dst = packet[24:40]
            if dst == self.src and fields[0] == protocol:
                return fields[1:]


def sums_of_udp(wire, port):
    """All go by one flow, so that the last answer says that there are no more."""
    whole = wire.packet(17, wire.udp(port, b"whole"))
    wire.send(whole)
    wire.send(wire.packet(17, wire.udp(port, b"none", "none")))
    wire.send(wire.packet(17, wire.udp(port, b"partial", "partial")))
    wire.send(wire.packet(17, wire.udp(port, b"long" * 400)[:1208]))  # cut by a middlebox
    wire.send(flip(whole, len(whole) - 1))
    if wire.version == 4:
        wire.send(flip(whole, 4))  # its identification
    for payload in b"fragment", b"damaged!":
        datagram = wire.udp(port, payload)
        wire.send(wire.packet(17, datagram[:8], fragment=0x2000, ident=payload[0]))
        rest = datagram[8:] if payload == b"fragment" else flip(datagram[8:], 0)
        wire.send(wire.packet(17, rest, fragment=1, ident=payload[0]))
    wire.send(wire.packet(17, wire.udp(port, b"end")))
    while (payload := wire.receive(17)[2][8:]) != b"end":
        yield payload.decode()


def sums_of_icmp(wire):
    protocol = 58 if wire.version == 6 else 1
    whole = wire.packet(protocol, wire.echo(b"whole", 1))
    wire.send(whole)
    wire.send(flip(whole, len(whole) - 1))
    wire.send(wire.packet(protocol, wire.echo(b"end", 2)))
    seen = []
    while b"end" not in seen:
        answer = wire.receive(protocol)[2]
        if answer[0] in (0, 129):
            seen.append(answer[8:])
            yield answer[8:].decode()


class Connection:
    """What little of TCP it takes."""

    def __init__(self, wire, port, tos=0):
        self.wire, self.port, self.seq, self.tos = wire, port, 1000, tos
        wire.send(wire.packet(6, wire.tcp(port, SYN, self.seq, 0), tos=tos))
        self.seq += 1
        while True:
            answer = wire.receive(6)[2]
            if answer[13] & SYN:
                break
        self.ack = struct.unpack("!I", answer[4:8])[0] + 1
        self.send(b"")

    def segment(self, payload, how="whole", flags=ACK, urgent=0):
        return self.wire.packet(6, self.wire.tcp(self.port, flags, self.seq, self.ack, payload, how,
                                                 urgent), tos=self.tos)

    def send(self, payload, **options):
        self.wire.send(self.segment(payload, **options))
        self.seq += len(payload)

    def receive(self):
        """The next data, which is acknowledged, with its TTL and TOS."""
        while True:
            ttl, tos, answer = self.wire.receive(6)
            data = answer[(answer[12] >> 4) * 4:]
            if answer[13] & RST:
                raise OSError("reset")
            if data and struct.unpack("!I", answer[4:8])[0] == self.ack:
                self.ack += len(data)
                self.send(b"")
                return ttl, tos, data

    def end(self):
        self.wire.send(self.segment(b"", flags=RST | ACK))


def sums_of_tcp(wire, port):
    """A segment that is damaged, then as it should have been, as a sender tries again."""
    connection = Connection(wire, port)
    for how in "whole", "partial":
        connection.send(how.encode(), how=how)
        yield connection.receive()[2].decode()
    damaged = connection.segment(b"damaged")
    wire.send(flip(damaged, len(damaged) - 1))
    connection.send(b"again")
    yield connection.receive()[2].decode()
    connection.end()


def sums(device, src, dst, port):
    wire = Wire(device, src, dst)
    print("udp", *sums_of_udp(wire, int(port)))
    print("tcp", *sums_of_tcp(wire, int(port)))
    print("icmp", *sums_of_icmp(wire))


def marks_of_tcp(wire, port):
    connection = Connection(wire, port, EF)
    for tos in EF, AF41:
        connection.tos = tos
        connection.send(b"what")
        yield connection.receive()
    connection.end()


def marks_of_udp(wire, port):
    for tos in EF | ECT1, AF41 | CE:
        wire.send(wire.packet(17, wire.udp(port, b"what"), tos=tos))
        ttl, answered, answer = wire.receive(17)
        yield ttl, answered, answer[8:]


def marks_of_icmp(wire):
    """Hosts answer with the type of service that they were asked with."""
    protocol = 58 if wire.version == 6 else 1
    for seq, tos in enumerate((EF | ECT1, AF41 | CE)):
        wire.send(wire.packet(protocol, wire.echo(b"what", seq), tos=tos))
        ttl, answered, _ = wire.receive(protocol)
        yield ttl, answered, b"%02x" % tos


def marks(device, src, dst, port, protocol):
    wire = Wire(device, src, dst)
    answers = {"tcp": lambda: marks_of_tcp(wire, int(port)), "icmp": lambda: marks_of_icmp(wire),
               "udp": lambda: marks_of_udp(wire, int(port))}[protocol]()
    print(*(f"{seen.decode()}>{tos:02x}/{ttl}" for ttl, tos, seen in answers))


def ids(device, src, dst, port):
    wire = Wire(device, src, dst)
    seen = set()
    for seq in range(4):
        for protocol, data in (17, wire.udp(int(port), b"what")), (1, wire.echo(b"what", seq)):
            wire.send(wire.packet(protocol, data))
            wire.receive(protocol)
            seen.add(wire.ident)
    print(len(seen))


def dial(device, src, dst, port):
    wire = Wire(device, src, dst)
    wire.send(wire.packet(6, wire.tcp(int(port), SYN, 1000, 0)))


def flood(device, src, dst, port, count):
    wire = Wire(device, src, dst)
    datagram = wire.packet(17, wire.udp(int(port), b"flood"))
    for _ in range(int(count)):
        wire.send(datagram)


def odd(device, src, dst, port):
    wire = Wire(device, src, dst)
    for i in range(300):
        wire.send(wire.packet(17, wire.udp(int(port), b"8 bytes."), fragment=0x2000, ident=i + 1))
    wire.send(wire.packet(47, b"tunnel"))
    wire.send(wire.packet(17, wire.udp(int(port), b"late"), ttl=1))


def tos_of(packet, port):
    """Type of service of a segment with data for PORT, or None."""
    version = packet[0] >> 4
    at = (packet[0] & 15) * 4 if version == 4 else 40
    if packet[9 if version == 4 else 6] != 6 or len(packet) <= at + 20:
        return None
    dport, offset = struct.unpack("!H", packet[at + 2:at + 4])[0], packet[at + 12] >> 4
    if dport != port or len(packet) <= at + offset * 4:
        return None
    return packet[1] if version == 4 else struct.unpack("!H", packet[:2])[0] >> 4 & 0xff


def server(device, addr, port):
    """Answers with what type of service it was asked, in one that is different each time."""
    port, is6 = int(port), ":" in addr
    family = socket.AF_INET6 if is6 else socket.AF_INET
    level, option, wanted = (41, 67, 66) if is6 else (0, 1, 13)  # IP_TOS, IP_RECVTOS
    ethertype = 0x86dd if is6 else 0x0800
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ethertype))
    wire.bind((device, ethertype))
    listener, udp = socket.socket(family), socket.socket(family, socket.SOCK_DGRAM)
    for sock in listener, udp:
        sock.bind((addr, port))
    udp.setsockopt(level, wanted, 1)
    listener.listen()
    accepted, tos = None, 0
    print("ready", flush=True)
    while True:
        watched = [wire, listener, udp] + ([accepted] if accepted else [])
        ready = select.select(watched, [], [])[0]
        if wire in ready:
            seen = tos_of(wire.recv(65535), port)
            tos = tos if seen is None else seen
        elif listener in ready:
            accepted = listener.accept()[0]
        elif udp in ready:
            data, control, _, sender = udp.recvmsg(2000, 100)
            udp.setsockopt(level, option, ANSWERS[control[0][2][0]])
            udp.sendto(b"%02x" % control[0][2][0], sender)
        elif not accepted.recv(2000):
            accepted = None
        else:
            accepted.setsockopt(level, option, ANSWERS[tos])
            accepted.sendall(b"%02x" % tos)


if __name__ == "__main__":
    {"sums": sums, "marks": marks, "ids": ids, "dial": dial, "flood": flood, "odd": odd,
     "server": server}[sys.argv[1]](*sys.argv[2:])
