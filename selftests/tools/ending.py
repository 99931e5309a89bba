#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""How connections end, as a server sees it.

  ending.py ADDR PORT     until killed; "ready" on stdout

Echoes what it receives, and prints "end of file" or "reset" for each connection that ends.  One
whose first byte is H is half-closed by the server once that byte has come, and not echoed.
"""
import socket
import sys
import threading


def serve_one(sock):
    try:
        data = sock.recv(1)
        half_closed = data == b"H"
        if half_closed:
            sock.shutdown(socket.SHUT_WR)
        while data:
            if not half_closed:
                sock.sendall(data)
            data = sock.recv(65536)
        print("end of file", flush=True)
    except ConnectionResetError:
        print("reset", flush=True)


def main(addr, port):
    server = socket.create_server(
        (addr, int(port)), family=socket.AF_INET6 if ":" in addr else socket.AF_INET)
    print("ready", flush=True)
    while True:
        threading.Thread(target=serve_one, args=(server.accept()[0],), daemon=True).start()


main(*sys.argv[1:])
