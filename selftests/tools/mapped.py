#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a NAT makes of an address and port, as STUN tells it.

  mapped.py serve PORT ADDR...       each datagram and connection is answered by its source, "ADDR PORT"
  mapped.py ask SOURCE_PORT PORT ADDR...   asks all of them from one port; prints a line for each
  mapped.py connect SOURCE_PORT PORT ADDR...   the same by TCP, with all connections open at once
  mapped.py punch PORT SERVER ADDR ADDR    two sources ask the server, then send to what the other one
                                           was told: once in vain, then both ways
  mapped.py close PORT SERVER ADDR ADDR    the same, and then the second closes its port
"""
import selectors
import socket
import sys

PATIENCE_S = 5


def udp(addr, port):
    sock = socket.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((addr, port))
    return sock


def tcp(addr, port):
    sock = socket.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((addr, port))
    return sock


def answer(waiting, sock):
    if sock.type == socket.SOCK_DGRAM:
        _, source = sock.recvfrom(100)
        sock.sendto(f"{source[0]} {source[1]}".encode(), source)
    elif sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        accepted, source = sock.accept()
        accepted.send(f"{source[0]} {source[1]}".encode())
        waiting.register(accepted, selectors.EVENT_READ)
    else:  # the client has gone
        waiting.unregister(sock)
        sock.close()


def serve(port, addrs):
    waiting = selectors.DefaultSelector()
    for addr in addrs:
        listener = tcp(addr, port)
        listener.listen()
        waiting.register(listener, selectors.EVENT_READ)
        waiting.register(udp(addr, port), selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        for key, _ in waiting.select():
            answer(waiting, key.fileobj)


def ask(source_port, port, addrs):
    sock = udp("::" if ":" in addrs[0] else "0.0.0.0", source_port)
    sock.settimeout(PATIENCE_S)
    for addr in addrs:
        sock.sendto(b"?", (addr, port))
        print(sock.recvfrom(100)[0].decode())


def connect(source_port, port, addrs):
    """Nobody hangs up before all have connected and answered."""
    socks = [tcp("::" if ":" in addr else "0.0.0.0", source_port) for addr in addrs]
    for sock, addr in zip(socks, addrs):
        sock.settimeout(PATIENCE_S)
        sock.connect((addr, port))
    for sock in socks:
        print(sock.recv(100).decode())


def mapping(sock, server):
    sock.settimeout(PATIENCE_S)
    sock.sendto(b"?", server)
    addr, port = sock.recvfrom(100)[0].decode().split()
    return addr, int(port)


def hears(sock, text, source):
    data, whence = sock.recvfrom(100)
    return data == text and whence[:2] == source


def punch(port, server, first, second, closes=False):
    """Two peers open holes for each other through the NAT that both are behind."""
    one, other = udp(first, 5000), udp(second, 5001)
    mapped_one, mapped_other = mapping(one, (server, port)), mapping(other, (server, port))
    one.sendto(b"first", mapped_other)
    other.sendto(b"hello", mapped_one)
    heard = hears(one, b"hello", mapped_other)
    one.sendto(b"again", mapped_other)
    heard = hears(other, b"again", mapped_one) and heard
    print("first filtered, each heard the other's mapped port" if heard else "not as sent")
    if not closes:
        return
    other.close()
    one.connect(mapped_other)
    one.send(b"anybody?")
    try:
        print(one.recv(100))
    except ConnectionRefusedError:
        print("the first is refused")


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]), sys.argv[3:])
elif sys.argv[1] == "punch":
    punch(int(sys.argv[2]), *sys.argv[3:])
elif sys.argv[1] == "close":
    punch(int(sys.argv[2]), *sys.argv[3:], closes=True)
elif sys.argv[1] == "connect":
    connect(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
else:
    ask(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
