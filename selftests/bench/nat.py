#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Measures `routing: nat` beside the kernel's router; a record of JSON per line.

Both families, as forwarder.py does with more contenders; many flows in turn beside one, by the time
that the kernel says the programs have run; and what the program of an uplink takes for packets that
are not its own, by BPF_PROG_TEST_RUN.
"""
import ctypes
import json
import os
import pathlib
import struct
import subprocess
import tempfile

import forwarder

FLOWS = 100000
SPREAD = "10.76.0.0/15"  # as many addresses of the LAN's host, and more
LAN6 = "fd77::2"
PORT = 7002
REPEAT = 1000000
LINKS = ("link_ingress", "link_egress", "link_uplink_*")  # of a question and its answer
SPREADER = forwarder.TREE / "selftests/bench/spread.py"
SHRIKE = os.environ.get("SHRIKE", forwarder.TREE / "shrike")
SYS_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
BPF_ENABLE_STATS = 32


def enable_stats():
    """The descriptor while which is open programs are timed."""
    attributes = struct.pack("=I124x", 0)  # BPF_STATS_RUN_TIME
    fd = ctypes.CDLL(None, use_errno=True).syscall(SYS_BPF, BPF_ENABLE_STATS, attributes,
                                                   len(attributes))
    if fd < 0:
        raise OSError(ctypes.get_errno(), "cannot time programs")
    return fd


def bpftool(*arguments):
    done = subprocess.run(["bpftool", "-j", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"bpftool {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def program(work, link):
    """The id of what is attached by a link that is pinned."""
    pinned = next(pathlib.Path(work).glob(f"nat/bpffs/shrike/*/wt0/{link}"))
    return bpftool("link", "show", "pinned", pinned)["prog_id"]


def run_time(work):
    """Nanoseconds that the programs have run, all together."""
    return sum(bpftool("prog", "show", "id", program(work, link)).get("run_time_ns", 0)
               for link in LINKS)


def exchanges(lab, work, flows, times=1):
    """What the programs take for a question and its answer, in ns, with so many flows in turn."""
    before = run_time(work)
    output, _ = lab.run("python3", SPREADER, "ask", SPREAD, PORT, flows, FLOWS, times)
    spent = run_time(work) - before
    if int(output) < FLOWS * times * 0.99:
        raise RuntimeError(f"only {output.strip()} of {FLOWS * times} answers came")
    return spent / int(output)


def flows_are_there(lab):
    process = lab.start("nat-router", SHRIKE, "conntrack", "count", "wt0", "-p", "udp", "-j")
    count = json.loads(process.stdout.read())
    if count["count"] < FLOWS:
        raise RuntimeError(f"not {FLOWS} flows, but {count['count']}")


def measure_flows(lab, work):
    """The second question confirms a flow; else openings displace each other."""
    subprocess.run(["ip", "-n", "nat-router", "route", "add", SPREAD, "via", forwarder.LAN],
                   check=True)
    subprocess.run(["ip", "-n", "nat-lan", "route", "add", "local", SPREAD, "dev", "lo"],
                   check=True)
    server = lab.start("nat-lan", "python3", SPREADER, "serve", PORT)
    server.stdout.readline()
    stats = enable_stats()
    samples = {1: [], FLOWS: []}
    opening = exchanges(lab, work, FLOWS, 2)
    flows_are_there(lab)
    for _ in range(forwarder.ROUNDS):
        for flows, times in samples.items():
            times.append(exchanges(lab, work, flows))
    os.close(stats)
    forwarder.record("programs, opened and confirmed, each packet and its answer", [opening], "ns",
                     flows=FLOWS, ip=4, peer="shrike, NAT")
    for flows, times in samples.items():
        forwarder.record("programs, packet and its answer", times, "ns", flows=flows, ip=4,
                         peer="shrike, NAT")
    forwarder.record("programs, many flows, of one's",
                     [many / one for one, many in zip(*samples.values())], "times", flows=FLOWS,
                     ip=4, peer="shrike, NAT", goal=1.3)


def ipv4(protocol, payload):
    return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0,
                       bytes((192, 168, 77, 2)), bytes((192, 168, 77, 1))) + payload


def ipv6(protocol, payload):
    return struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64) + \
        bytes.fromhex("fd77" + "0" * 27 + "2") + bytes.fromhex("fd77" + "0" * 27 + "1") + payload


def tcp(port):
    return struct.pack(">HHIIHHHH", 443, port, 1, 1, 0x5010, 1000, 0, 0) + bytes(64)


def udp(port):
    return struct.pack(">HHHH", 51820, port, 72, 0) + bytes(64)


# to ports of this host, and to one from which flows get theirs
OTHERS = (("TCP to a local port", 4, ipv4(6, tcp(40000))),
          ("UDP to a local port", 4, ipv4(17, udp(51820))),
          ("ICMP echo", 4, ipv4(1, struct.pack(">BBHHH", 8, 0, 0, 1, 1) + bytes(64))),
          ("TCP to a port of flows", 4, ipv4(6, tcp(65500))),
          ("TCP to a local port", 6, ipv6(6, tcp(40000))),
          ("UDP to a local port", 6, ipv6(17, udp(51820))),
          ("TCP to a port of flows", 6, ipv6(6, tcp(65500))))


def measure_others(work):
    """To the loopback device, where packets are run, addresses of zeros are its own."""
    with tempfile.NamedTemporaryFile() as file:
        for case, ip, packet in OTHERS:
            pathlib.Path(file.name).write_bytes(
                bytes(12) + struct.pack(">H", 0x0800 if ip == 4 else 0x86dd) + packet)
            samples = [bpftool("prog", "run", "id", program(work, LINKS[2]), "data_in",
                               file.name, "repeat", REPEAT)["duration"]
                       for _ in range(forwarder.ROUNDS)]
            forwarder.record(f"uplink, not ours: {case}", samples, "ns", ip=ip,
                             peer="shrike, NAT", goal=60)


def measure(work):
    labs = []
    try:
        labs += [forwarder.Lab(work, name) for name in ("nat", "kernel")]
        measure_others(work)
        measure_flows(labs[0], work)
        forwarder.measure_throughput(labs, ip=4)
        forwarder.measure_throughput(labs, LAN6, ip=6)
        forwarder.measure_small(labs)
    finally:
        for lab in labs:
            lab.close()


forwarder.main(measure)
