#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Measures shrike's ways to forward beside those of others; a record of JSON per line.

All networks stand side by side, and one at a time has traffic: in each round every contender does
every task once, and what is compared is what was measured in the same round.  CPU time is that of
the sender, the receiver, the forwarding process and the kernel's softirq threads, so it has all of
the work wherever the kernel happens to do it, but nothing of what others do on the machine.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

PART = pathlib.Path(sys.argv[0]).stem
TREE = pathlib.Path(__file__).resolve().parents[2]
TOOLS = pathlib.Path(os.environ.get("TOOLS", TREE / "build/tools"))
LAN = "192.168.77.2"
PROGRAMS = ("iperf3", "nft", "pasta", "slirp4netns")
ROUNDS = 6
SECONDS = 2
RATE_MS = 2000
TRIPS_MS = 1000
DIALLERS = 32  # connections that are being opened at any time
IDLE = 5000
WAN = {"PUMP_OPTIONS": "-d 20 -l 1 -r 200", "CONGESTION": "bbr"}
WAN_SECONDS = 6
WAN_ROUNDS = 3


def cpu_of(pid):
    """Nanoseconds that a process has run, all its threads."""
    return sum(int(path.read_text().split()[0])
               for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"))


KSOFTIRQD = subprocess.run(["pgrep", "^ksoftirqd/"], capture_output=True, text=True).stdout.split()


class Lab:
    """A network (the script beside this one), and the servers in it."""

    def __init__(self, work, name, link="veth", how=None, settings=None):
        self.name, self.how = name, how or name
        self.client = f"{name}-{'guest' if self.how in ('pasta', 'slirp4netns') else 'peer'}"
        self.processes = []
        self.shell = subprocess.Popen(
            [TREE / "selftests/bench/lab", name, link, self.how],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "WORK": work, "TOOLS": str(TOOLS), **(settings or {})})
        word = self.shell.stdout.readline().split()
        if not word:
            raise RuntimeError(f"the network of {name} did not come about")
        self.forwarder = int(word[1])
        self.iperf = self.start(f"{name}-lan", "iperf3", "-s", "--forceflush")
        while "listening" not in self.iperf.stdout.readline():
            pass
        # a server whose report of many tests nobody reads waits for ever
        threading.Thread(target=self.iperf.stdout.read, daemon=True).start()
        self.dial = self.start(f"{name}-lan", TOOLS / "dial", "serve", LAN, "7000")
        self.dial.stdout.readline()

    def start(self, netns, *command):
        process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "nsenter",
                                    f"--net=/run/netns/{netns}", "--", *map(str, command)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
        self.shell.stdin.close()
        self.shell.wait()

    def cpu(self):
        """Of all that take part, but a client that has not ended."""
        pids = [self.iperf.pid, self.dial.pid, *KSOFTIRQD]
        return sum(map(cpu_of, pids + ([self.forwarder] if self.forwarder else [])))

    def run(self, *command):
        """What a client prints, and the CPU time in ns that all have spent on it."""
        before = self.cpu()
        process = self.start(self.client, *command)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.processes.remove(process)
        if process.returncode:
            raise RuntimeError(f"{self.name}: {command[0]}: {output[-500:]}")
        spent = int((usage.ru_utime + usage.ru_stime) * 1e9)
        return output, self.cpu() - before + spent

    def transfer(self, down, streams, seconds=SECONDS, to=LAN):
        """Mbit/s that arrived, and CPU time per byte in ns."""
        output, cpu = self.run("iperf3", "-J", "-c", to, "-t", seconds, "-P", streams,
                               *(["-R"] if down else []))
        total = json.loads(output)["end"]["sum_received"]
        return total["bytes"] * 8e-6 / total["seconds"], cpu / total["bytes"]

    def rate(self):
        """Connections per second."""
        output, _ = self.run(TOOLS / "dial", "rate", LAN, "7000", RATE_MS, DIALLERS)
        return float(output.split()[0])

    def round_trip(self):
        """Microseconds until a byte is back, on a connection that is open."""
        output, _ = self.run(TOOLS / "dial", "trips", LAN, "7000", TRIPS_MS)
        return 1e6 / float(output)


def record(case, samples, unit, **more):
    print(json.dumps({"part": PART, "case": case, "samples": samples, "unit": unit,
                      **more}), flush=True)


NAMES = {"userspace": "shrike", "tun": "shrike, TUN", "nat": "shrike, NAT",
         "kernel": "kernel, masquerade", "pasta": "pasta", "slirp4netns": "slirp4netns"}
GUESTS = ("pasta", "slirp4netns")  # which serve a network stack instead of a router
# of the kernel's figures
FORWARDER = {"throughput": 0.8, "CPU": 1.4, "connections": 0.6, "round trip": 1.6}
GOALS = {"userspace": FORWARDER, "tun": FORWARDER,
         "nat": {"throughput": 1.0, "CPU": 0.95, "connections": 1.1, "round trip": 0.95}}


def absolute(case, samples, unit, **more):
    for name, values in samples.items():
        record(case, values, unit, peer=NAMES[name], **more)


def relative(case, samples, other, goals, **more):
    """Of shrike's ways: what is compared was measured in the same round."""
    for name, goal in goals.items():
        if name in samples:
            record(case, [own / theirs for own, theirs in zip(samples[name], samples[other])],
                   "times", peer=NAMES[name], goal=goal, **more)


def goals_of(what):
    return {name: goals[what] for name, goals in GOALS.items()}


def in_turn(labs, number):
    """All networks; who is first changes from round to round."""
    first = number % len(labs)
    return labs[first:] + labs[:first]


def measure_throughput(labs, to=LAN, **more):
    tasks = [(down, streams) for down in (False, True) for streams in (1, 8)]
    speed = {task: {lab.name: [] for lab in labs} for task in tasks}
    cost = {task: {lab.name: [] for lab in labs} for task in tasks}
    for lab in labs:
        lab.transfer(False, 1, 1, to)  # neighbours are known, tables are there
    for number in range(ROUNDS):
        for task in tasks:
            for lab in in_turn(labs, number):
                mbit, ns = lab.transfer(*task, to=to)
                speed[task][lab.name].append(mbit)
                cost[task][lab.name].append(ns)
    for task in tasks:
        name, of = "download" if task[0] else "upload", {"flows": task[1], **more}
        absolute(name, speed[task], "Mbit/s", **of)
        relative(f"{name}, of the kernel's", speed[task], "kernel", goals_of("throughput"),
                 at_least=True, **of)
        relative(f"{name}, CPU per byte, of the kernel's", cost[task], "kernel", goals_of("CPU"),
                 **of)
        for other in GUESTS:
            if other in speed[task]:
                relative(f"{name}, of {other}'s", speed[task], other, dict.fromkeys(GOALS, 3),
                         at_least=True, **of)


def measure_small(labs):
    """Connections that carry a byte or one byte at a time."""
    rate = {lab.name: [] for lab in labs}
    trip = {lab.name: [] for lab in labs}
    for number in range(ROUNDS):
        for lab in in_turn(labs, number):
            rate[lab.name].append(lab.rate())
            trip[lab.name].append(lab.round_trip())
    absolute("connections", rate, "1/s")
    relative("connections, of the kernel's", rate, "kernel", goals_of("connections"),
             at_least=True)
    absolute("round trip of a byte", trip, "us")
    relative("round trip of a byte, of the kernel's", trip, "kernel", goals_of("round trip"))


def anonymous_memory(pid):
    """Bytes of a process's own."""
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} is gone")


def measure_memory(lab):
    """Before anything else has used the forwarder, as freed memory would be used again."""
    before = anonymous_memory(lab.forwarder)
    client = lab.start(lab.client, TOOLS / "dial", "hold", LAN, "7000", IDLE)
    if client.stdout.readline().strip() != "open":
        raise RuntimeError(f"{IDLE} connections did not come about")
    record("memory of an idle connection", [(anonymous_memory(lab.forwarder) - before) / IDLE],
           "bytes", flows=IDLE, peer="shrike", goal=4096)
    client.stdin.close()
    client.wait()
    lab.processes.remove(client)


def measure_wan(work):
    labs = []
    try:
        labs += [Lab(work, f"wan-{how}", "tun", how, WAN) for how in ("userspace", "kernel")]
        samples = {lab.how: [] for lab in labs}
        for _ in range(WAN_ROUNDS):
            for lab in labs:
                samples[lab.how].append(lab.transfer(True, 1, WAN_SECONDS)[0])
    finally:
        for lab in labs:
            lab.close()
    absolute("download, 1 % loss, 40 ms", samples, "Mbit/s", flows=1)
    relative("download, 1 % loss, 40 ms, of the kernel's with BBR", samples, "kernel",
             {"userspace": 0.8}, flows=1, at_least=True)


def measure(work):
    labs = []
    try:
        for name in NAMES:
            labs.append(Lab(work, name))
        measure_memory(labs[0])
        measure_throughput(labs)
        measure_small([lab for lab in labs if lab.how not in GUESTS])
    finally:
        for lab in labs:
            lab.close()
    measure_wan(work)


def main(measure):
    """In mount namespaces of its own, in which network namespaces have names."""
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        sys.exit(f"not installed: {' '.join(missing)}")
    if "FORWARDER_INSIDE" not in os.environ:
        os.environ["FORWARDER_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable,
                              *sys.argv])
    with tempfile.TemporaryDirectory(prefix="shrike-bench.") as work:
        subprocess.run(["mount", "-t", "tmpfs", "bench", work], check=True)
        pathlib.Path("/run/netns").mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "bench", "/run/netns"], check=True)
        try:
            measure(work)
        finally:
            subprocess.run(["umount", "-R", work], check=True)


if __name__ == "__main__":
    main(measure)
