#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Datagrams through a NAT, for the tests of the forwarder.

  datagrams.py serve ADDR PORT...            until killed; "ready" on stdout, then a line for each
                                             datagram: its port here, and the port that it came from
  datagrams.py ask PORT ADDR DPORT...        one to each DPORT from one socket, bound to PORT, then one
                                             to each again; prints how many came back
  datagrams.py alert PORT ADDR DPORT...      the same, again with a router alert in the IP header
  datagrams.py send PORT ADDR DPORT          one, from PORT, that nobody answers
  datagrams.py flood ADDR DPORT              one each millisecond, whether there is a way or not, until killed
  datagrams.py burst ADDR DPORT COUNT BYTES [FIFO]
                                             asks for so many at once, once FIFO is closed; prints how
                                             many came, and how many of them in their order

A server answers "burst COUNT BYTES FIFO" with as many, then prints "sent"; and all else with the same.
"""
import select
import socket
import sys
import time

SO_RCVBUFFORCE = 33
PATIENCE_S = 2
FIRST_PATIENCE_S = 30
IPV6_HOPOPTS = 54
ALERT4 = b"\x94\x04\x00\x00"  # RFC 2113
ALERT6 = b"\x00\x00\x05\x02\x00\x00\x01\x00"  # RFC 2711, in a hop-by-hop header


def open_socket(addr, port=0, receive_bytes=0):
    sock = socket.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET, socket.SOCK_DGRAM)
    if receive_bytes:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, receive_bytes)
    sock.bind(("::" if ":" in addr else "0.0.0.0", port))
    sock.settimeout(PATIENCE_S)
    return sock


def answer(sock, data, peer):
    words = data.split()
    if words[0] != b"burst":
        sock.sendto(data, peer)
        return
    count, size = int(words[1]), int(words[2])
    if len(words) > 3:
        with open(words[3]) as fifo:
            fifo.read()
    for i in range(count):
        sock.sendto(i.to_bytes(4, "big") * (size // 4), peer)
    print("sent", flush=True)


def serve(addr, ports):
    socks = {}
    for port in ports:
        sock = socket.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((addr, port))
        socks[sock] = port
    print("ready", flush=True)
    while True:
        for sock in select.select(list(socks), [], [])[0]:
            data, peer = sock.recvfrom(65536)
            print(socks[sock], peer[1], flush=True)
            answer(sock, data, peer)


def set_alert(sock):
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_HOPOPTS, ALERT6)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, ALERT4)


def ask(port, addr, ports, alert=False):
    sock, came = open_socket(addr, port), 0
    for number in range(2):
        if alert and number:
            set_alert(sock)
        for dport in ports:
            sock.sendto(b"%d to %d" % (number, dport), (addr, dport))
        try:
            for _ in ports:
                data, peer = sock.recvfrom(65536)
                came += data == b"%d to %d" % (number, peer[1])
        except TimeoutError:
            break
    print(f"{came} of {2 * len(ports)}")


def send(port, addr, dport):
    open_socket(addr, port).sendto(b"unasked", (addr, dport))


def flood(addr, dport):
    sock = open_socket(addr)
    while True:
        try:
            sock.sendto(b"flood", (addr, dport))
        except OSError:
            pass  # the device is gone
        time.sleep(0.001)


def burst(addr, dport, count, size, fifo=""):
    sock, numbers = open_socket(addr, receive_bytes=64 << 20), []
    sock.sendto(f"burst {count} {size} {fifo}".encode(), (addr, dport))
    sock.settimeout(FIRST_PATIENCE_S)
    try:
        while len(numbers) < count:
            numbers.append(int.from_bytes(sock.recv(65536)[:4], "big"))
            sock.settimeout(PATIENCE_S)
    except TimeoutError:
        pass
    ordered = sum(a < b for a, b in zip([-1] + numbers, numbers))
    print(f"{len(numbers)} of {count}, {ordered} in order")


command, args = sys.argv[1], sys.argv[2:]
if command == "serve":
    serve(args[0], list(map(int, args[1:])))
elif command == "ask":
    ask(int(args[0]), args[1], list(map(int, args[2:])))
elif command == "alert":
    ask(int(args[0]), args[1], list(map(int, args[2:])), alert=True)
elif command == "send":
    send(int(args[0]), args[1], int(args[2]))
elif command == "flood":
    flood(args[0], int(args[1]))
else:
    burst(args[0], *map(int, args[1:4]), *args[4:])
