#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""TCP as end hosts do it seldom, and as others forge it.

  tcp.py sink ADDR PORT              a server, until killed; "ready" on stdout
  tcp.py pour ADDR PORT BYTES COUNT  COUNT connections at once to a sink
  tcp.py forget ADDR PORT SPORT      an exchange with an echo server, from port SPORT; then the
                                     socket is gone without a segment, as by a crash, and another
                                     one makes the same connection
  tcp.py meet ADDR PORT SPORT        open a connection that the other end opens, too
  tcp.py spoof PREFIX COUNT ADDR PORT
                                     handshakes of COUNT sources that never see an answer: PREFIX
                                     and a number
  tcp.py forge FLAGS OFFSET DEVICE SRC SPORT DST DPORT
                                     prints "ready"; with SIGUSR1 sends a segment as SRC, whose
                                     number is by OFFSET behind all that was seen from there

A sink half-closes with the first byte that it gets.  Pour sends its data after that, closes, and
asks in another connection what has arrived.  Those that try something print "ok" and exit with 0 if
it went as it should.  FLAGS are letters: s, a, f, r.  What is forged goes out by raw sockets, on the
way of this host's own packets.
"""
import hashlib
import random
import signal
import socket
import struct
import sys
import threading
import time

PATIENCE_S = 60
FLAGS = {"f": 1, "s": 2, "r": 4, "a": 16}
TCP_REPAIR = 19
BLOCK = random.Random(1).randbytes(100003)


def family(addr):
    return socket.AF_INET6 if ":" in addr else socket.AF_INET


def open_socket(addr, sport=0):
    sock = socket.socket(family(addr))
    sock.settimeout(PATIENCE_S)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if ":" in addr:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if sport:
        sock.bind(("::" if ":" in addr else "0.0.0.0", sport))
    return sock


def connect(addr, port, sport=0):
    sock = open_socket(addr, sport)
    sock.connect((addr, port))
    return sock


def read_all(sock):
    parts = []
    while data := sock.recv(1 << 16):
        parts.append(data)
    return b"".join(parts)


def content(count):
    return (BLOCK * (count // len(BLOCK) + 1))[:count]


def digest(data):
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def sink(addr, port):
    got = {}  # digests by what the client calls its connection

    def one(sock):
        try:
            sock.settimeout(PATIENCE_S)
            if sock.recv(1) == b"?":
                name = sock.recv(16, socket.MSG_WAITALL)
                deadline = time.monotonic() + PATIENCE_S
                while name not in got and time.monotonic() < deadline:
                    time.sleep(0.01)
                sock.sendall(got.get(name, "nothing").encode())
            else:
                sock.shutdown(socket.SHUT_WR)
                data = read_all(sock)
                got[data[:16]] = digest(data[16:])
        except OSError:
            pass  # the client will say
        sock.close()

    listener = open_socket(addr, port)
    listener.settimeout(None)
    listener.listen(64)
    print("ready", flush=True)
    while True:
        threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()


def pour_one(addr, port, count, failures):
    name = random.randbytes(16)
    data = content(count)
    try:
        with connect(addr, port) as sock:
            sock.sendall(b"!")
            if sock.recv(1):
                raise OSError("the sink has said something")
            sock.sendall(name + data)
        with connect(addr, port) as sock:
            sock.sendall(b"?" + name)
            answer = read_all(sock).decode()
        if answer != digest(data):
            raise OSError("what was poured is not what arrived")
    except OSError as error:
        failures.append(str(error))


def pour(addr, port, count, connections):
    failures = []
    threads = [threading.Thread(target=pour_one, args=(addr, port, count, failures))
               for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        sys.exit(f"{len(failures)} of {connections}: {failures[0]}")
    print("ok")


def exchange(sock):
    sock.sendall(b"12345678")
    if sock.recv(8, socket.MSG_WAITALL) != b"12345678":
        sys.exit("wrong answer")


def forget(addr, port, sport):
    sock = connect(addr, port, sport)
    exchange(sock)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    sock.close()
    with connect(addr, port, sport) as sock:
        exchange(sock)
    print("ok")


def meet(addr, port, sport):
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            sock = connect(addr, port, sport)
            break
        except ConnectionRefusedError:  # it has not begun yet
            if time.monotonic() > deadline:
                raise
    with sock:
        sock.sendall(b"meet")
        if sock.recv(4, socket.MSG_WAITALL) != b"meet":
            sys.exit("wrong word")
        sock.shutdown(socket.SHUT_WR)
        if sock.recv(1):
            sys.exit("more than there was")
    print("ok")


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def packed(addr):
    return socket.inet_pton(family(addr), addr)


def packet(src, sport, dst, dport, flags, seq, ack):
    """A segment without data, as an IP packet."""
    bits = sum(FLAGS[flag] for flag in flags)
    tcp = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xffffffff, ack & 0xffffffff, 0x50, bits,
                      1000, 0, 0)
    pseudo = packed(src) + packed(dst) + struct.pack("!IHBB", len(tcp), 0, 0, socket.IPPROTO_TCP)
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    if family(src) == socket.AF_INET6:
        return struct.pack("!IHBB", 6 << 28, len(tcp), socket.IPPROTO_TCP, 64) + \
            packed(src) + packed(dst) + tcp
    # the kernel fills in the checksum
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, socket.IPPROTO_TCP, 0) + \
        packed(src) + packed(dst) + tcp


def send_raw(dst, packets):
    with socket.socket(family(dst), socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        for data in packets:
            sock.sendto(data, (dst, 0))


def spoof(prefix, count, addr, port):
    numbers = [random.getrandbits(32) for _ in range(count)]
    sources = [f"{prefix}{n + 1}" for n in range(count)]
    send_raw(addr, [packet(source, 4000, addr, port, "s", number, 0)
                    for source, number in zip(sources, numbers)])
    time.sleep(0.5)  # the answers, which nobody sees
    for _ in range(8):
        send_raw(addr, [packet(source, 4000, addr, port, "a", number + 1, random.getrandbits(32))
                        for source, number in zip(sources, numbers)])
    print("ok")


def segment_of(data, src, sport, dst, dport):
    """(number behind the segment, acknowledgment), or None: not of that way of the connection."""
    if data[0] >> 4 == 6:
        addresses, tcp, end = data[8:40], data[40:], 40 + int.from_bytes(data[4:6], "big")
        protocol = data[6]
    else:
        header = data[0] % 16 * 4
        addresses, tcp, end = data[12:20], data[header:], int.from_bytes(data[2:4], "big")
        protocol = data[9]
    ports = sport.to_bytes(2, "big") + dport.to_bytes(2, "big")
    if protocol != socket.IPPROTO_TCP or addresses != packed(src) + packed(dst) or tcp[:4] != ports:
        return None
    seq, ack = struct.unpack("!II", tcp[4:12])
    payload = end - (len(data) - len(tcp)) - (tcp[12] >> 4) * 4
    return seq + payload + bool(tcp[13] & FLAGS["s"]) + bool(tcp[13] & FLAGS["f"]), ack


def forge(flags, offset, device, src, sport, dst, dport):
    ends = []
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    sniffer.bind((device, 0))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    print("ready", flush=True)
    signal.sigwait({signal.SIGUSR1})
    sniffer.setblocking(False)
    try:
        while data := sniffer.recv(1 << 16):
            if segment := segment_of(data, src, sport, dst, dport):
                ends.append(segment)
    except BlockingIOError:
        pass
    if not ends:
        sys.exit("nothing was seen of the connection")
    end, ack = ends[-1]
    send_raw(dst, [packet(src, sport, dst, dport, flags, end + offset, ack if "a" in flags else 0)])
    print("ok")


def main():
    command, *words = sys.argv[1:]
    commands = {"sink": sink, "pour": pour, "forget": forget, "meet": meet, "spoof": spoof,
                "forge": forge}
    commands[command](*(int(word) if word.lstrip("-").isdigit() else word for word in words))


main()
