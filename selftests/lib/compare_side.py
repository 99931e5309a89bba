#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
What one version of the command does in a session, for selftests/compare.

	compare_side.py FOLDER

FOLDER has bin/shrike, the files of the session and its lines in session.json; results.json gets what
each command has printed, without what no two runs have in common.
"""

import fcntl
import ipaddress
import json
import os
import pathlib
import re
import shlex
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

STEP_S = 0.05  # between attempts
PATIENCE_S = 300  # until what was begun shows
EXAMPLE_S = 3  # until an example is interrupted
# what ends when it is told to; with these words it ends by itself
STAYS = re.compile(r"shrike (run|monitor|stats|trace live|conntrack watch|policy apply .*m 60)\b"
                   r"(?!.*( -[cn] \d|none0|no-such|--help|--nonsense))")
TIME = r"\d+(\.\d+)? ?(ns|us|ms|s|min|h|d)\b"
VARIES = (  # what differs between two runs of one version
    (r"netns-\d+", "netns-N"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "DATE"),
    (r"^((tcp|udp|icmp) +\w+ +)\d+ ", r"\1TIME "),  # conntrack list: until it expires
    (rf"^((peer|route) .* ){TIME}$", r"\1TIME"),  # policy show: since the last hit
    (r'("seconds": ?)[\d.]+', r"\1TIME"),
    (r"\d+ packets traced, \d+ matched", "N packets traced, N matched"),
    # a random one of the dynamic ports
    (r'(:|port": ?)(49(1[5-9]|[2-9]\d)\d|5\d{4}|6[0-4]\d{3}|65[0-5]\d\d)\b', r"\1PORT"),
    (r'("(pid|id|netns|ifindex|\w*_id)": ?)"?[0-9a-f]+"?', r"\1N"),
    (r"\b((pid|id|prog) )\d+", r"\1N"),
    (rf"\b(age|idle|for|last|expires|in|after|left|ago)( hit)? {TIME}", r"\1\2 TIME"),
    (rf"{TIME} (ago|old|left)", r"TIME \3"),
    (r'("(\w*(age|idle|expires|last|time|since|seen|wall|left|ago)\w*)": ?)"?-?[\d.]+"?', r"\1TIME"),
)


def checksum(data):
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def packet(protocol, src, dst, sport=0, dport=0):
    """As a peer sends it: an IP packet with a datagram, a SYN or an echo request."""
    src, dst = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    sport, dport, v6 = int(sport), int(dport), src.version == 6
    number, at, body = {
        "udp": (17, 6, struct.pack("!HHHH", sport, dport, 13, 0) + b"hello"),
        "tcp": (6, 16, struct.pack("!HHIIBBHHH", sport, dport, 1000, 0, 0x50, 2, 65535, 0, 0)),
        "icmp": (58 if v6 else 1, 2, struct.pack("!BBHHH", 128 if v6 else 8, 0, 0, sport, dport)),
        "gre": (47, None, struct.pack("!HH", 0, 0x0800)),
    }[protocol]
    if at:
        pseudo = src.packed + dst.packed + struct.pack("!II", len(body), number)
        whole = (b"" if number == 1 else pseudo) + body
        body = body[:at] + struct.pack("!H", checksum(whole)) + body[at + 2 :]
    if v6:
        return struct.pack("!IHBB", 6 << 28, len(body), number, 64) + src.packed + dst.packed + body
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, number, 0)
    head += src.packed + dst.packed
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


class Side:
    """One version in its namespaces, in a folder that has bin/shrike, files and session.json."""

    def __init__(self, work):
        os.chdir(work)
        os.environ["PATH"] = f"{work}/bin:{os.environ['PATH']}"
        for name in [n for n in os.environ if n.startswith(("NB_", "SHRIKE_"))]:
            del os.environ[name]
        subprocess.run(["mount", "-t", "bpf", "bpf", "/sys/fs/bpf"], check=True)
        self.tun = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(self.tun, 0x400454ca, struct.pack("16sH22x", b"wt0", 0x1001))  # TUN, NO_PI
        subprocess.run(["bash", "-ec", SETUP], check=True)
        self.run = None

    def send(self, spec):
        os.write(self.tun, packet(*spec.split()))

    def command(self, line, repeat=None):
        """Runs it, with a packet again and again until it ends; returns what a user sees."""
        limit = EXAMPLE_S if STAYS.match(line) else PATIENCE_S
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = subprocess.Popen(
                ["timeout", "-s", "INT", str(limit), "bash", "-o", "pipefail", "-c", line],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err)
            while repeat and child.poll() is None:
                self.send(repeat)
                time.sleep(STEP_S)
            status = child.wait()
            out.seek(0), err.seek(0)
            shown = out.read().decode(errors="replace"), err.read().decode(errors="replace")
        # how much is printed until a command is interrupted is a matter of time
        printed = "".join(shown[0].splitlines(True)[:1]) if limit == EXAMPLE_S else shown[0]
        return f"exit status {status}\n{readable(printed)}--- stderr\n{readable(shown[1])}"

    def until(self, line):
        deadline = time.monotonic() + PATIENCE_S
        while subprocess.run(["bash", "-c", line], capture_output=True).returncode:
            if time.monotonic() > deadline:
                sys.exit(f"not so after {PATIENCE_S} s: {line}")
            time.sleep(STEP_S)

    def step(self, line):
        """A line of the session; the result if there is something to compare, else None."""
        kind, _, rest = line.partition(" ")
        if kind == ">":
            self.send(rest)
        elif kind == "!":
            subprocess.run(["bash", "-c", rest], capture_output=True)
        elif kind == "until":
            self.until(rest)
        elif kind == "start":
            with open("run.err", "w") as log:
                self.run = subprocess.Popen(shlex.split(rest), stdout=log, stderr=log)
        elif kind == "signal":
            self.run.send_signal(getattr(signal, "SIG" + rest))
        elif kind == "end":
            status = self.run.wait()
            return f"exit status {status}\n--- stderr\n{readable(pathlib.Path('run.err').read_text())}"
        elif kind == "repeat":
            spec, _, command = rest.partition(": ")
            return self.command(command, spec)
        else:
            return self.command(line)
        return None


# duplicate detection, neighbour discovery and TCP would send packets that nobody has asked for
SETUP = """
ip link set lo up
sysctl -qw net.ipv6.conf.{all,default}.accept_dad=0 net.ipv6.conf.{default,wt0}.router_solicitations=0
sysctl -qw net.ipv4.tcp_synack_retries=0
ip link set wt0 mtu 1280 addrgenmode none up
ip link add lan0 type veth peer name silent0
ip link set lan0 up; ip link set silent0 up
ip address add 100.64.0.1/16 dev wt0
ip address add fd64::1/64 dev wt0 nodad
ip address add 192.168.77.1/24 dev lan0
"""


def readable(text):
    """Objects of JSON with a key to a line; then without what varies."""
    lines = []
    for line in text.replace(os.getcwd(), "WORK").splitlines():
        if line[:1] in ("{", "["):
            try:
                line = json.dumps(json.loads(line), indent=1, ensure_ascii=False)
            except ValueError:
                pass
        lines.append(line)
    text = "".join(line + "\n" for line in lines)
    for pattern, instead in VARIES:
        text = re.sub(pattern, instead, text, flags=re.M)
    return text


def main(work):
    side = Side(work)
    results = {}
    # a service for the peers, which the host answers
    with socket.create_server(("", 22), family=socket.AF_INET6, dualstack_ipv6=True):
        try:
            for line in json.loads(pathlib.Path("session.json").read_text()):
                result, name, n = side.step(line), line, 1
                while name in results:
                    n += 1
                    name = f"{line}  (time {n})"
                if result is not None:
                    results[name] = result
        finally:
            if side.run:
                side.run.kill()
                side.run.wait()
    pathlib.Path("results.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1])
