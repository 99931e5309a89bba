#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What programs do with their connections, for the tests of those who forward them.

  habits.py serve ADDR PORT              until killed; "ready" on stdout
  habits.py closes ADDR PORT COUNT       sends 1,000 bytes and closes, and is sent as many by a server
                                         that closes; so often each, and prints what came at either end
  habits.py bytes ADDR PORT COUNT        bytes one by one; prints how many came in their order
  habits.py options ADDR PORT            with segments of 536 bytes at most; prints the largest of the
                                         server's, and whether windows are scaled both ways
  habits.py rounds ADDR PORT COUNT       a byte there and back; prints how many, median and longest
  habits.py crowd ADDR PORT COUNT        so many connections at once; prints how many had an answer
  habits.py late ADDR PORT               a server with room for two, which accepts when a line comes
  habits.py connect ADDR PORT            prints "connected", or the error's name
  habits.py answer PORT 4|6              answers datagrams from the address that they are for
  habits.py destinations PORT ADDR COUNT a datagram from one socket to each of so many addresses from
                                         ADDR on; prints how many have answered
  habits.py count ADDR PORT              counts datagrams until killed, and answers one of a single byte
                                         by how many came, and how many of these in their order
  habits.py volley ADDR PORT COUNT BYTES datagrams at once, and what the server has counted of them
"""
import collections
import errno
import ipaddress
import socket
import struct
import sys
import threading
import time

PATIENCE_S = 20
PIECE = 1000
SEGMENT = 536
BUFFER = 64 << 20
SO_RCVBUFFORCE = 33
IP_PKTINFO, IPV6_RECVPKTINFO, IPV6_FREEBIND = 8, 49, 78
TCP_INFO_BYTES, SCALES, SND_MSS = 104, 6, 16  # struct tcp_info, linux/tcp.h


def family(addr):
    return socket.AF_INET6 if ":" in addr else socket.AF_INET


def datagrams(addr, port=0):
    sock = socket.socket(family(addr), socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    sock.settimeout(PATIENCE_S)
    sock.bind((addr, port) if port else ("", 0))
    return sock


def opened(addr, port, what):
    """A connection to the server that is to do something: the first byte says what."""
    sock = socket.create_connection((addr, port), PATIENCE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(what)
    return sock


def read_all(sock):
    data = b""
    while more := sock.recv(1 << 16):
        data += more
    return data


def in_order(data):
    return sum(byte == i % 251 for i, byte in enumerate(data))


def options_of(sock):
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
    is_scaled = info[SCALES] & 0xf and info[SCALES] >> 4
    return struct.unpack_from("=I", info, SND_MSS)[0], "scaled" if is_scaled else "not scaled"


def echo(sock):
    while data := sock.recv(1):
        sock.sendall(data)


def serve_one(sock, taken):
    what = sock.recv(1)
    if what == b"g":
        sock.sendall(bytes(PIECE))
    elif what == b"t":
        taken.append(len(read_all(sock)))
    elif what == b"n":
        sock.sendall(b"%d" % sum(taken))
    elif what == b"b":
        sock.sendall(b"%d" % in_order(read_all(sock)))
    elif what == b"o":
        sock.sendall("{} {}".format(*options_of(sock)).encode())
    else:
        echo(sock)
    sock.close()


def serve(addr, port):
    server = socket.create_server((addr, port), family=family(addr), backlog=1024)
    taken = []
    print("ready", flush=True)
    while True:
        sock = server.accept()[0]
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve_one, args=(sock, taken), daemon=True).start()


def closes(addr, port, count):
    given = 0
    for _ in range(count):
        with opened(addr, port, b"t") as sock:
            sock.sendall(bytes(PIECE))
        with opened(addr, port, b"g") as sock:
            given += len(read_all(sock))
    until = time.monotonic() + PATIENCE_S
    while True:  # the server reads what was sent when it comes to that
        with opened(addr, port, b"n") as sock:
            taken = int(read_all(sock))
        if taken >= count * PIECE or time.monotonic() > until:
            break
    print(f"{taken} at the server, {given} here")


def single_bytes(addr, port, count):
    with opened(addr, port, b"b") as sock:
        for i in range(count):
            sock.send(bytes([i % 251]))
        sock.shutdown(socket.SHUT_WR)
        print(read_all(sock).decode())


def options(addr, port):
    with socket.socket(family(addr)) as sock:
        sock.settimeout(PATIENCE_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT)
        sock.connect((addr, port))
        sock.sendall(b"o")
        print(read_all(sock).decode())


def rounds(addr, port, count):
    times = []
    with opened(addr, port, b"e") as sock:
        for _ in range(count):
            began = time.monotonic()
            sock.sendall(b"x")
            if not sock.recv(1):
                break
            times.append(1000 * (time.monotonic() - began))
    times.sort()
    print(f"{len(times)} rounds, {times[len(times) // 2]:.3f} ms, {times[-1]:.1f} ms at most")


def crowd(addr, port, count):
    socks = [opened(addr, port, b"g") for _ in range(count)]
    print(sum(len(read_all(sock)) == PIECE for sock in socks))


def late(addr, port):
    server = socket.create_server((addr, port), family=family(addr), backlog=1)
    socks = []
    print("ready", flush=True)
    sys.stdin.readline()
    while True:
        socks.append(server.accept()[0])
        socks[-1].sendall(b"at last")


def try_to_connect(addr, port):
    try:
        with socket.create_connection((addr, port)):
            print("connected")
    except OSError as error:
        print(errno.errorcode[error.errno])


def answer(port, version):
    sock = socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    if version == 6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    sock.bind(("", port))
    print("ready", flush=True)
    while True:
        data, [(level, kind, info), *_], _, peer = sock.recvmsg(100, 100)
        # struct in_pktinfo, in6_pktinfo: the address is to be the source
        info = bytes(4) + info[8:12] + bytes(4) if version == 4 else info[:16] + bytes(4)
        sock.sendmsg([data], [(level, kind, info)], 0, peer)


def destinations(port, first, count):
    sock = datagrams(first)
    asked = {str(ipaddress.ip_address(first) + i) for i in range(count)}
    heard = set()
    for addr in sorted(asked):
        sock.sendto(addr.encode(), (addr, port))
        if len(heard) < len(asked) - 32:  # no more are under way than any queue takes
            heard.add(sock.recvfrom(100)[1][0])
    sock.settimeout(2)
    try:
        while heard != asked:
            heard.add(sock.recvfrom(100)[1][0])
    except TimeoutError:
        pass
    print(f"{len(heard & asked)} of {count}, {len(heard - asked)} others")


def count_datagrams(addr, port):
    sock, came = datagrams(addr, port), collections.defaultdict(list)
    sock.settimeout(None)
    print("ready", flush=True)
    while True:
        data, peer = sock.recvfrom(1 << 16)
        if len(data) > 1:
            came[peer].append(int.from_bytes(data[:4], "big"))
            continue
        ordered = sum(a < b for a, b in zip([-1] + came[peer], came[peer]))
        sock.sendto(f"{len(came[peer])}, {ordered} in order".encode(), peer)


def volley(addr, port, count, size):
    sock = datagrams(addr)
    for i in range(count):
        sock.sendto(i.to_bytes(4, "big") * (size // 4), (addr, port))
    sock.settimeout(0.5)
    for _ in range(2 * PATIENCE_S):  # the queue that has no room for a burst has none for this
        sock.sendto(b"?", (addr, port))
        try:
            print(f"{sock.recv(100).decode()} of {count}")
            return
        except TimeoutError:
            continue
    sys.exit("no answer")


def main():
    command, *words = sys.argv[1:]
    {"serve": serve, "closes": closes, "bytes": single_bytes, "options": options, "rounds": rounds,
     "crowd": crowd, "late": late, "connect": try_to_connect, "answer": answer,
     "destinations": destinations, "count": count_datagrams, "volley": volley}[command](
        *(int(word) if word.isdigit() else word for word in words))


main()
