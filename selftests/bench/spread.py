#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Datagrams between one socket and many addresses of one host.

  spread.py serve PORT                     answers each from the address that it was sent to; "ready"
  spread.py ask PREFIX PORT FLOWS COUNT TIMES    asks COUNT times, FLOWS addresses in turn, a few of
                                           them TIMES before the next; prints how many answers came
"""
import ipaddress
import socket
import sys

AT_ONCE = 64  # questions without an answer, so that no socket overflows
IP_PKTINFO = 8
PATIENCE_S = 1


def serve(port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    sock.bind(("0.0.0.0", port))
    print("ready", flush=True)
    while True:
        data, info, _, source = sock.recvmsg(100, 100)
        (_, _, packet_info), = info
        # answer from there: struct in_pktinfo has what was asked behind ipi_spec_dst
        from_there = bytes(4) + packet_info[8:12] + bytes(4)
        sock.sendmsg([data], [(socket.IPPROTO_IP, IP_PKTINFO, from_there)], 0, source)


def ask_some(sock, ends):
    """How many of them have answered."""
    for end in ends:
        sock.sendto(b"?", end)
    try:
        for answers in range(len(ends)):
            sock.recvfrom(100)
    except TimeoutError:
        return answers
    return len(ends)


def ask(prefix, port, flows, count, times):
    first = int(ipaddress.ip_network(prefix).network_address) + 1
    ends = [(str(ipaddress.ip_address(first + i)), port) for i in range(flows)]
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("0.0.0.0", 4000))  # the same flows each time
    sock.settimeout(PATIENCE_S)
    answers = 0
    for begin in range(0, count, AT_ONCE):
        some = [ends[i % flows] for i in range(begin, min(begin + AT_ONCE, count))]
        for _ in range(times):
            answers += ask_some(sock, some)
    print(answers)


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
else:
    ask(sys.argv[2], *map(int, sys.argv[3:]))
