#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Measures the userspace forwarder beside what forwards otherwise; a record of JSON per line.

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

    def transfer(self, down, streams, seconds=SECONDS):
        """Mbit/s that arrived, and CPU time per byte in ns."""
        output, cpu = self.run("iperf3", "-J", "-c", LAN, "-t", seconds, "-P", streams,
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
    print(json.dumps({"part": "forwarder", "case": case, "samples": samples, "unit": unit,
                      **more}), flush=True)


NAMES = {"userspace": "shrike", "tun": "shrike, TUN", "kernel": "kernel, masquerade",
         "pasta": "pasta", "slirp4netns": "slirp4netns"}


def absolute(case, samples, unit, **more):
    for name, values in samples.items():
        record(case, values, unit, peer=NAMES[name], **more)


def relative(case, samples, other, **more):
    """Of shrike's ways in: what is compared was measured in the same round."""
    for name in ("userspace", "tun"):
        if name in samples:
            record(case, [own / theirs for own, theirs in zip(samples[name], samples[other])],
                   "times", peer=NAMES[name], **more)


def measure_throughput(labs):
    tasks = [(down, streams) for down in (False, True) for streams in (1, 8)]
    speed = {task: {lab.name: [] for lab in labs} for task in tasks}
    cost = {task: {lab.name: [] for lab in labs} for task in tasks}
    for lab in labs:
        lab.transfer(False, 1, 1)  # neighbours are known, tables are there
    for number in range(ROUNDS):
        for task in tasks:
            # in turn also who is first
            for lab in labs[number % len(labs):] + labs[:number % len(labs)]:
                mbit, ns = lab.transfer(*task)
                speed[task][lab.name].append(mbit)
                cost[task][lab.name].append(ns)
    for task in tasks:
        name, flows = "download" if task[0] else "upload", task[1]
        absolute(name, speed[task], "Mbit/s", flows=flows)
        relative(f"{name}, of the kernel's", speed[task], "kernel", flows=flows, goal=0.8,
                 at_least=True)
        relative(f"{name}, CPU per byte, of the kernel's", cost[task], "kernel", flows=flows,
                 goal=1.4)
        for other in ("pasta", "slirp4netns"):
            relative(f"{name}, of {other}'s", speed[task], other, flows=flows, goal=3,
                     at_least=True)


def measure_small(labs):
    """Connections that carry a byte or one byte at a time."""
    rate = {lab.name: [] for lab in labs}
    trip = {lab.name: [] for lab in labs}
    for number in range(ROUNDS):
        for lab in labs[number % len(labs):] + labs[:number % len(labs)]:
            rate[lab.name].append(lab.rate())
            trip[lab.name].append(lab.round_trip())
    absolute("connections", rate, "1/s")
    relative("connections, of the kernel's", rate, "kernel", goal=0.6, at_least=True)
    absolute("round trip of a byte", trip, "us")
    relative("round trip of a byte, of the kernel's", trip, "kernel", goal=1.6)


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
    relative("download, 1 % loss, 40 ms, of the kernel's with BBR", samples, "kernel", flows=1,
             goal=0.8, at_least=True)


def measure(work):
    labs = []
    try:
        for name in NAMES:
            labs.append(Lab(work, name))
        measure_memory(labs[0])
        measure_throughput(labs)
        measure_small(labs[:3])
    finally:
        for lab in labs:
            lab.close()
    measure_wan(work)


def main():
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        sys.exit(f"not installed: {' '.join(missing)}")
    if "FORWARDER_INSIDE" not in os.environ:
        os.environ["FORWARDER_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable,
                              __file__, *sys.argv[1:]])
    with tempfile.TemporaryDirectory(prefix="shrike-bench.") as work:
        subprocess.run(["mount", "-t", "tmpfs", "bench", work], check=True)
        pathlib.Path("/run/netns").mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "bench", "/run/netns"], check=True)
        try:
            measure(work)
        finally:
            subprocess.run(["umount", "-R", work], check=True)


main()
