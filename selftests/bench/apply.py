# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""How long a change of policy takes, from the command to the packets, beside nftables, and what
`shrike run` keeps resident."""

import contextlib
import json
import pathlib
import subprocess
import time

import netns

RULES = (10, 100, 1000, 10000, 100000)
NFT_RULES_MAX = 10000  # of which each packet of a new flow would look at all
ROUNDS = 5
SETTLED = 3  # times in a row that the resident size is the same
PORTS = (22, 80, 443, 3306, 5432, 6379, 8080, 9090)


def allowed(n):
    """Peers that may use services: address and port of rule i."""
    return [(f"100.{64 + (i >> 16)}.{i >> 8 & 255}.{i & 255}", PORTS[i % len(PORTS)])
            for i in range(n)]


def policy(n):
    return json.dumps({"version": 1, "mode": {"routing": "native"}, "peer_acl": [
        {"id": f"rule-{i}", "action": "allow", "source": [address], "protocol": "tcp",
         "destination_ports": [port]} for i, (address, port) in enumerate(allowed(n))]})


def nftables(n):
    rules = "\n".join(f"ip saddr {address} tcp dport {port} accept"
                      for address, port in allowed(n))
    return ("table inet bench\ndelete table inet bench\ntable inet bench {\nchain input {\n"
            "type filter hook input priority filter; policy drop;\n"
            f"ct state established,related accept\n{rules}\n}}\n}}\n")


def router(stack):
    namespace = netns.Namespace(stack, "router")
    namespace.ip("link", "add", "wt0", "type", "veth", "peer", "name", "p0")
    namespace.ip("address", "add", "100.64.0.1/10", "dev", "wt0")
    for device in ("wt0", "p0"):
        namespace.ip("link", "set", device, "up")
    return namespace


def seconds(work):
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


def swap_records():
    with contextlib.ExitStack() as stack:
        directory, environment = netns.workspace(stack)
        namespace = router(stack)
        for line in namespace.run(netns.BENCH / "swap", "p0").splitlines():
            yield json.loads(line)
        files = {}
        for n in RULES:
            files[n] = (directory / f"{n}.yaml", directory / f"{n}.nft")
            files[n][0].write_text(policy(n))
            files[n][1].write_text(nftables(n))
        namespace.run(netns.SHRIKE, "attach", "wt0", "-c", files[10][0], env=environment)
        for n in RULES:
            own, peer = [], []
            for _ in range(ROUNDS):
                own.append(seconds(lambda: namespace.run(netns.SHRIKE, "policy", "apply", "wt0",
                                                         files[n][0], env=environment)))
                if n <= NFT_RULES_MAX:
                    peer.append(seconds(lambda: namespace.run("nft", "-f", files[n][1])))
            record = {"part": "swap", "case": "apply, the whole command", "rules": n, "unit": "s"}
            yield {**record, "peer": "shrike", "samples": own}
            if peer:
                yield {**record, "peer": "nftables", "samples": peer}


def resident(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has no resident size")


def settled(process, namespace, environment):
    """MiB, once it has attached and grows no more."""
    sizes, deadline = [], time.monotonic() + 60
    while len(sizes) < SETTLED or len(set(sizes[-SETTLED:])) > 1:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("shrike run did not come to rest")
        time.sleep(0.2)
        status = subprocess.run(namespace.prefix() + [netns.SHRIKE, "status", "wt0", "-j"],
                                capture_output=True, text=True, env=environment)
        if status.returncode == 0 and json.loads(status.stdout)[0]["attached"]:
            sizes.append(resident(process.pid))
    return sizes[-1]


def kernel_memory(namespace, environment):
    """MiB of all maps that are pinned for the interface."""
    pins = [path for path in (pathlib.Path(environment["SHRIKE_BPFFS"]) / "shrike").rglob("*")
            if path.is_file() and not path.name.startswith(("link_", "prog_"))]
    return sum(int(json.loads(netns.command("bpftool", "-j", "map", "show", "pinned", path))
                   ["bytes_memlock"]) for path in pins) / 1048576


def memory_records():
    kinds = [(f"native routing, {n:,} rules", policy(n)) for n in (10, 10000, 100000)]
    kinds.append(("userspace routing, no rules", 'version: 1\nmode: {routing: userspace}\n'))
    with contextlib.ExitStack() as stack:
        directory, environment = netns.workspace(stack)
        namespace = router(stack)
        path = directory / "policy.yaml"
        for name, text in kinds:
            path.write_text(text)
            with open(directory / "err", "w+") as errors:
                process = subprocess.Popen(
                    namespace.prefix() + [netns.SHRIKE, "run", "wt0", "-c", path],
                    env=environment, stdout=errors, stderr=errors)
                try:
                    size = settled(process, namespace, environment)
                    maps = kernel_memory(namespace, environment)
                finally:
                    process.terminate()
                    process.wait()
            record = {"part": "memory", "unit": "MiB"}
            yield {**record, "case": f"resident, shrike run, {name}", "samples": [size]}
            yield {**record, "case": f"maps in the kernel, {name}", "samples": [maps]}
