#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A table "filter" of IPv4 as the legacy form of iptables makes it, which needs not be installed.

  legacy.py rule|drop|empty

Its chain FORWARD has a rule, the policy DROP, or neither; the others accept.
"""
import ctypes
import socket
import struct
import sys

GET_INFO = SET_REPLACE = 64
ACCEPT, DROP = -2, -1
HOOKS = (1, 2, 3)  # input, forward, output
NONE = 0xffffffff


def entry(verdict):
    """struct ipt_entry with a struct xt_standard_target."""
    target = struct.pack("=H29sBi4x", 40, b"", 0, verdict)
    return struct.pack("=84x4xHHI16x", 112, 112 + len(target), 0) + target


def number_of_entries(sock):
    """Those that are replaced: the kernel wants room for their counters.  Python asks for no name."""
    libc = ctypes.CDLL(None, use_errno=True)
    info = ctypes.create_string_buffer(b"filter", 84)
    size = ctypes.c_uint(len(info))
    if libc.getsockopt(sock.fileno(), socket.SOL_IP, GET_INFO, info, ctypes.byref(size)):
        raise OSError(ctypes.get_errno(), "getsockopt")
    return struct.unpack("=76xI4x", info.raw)[0]


def main():
    kind = sys.argv[1]
    chains = {1: [ACCEPT], 2: [DROP if kind == "drop" else ACCEPT], 3: [ACCEPT]}
    if kind == "rule":
        chains[2].insert(0, ACCEPT)
    entries, hook_entry, underflow = b"", [NONE] * 5, [NONE] * 5
    for hook in HOOKS:
        hook_entry[hook] = len(entries)
        for verdict in chains[hook]:
            underflow[hook] = len(entries)
            entries += entry(verdict)
    target = struct.pack("=H29sB30s2x", 64, b"ERROR", 0, b"ERROR")
    entries += struct.pack("=84x4xHHI16x", 112, 112 + len(target), 0) + target
    count = sum(len(chain) for chain in chains.values()) + 1
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    before = number_of_entries(sock)
    counters = ctypes.create_string_buffer(16 * 16)
    header = struct.pack("=32sIII5I5IIQ", b"filter",
                         sum(1 << hook for hook in HOOKS), count, len(entries), *hook_entry,
                         *underflow, before, ctypes.addressof(counters))
    sock.setsockopt(socket.SOL_IP, SET_REPLACE, header + entries)


main()
