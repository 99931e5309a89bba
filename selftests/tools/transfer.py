#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Streams for the tests of the forwarder: their content is known, and every byte is compared.

  transfer.py serve ADDR PORT              until killed; "ready" on stdout
  transfer.py both ADDR PORT UP DOWN       send UP bytes, half-close, receive DOWN bytes
  transfer.py many ADDR PORT COUNT         COUNT connections at once, an exchange on each
  transfer.py stall ADDR PORT DOWN         ask for DOWN bytes, read none until a line on stdin
  transfer.py once ADDR PORT COUNT         COUNT connections one after the other, per second

A client begins with a line that says how many bytes it wants; the server reads to the end of what
it is sent, answers with the digest of that, and then sends the bytes.  Clients print what they did
and exit 0 if all was right.
"""
import hashlib
import random
import resource
import selectors
import socket
import sys
import threading
import time

BLOCK = random.Random(1).randbytes((1 << 20) + 7)


def blocks(count):
    while count > 0:
        yield BLOCK[:count]
        count -= len(BLOCK)


def digest(count):
    h = hashlib.blake2b(digest_size=32)
    for block in blocks(count):
        h.update(block)
    return h.hexdigest()


def family(addr):
    return socket.AF_INET6 if ":" in addr else socket.AF_INET


def connect(addr, port):
    sock = socket.socket(family(addr))
    sock.settimeout(60)
    sock.connect((addr, port))
    return sock


def read_all(sock):
    h, count = hashlib.blake2b(digest_size=32), 0
    while data := sock.recv(1 << 18):
        h.update(data)
        count += len(data)
    return h.hexdigest(), count


def serve_one(sock):
    with sock:
        line = b""
        while not line.endswith(b"\n"):
            byte = sock.recv(1)
            if not byte:
                return
            line += byte
        if line == b"echo\n":
            while data := sock.recv(4096):
                sock.sendall(data)
            return
        got, _ = read_all(sock)
        sock.sendall(got.encode())
        for block in blocks(int(line)):
            sock.sendall(block)


def serve(addr, port):
    def one(sock):
        try:
            serve_one(sock)
        except OSError:
            pass  # the client will say

    threading.stack_size(1 << 18)
    listener = socket.socket(family(addr))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if ":" in addr:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind((addr, port))
    listener.listen(4096)
    print("ready", flush=True)
    idle = selectors.DefaultSelector()
    idle.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in idle.select():
            if key.fileobj is listener:
                sock, _ = listener.accept()
                idle.register(sock, selectors.EVENT_READ, "new")
                continue
            sock = key.fileobj
            if key.data == "new" and sock.recv(5, socket.MSG_PEEK) != b"echo\n":
                idle.unregister(sock)
                threading.Thread(target=one, args=(sock,), daemon=True).start()
                continue
            # small exchanges on many connections need no thread each
            try:
                data = sock.recv(4096)
                sock.sendall(data[5:] if key.data == "new" else data)
            except OSError:
                data = b""
            idle.modify(sock, selectors.EVENT_READ, "old")
            if not data:
                idle.unregister(sock)
                sock.close()


def both(addr, port, up, down):
    start = time.monotonic()
    with connect(addr, port) as sock:
        sock.sendall(b"%d\n" % down)
        for block in blocks(up):
            sock.sendall(block)
        sock.shutdown(socket.SHUT_WR)
        answer = b""
        while len(answer) < 64:
            data = sock.recv(64 - len(answer))
            if not data:
                sys.exit("the server closed early")
            answer += data
        middle = time.monotonic()
        got, count = read_all(sock)
    end = time.monotonic()
    if answer.decode() != digest(up):
        sys.exit("what went up is not what arrived")
    if count != down or got != digest(down):
        sys.exit(f"what came down is wrong: {count} bytes of {down}")
    print(f"up {up * 8e-6 / (middle - start):.0f} Mbit/s, "
          f"down {down * 8e-6 / max(end - middle, 1e-9):.0f} Mbit/s")


def many(addr, port, count):
    socks = []
    start = time.monotonic()
    for n in range(count):
        sock = connect(addr, port)
        sock.sendall(b"echo\n%08d" % n)
        socks.append(sock)
    print(f"{count} open after {time.monotonic() - start:.2f} s", flush=True)
    for again in (True, False):
        for n, sock in enumerate(socks):
            got = b""
            while len(got) < 8:
                data = sock.recv(8 - len(got))
                if not data:
                    sys.exit(f"connection {n} was closed")
                got += data
            if got != b"%08d" % n:
                sys.exit(f"connection {n} got {got}")
            if again:
                sock.sendall(got)
    if sys.stdin.isatty() is False:
        sys.stdin.readline()  # held open until then
    print("all answered")


def stall(addr, port, down):
    with connect(addr, port) as sock:
        sock.sendall(b"%d\n" % down)
        sock.shutdown(socket.SHUT_WR)
        print("waiting", flush=True)
        sys.stdin.readline()
        answer = sock.recv(64, socket.MSG_WAITALL)
        got, count = read_all(sock)
    if len(answer) != 64 or count != down or got != digest(down):
        sys.exit(f"what came down is wrong: {count} bytes of {down}")
    print("all came down")


def once(addr, port, count):
    start = time.monotonic()
    for _ in range(count):
        with connect(addr, port) as sock:
            sock.sendall(b"echo\n12345678")
            if sock.recv(8, socket.MSG_WAITALL) != b"12345678":
                sys.exit("wrong answer")
    print(f"{count / (time.monotonic() - start):.0f} connections/s")


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    command, addr, port, *numbers = sys.argv[1:]
    commands = {"serve": serve, "both": both, "many": many, "stall": stall, "once": once}
    commands[command](addr, int(port), *map(int, numbers))


main()
