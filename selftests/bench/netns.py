# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Network namespaces for benchmarks, a bpffs of their own, and the commands and sockets in them."""

import contextlib
import ctypes
import json
import os
import pathlib
import socket
import subprocess
import tempfile

TREE = pathlib.Path(__file__).resolve().parents[2]
BENCH = pathlib.Path(os.environ.get("BENCH", TREE / "build/bench"))
SHRIKE = BENCH.parent / "shrike"
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000


def command(*arguments, **options):
    """What a command prints; RuntimeError with what it says where it fails."""
    done = subprocess.run([str(argument) for argument in arguments], capture_output=True,
                          text=True, **options)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, arguments[:6]))}: {done.stderr.strip()}")
    return done.stdout


class Namespace:
    """A network namespace that is gone when the stack that it was made on is left."""

    def __init__(self, stack, name):
        self.name = f"bench-{os.getpid()}-{name}"
        command("ip", "netns", "add", self.name)
        stack.callback(command, "ip", "netns", "del", self.name)
        self.ip("link", "set", "lo", "up")
        self.sysctl("net.ipv6.conf.default.disable_ipv6=1")

    def prefix(self):
        # unlike ip netns exec it leaves mounts alone
        return ["nsenter", f"--net=/run/netns/{self.name}", "--"]

    def run(self, *arguments, **options):
        return command(*self.prefix(), *arguments, **options)

    def ip(self, *arguments):
        return command("ip", "-n", self.name, *arguments)

    def link(self, device):
        return json.loads(self.ip("-j", "-s", "link", "show", device))[0]

    def sysctl(self, *settings):
        self.run("sysctl", "-qw", *settings)

    def write_sysfs(self, path, value):
        command("ip", "netns", "exec", self.name, "sh", "-c", f"echo {value} >/sys/class/{path}")

    def snmp(self, protocol):
        """Counters of /proc/net/snmp."""
        lines = [line.split() for line in self.run("cat", "/proc/net/snmp").splitlines()
                 if line.startswith(protocol + ":")]
        return dict(zip(lines[0][1:], map(int, lines[1][1:])))

    @contextlib.contextmanager
    def inside(self):
        """What is opened meanwhile belongs to the namespace."""
        with open("/proc/self/ns/net") as home, open(f"/run/netns/{self.name}") as there:
            if LIBC.setns(there.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            try:
                yield
            finally:
                LIBC.setns(home.fileno(), CLONE_NEWNET)

    def udp(self, stack, address, port):
        with self.inside():
            sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sock.bind((address, port))
            sock.settimeout(5)
        return sock


def connect(near, near_device, far, far_device):
    """A pair of devices between two namespaces."""
    near.ip("link", "add", near_device, "type", "veth", "peer", "name", far_device, "netns",
            far.name)


def workspace(stack):
    """A directory that is gone afterwards, with a bpffs of its own for pins."""
    directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
    bpffs = directory / "bpf"
    bpffs.mkdir()
    command("mount", "-t", "bpf", "bpf", bpffs)
    stack.callback(command, "umount", bpffs)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NB_")}
    return directory, {**environment, "SHRIKE_BPFFS": str(bpffs)}
