#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Peers that take more than others, for the tests of what the forwarder lets each of them have.

  greedy.py dial COUNT SOURCE...                from each SOURCE, COUNT connections to addresses of
                                                10.88.0.0/16 that say nothing, until killed; each
                                                minute others
  greedy.py halves SOURCE ADDR DPORT            a thousand halves of datagrams a second, until killed
  greedy.py endless ADDR PORT                   a server that sends on every connection, until killed
  greedy.py stall COUNT BYTES ADDR DPORT        COUNT connections to it; reads BYTES of each, and then
                                                nothing any more, until killed
  greedy.py fragments SOURCE OTHER ADDR DPORT COUNT
                                                half a datagram of OTHER's, COUNT halves of SOURCE's, the
                                                other half; prints how many answers OTHER had
  greedy.py reset-server ADDR PORT              resets each connection at once, until killed
  greedy.py reset-client ADDR PORT COUNT        connects; prints how often that was reset, and refused

IPv4 only.  "ready" on stdout when all is under way.
"""
import select
import signal
import socket
import struct
import sys
import time

PATIENCE_S = 5
RESET_AT_ONCE = struct.pack("ii", 1, 0)
MORE_FRAGMENTS = 0x2000
HALF = 1000


def dial_one(source, addr):
    sock = socket.socket()
    sock.setblocking(False)
    sock.bind((source, 0))
    sock.connect_ex((addr, 80))
    return sock


def dial(count, sources):
    while True:
        socks = [dial_one(source, f"10.88.{number}.{i}")
                 for number, source in enumerate(sources) for i in range(count)]
        print("ready", flush=True)
        time.sleep(60)
        for sock in socks:
            sock.close()


def fragment(source, addr, ident, field, data):
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, ident, field, 64, socket.IPPROTO_UDP, 0,
                         socket.inet_aton(source), socket.inet_aton(addr))
    return header + data


def halves(source, addr, ident, sport, dport):
    """A datagram of 8 + 2 * HALF bytes without a checksum; the header goes with the first half."""
    head = struct.pack("!HHHH", sport, dport, 8 + 2 * HALF, 0)
    return (fragment(source, addr, ident, MORE_FRAGMENTS, head + b"1" * HALF),
            fragment(source, addr, ident, (8 + HALF) // 8, b"2" * HALF))


def send_halves(source, addr, dport):
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    print("ready", flush=True)
    for ident in range(1 << 31):
        raw.sendto(halves(source, addr, ident & 0xffff, 1, dport)[0], (addr, 0))
        time.sleep(0.001)


def fragments(source, other, addr, dport, count):
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    answers = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    answers.bind((other, 0))
    answers.settimeout(PATIENCE_S)
    first, second = halves(other, addr, 1, answers.getsockname()[1], dport)
    raw.sendto(first, (addr, 0))
    for ident in range(count):
        raw.sendto(halves(source, addr, ident, 1, dport)[0], (addr, 0))
    raw.sendto(second, (addr, 0))
    try:
        print(int(answers.recv(65536) == b"1" * HALF + b"2" * HALF))
    except TimeoutError:
        print(0)


def endless(addr, port):
    poll, socks, data = select.epoll(), {}, b"x" * 65536
    server = socket.create_server((addr, port), backlog=1024)
    poll.register(server, select.EPOLLIN)
    print("ready", flush=True)
    while True:
        for fd, _ in poll.poll():
            if fd == server.fileno():
                sock = server.accept()[0]
                sock.setblocking(False)
                socks[sock.fileno()] = sock
                poll.register(sock, select.EPOLLOUT | select.EPOLLET)
                fd = sock.fileno()
            try:
                while socks[fd].send(data):
                    pass
            except BlockingIOError:
                pass


def stall(count, size, addr, dport):
    socks = [socket.create_connection((addr, dport)) for _ in range(count)]
    for sock in socks:
        got = 0
        while got < size:
            got += len(sock.recv(1 << 20))
    print("ready", flush=True)
    signal.pause()


def reset_server(addr, port):
    server = socket.create_server((addr, port))
    print("ready", flush=True)
    while True:
        sock = server.accept()[0]
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_ONCE)
        sock.close()


def reset_client(addr, port, count):
    outcomes = []
    for _ in range(count):
        try:
            with socket.create_connection((addr, port), PATIENCE_S) as sock:
                outcomes.append("closed" if not sock.recv(1) else "data")
        except OSError as error:
            outcomes.append(type(error).__name__)
    print(" ".join(f"{name} {outcomes.count(name)}" for name in sorted(set(outcomes))))


command, args = sys.argv[1], sys.argv[2:]
if command == "dial":
    dial(int(args[0]), args[1:])
elif command == "halves":
    send_halves(args[0], args[1], int(args[2]))
elif command == "fragments":
    fragments(*args[:3], int(args[3]), int(args[4]))
elif command == "endless":
    endless(args[0], int(args[1]))
elif command == "stall":
    stall(int(args[0]), int(args[1]), args[2], int(args[3]))
elif command == "reset-server":
    reset_server(args[0], int(args[1]))
else:
    reset_client(args[0], int(args[1]), int(args[2]))
