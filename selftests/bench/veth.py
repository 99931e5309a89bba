# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Packets that arrive on a veth device and are dropped, passed to this host or routed on: what they
cost the kernel from the queue of the device on, with shrike, with the same policy in nftables, with
neither, and with a program that drops all: what comes before any judgement.

The device's packets are polled by a kernel thread of its own (threaded NAPI), so the CPU time of
that thread is what they cost, whatever else the machine does; from it follows how many a second one
core can take.
"""

import contextlib
import ctypes
import os
import pathlib
import socket
import struct

import netns

ROUNDS = 7
MILLISECONDS = 300
FLOWS = 1024
FIRST_PORT = 1024  # as in inject.h
PEER, ROUTER, LAN = "100.64.0.2", "100.64.0.1", "192.168.77.2"
SERVICE, CLOSED = 9000, 9999
NOBODY = "02:00:00:00:00:99"  # hosts ignore frames that are for somebody else
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27

POLICY = """version: 1
mode: {{hook: {hook}, routing: native}}
peer_acl:
  - {{id: local, action: allow, source: [100.64.0.0/10], protocol: udp,
     destination_ports: [9000]}}
route_acl:
  - {{id: lan, action: allow, source: [100.64.0.0/10], destination: [192.168.77.0/24],
     protocol: udp, destination_ports: [9000]}}
"""

NFTABLES = """table inet bench {
    chain input {
        type filter hook input priority filter; policy drop;
        ct state established,related accept
        ip saddr 100.64.0.0/10 udp dport 9000 accept
    }
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        ip saddr 100.64.0.0/10 ip daddr 192.168.77.0/24 udp dport 9000 accept
    }
}
"""

SUBJECTS = {"xdp": "shrike", "tc": "shrike, hook tc", "nft": "nftables", "none": "no firewall",
            "drop": "XDP program that drops all"}
CASES = {"dropped": (ROUTER, CLOSED), "passed": (ROUTER, SERVICE), "forwarded": (LAN, SERVICE)}
GOALS = {"dropped": 3, "passed": 1.3}


def refuse_all(sock):
    """Nothing is queued: the kernel finds the socket and counts the datagram as an error."""
    code = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))
    program = struct.pack("HP", 1, ctypes.addressof(code))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


class Lab:
    """Peer, router and LAN host; the router's device towards the peer has the subject's name."""

    def __init__(self, stack, subject):
        self.subject, self.device = subject, f"w{subject}{os.getpid() % 10000}"
        self.peer, self.router, self.lan = (netns.Namespace(stack, f"{subject}-{role}")
                                            for role in ("peer", "router", "lan"))
        netns.connect(self.peer, "p0", self.router, self.device)
        netns.connect(self.lan, "eth0", self.router, "lan0")
        for namespace, device, address in ((self.peer, "p0", f"{PEER}/16"),
                                           (self.router, self.device, f"{ROUTER}/16"),
                                           (self.router, "lan0", "192.168.77.1/24"),
                                           (self.lan, "eth0", f"{LAN}/24")):
            namespace.ip("address", "add", address, "dev", device)
            namespace.ip("link", "set", device, "up")
        self.peer.ip("route", "add", "default", "via", ROUTER)
        self.lan.ip("route", "add", "default", "via", "192.168.77.1")
        self.router.sysctl("net.ipv4.ip_forward=1")
        self.router.run("ethtool", "-K", self.device, "gro", "on")  # so that it has a NAPI context
        self.router.write_sysfs(f"net/{self.device}/threaded", 1)
        self.mac = self.router.link(self.device)["address"]
        self.lan_mac = self.lan.link("eth0")["address"]
        self.sockets = [self.peer.udp(stack, PEER, FIRST_PORT + i) for i in range(FLOWS)]
        self.answerers = {ROUTER: self.router.udp(stack, ROUTER, SERVICE),
                          LAN: self.lan.udp(stack, LAN, SERVICE)}

    def protect(self, directory, environment):
        if self.subject in ("xdp", "tc"):
            policy = directory / f"{self.subject}.yaml"
            policy.write_text(POLICY.format(hook=self.subject))
            self.router.run(netns.SHRIKE, "attach", self.device, "-c", policy, env=environment)
        elif self.subject == "nft":
            self.router.run("nft", "-f", "-", input=NFTABLES)
        elif self.subject == "drop":
            pins = pathlib.Path(environment["SHRIKE_BPFFS"]) / "bench"
            netns.command("bpftool", "prog", "loadall", netns.BENCH / "inject.o", pins)
            self.router.run("bpftool", "net", "attach", "xdp", "pinned", pins / "drop_xdp", "dev",
                            self.device)

    def establish(self, address):
        """Every flow is answered, and its opener has sent once more."""
        answerer = self.answerers[address]
        for sock in self.sockets:
            sock.sendto(b"1", (address, SERVICE))
            answerer.sendto(b"2", answerer.recvfrom(16)[1])
            sock.recv(16)
            sock.sendto(b"3", (address, SERVICE))
            answerer.recv(16)

    def thread(self):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/comm") as file:
                    if file.read().startswith(f"napi/{self.device}"[:15]):
                        return int(pid)
            except OSError:
                pass  # it has ended meanwhile
        raise RuntimeError(f"no thread polls {self.device}")

    def counts(self, thread):
        """CPU time of the thread, packets that it took, packets that came where they should."""
        with open(f"/proc/{thread}/schedstat") as file:
            time_ns = int(file.read().split()[0])
        udp = self.router.snmp("Udp")
        return (time_ns, self.router.link(self.device)["stats64"]["rx"]["packets"],
                {"passed": udp["InErrors"] + udp["NoPorts"],
                 "forwarded": self.lan.link("eth0")["stats64"]["rx"]["packets"]})

    def measure(self, case):
        """Nanoseconds of CPU time per packet."""
        address, port = CASES[case]
        if port == SERVICE:
            self.establish(address)
        if address == LAN:
            self.router.ip("neigh", "replace", LAN, "lladdr", NOBODY, "dev", "lan0")
        thread = self.thread()
        os.sched_setaffinity(thread, {max(os.sched_getaffinity(0))})
        os.sched_setscheduler(thread, os.SCHED_FIFO, os.sched_param(1))  # it never waits for others
        with self.refusing() if case == "passed" else contextlib.nullcontext():
            before = self.counts(thread)
            self.peer.run("taskset", "-c", min(os.sched_getaffinity(0)), netns.BENCH / "inject",
                          "p0", self.mac, PEER, address, port, FLOWS, MILLISECONDS)
            after = self.counts(thread)
        if address == LAN:
            self.router.ip("neigh", "replace", LAN, "lladdr", self.lan_mac, "dev", "lan0")
        packets = after[1] - before[1]
        self.check(case, packets, {way: after[2][way] - before[2][way] for way in before[2]})
        return (after[0] - before[0]) / packets

    @contextlib.contextmanager
    def refusing(self):
        sock = self.answerers[ROUTER]
        refuse_all(sock)
        try:
            yield
        finally:
            sock.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, struct.pack("i", 0))

    def check(self, case, packets, came):
        """Else something else was measured.  The last packets may still be on their way."""
        expected = packets if case != "dropped" or self.subject == "none" else 0
        way = "forwarded" if case == "forwarded" else "passed"
        if packets < 1000 or abs(came[way] - expected) > packets / 100 + 512:
            raise RuntimeError(f"{SUBJECTS[self.subject]}: of {packets} packets that were to be "
                               f"{case}, {came[way]} came through")


def records():
    with contextlib.ExitStack() as stack:
        directory, environment = netns.workspace(stack)
        labs = {subject: Lab(stack, subject) for subject in SUBJECTS}
        for lab in labs.values():
            lab.protect(directory, environment)
        for case in CASES:
            cost = {subject: [] for subject in labs}
            for _ in range(ROUNDS):
                for subject, lab in labs.items():
                    if subject == "drop" and case != "dropped":
                        continue
                    cost[subject].append(lab.measure(case))
            yield from case_records(case, cost)


def case_records(case, cost):
    for subject, samples in cost.items():
        if not samples:
            continue
        yield {"part": "veth", "case": case, "peer": SUBJECTS[subject], "unit": "M/s of a core",
               "samples": [1000 / ns for ns in samples]}
    for subject in ("xdp", "tc"):
        record = {"part": "veth", "case": f"{case}, times nftables", "peer": SUBJECTS[subject],
                  "unit": "times", "at_least": True,
                  "samples": [peer / own for own, peer in zip(cost[subject], cost["nft"])]}
        if case in GOALS:
            record["goal"] = GOALS[case]
        yield record
