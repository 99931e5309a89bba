#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Do metrics say what other commands say, and do queries name metrics that there are?

	metrics.py same STATUS POLICY METRICS     `status -j`, `policy show -j`, OpenMetrics: of one moment
	metrics.py names FAMILIES FILE...          every metric that the files name is in `metrics -j`
	metrics.py manual FAMILIES TEXT           every family and event is in the manual's text
	metrics.py sum METRICS NAME [LABEL=VALUE...]   the sum of samples
	metrics.py openmetrics METRICS            OpenMetrics, read by Prometheus' own client library
	metrics.py slow ADDRESS PORT N            hold N connections, each of which says a byte now and then
"""

import json
import re
import select
import socket
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families


def families(path):
    with open(path, encoding="utf-8") as file:
        return list(text_string_to_metric_families(file.read()))


def samples(path):
    """{(name, labels as a frozen set): value}; no sample is there twice."""
    found = {}
    for family in families(path):
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            if key in found:
                sys.exit(f"twice: {sample}")
            found[key] = sample.value
    return found


class Comparison:
    def __init__(self, found, interface):
        self.found, self.interface = found, interface
        self.mistakes, self.compared = [], set()

    def expect(self, value, name, **labels):
        key = name, frozenset({**labels, "interface": self.interface}.items())
        self.compared.add(key)
        if self.found.get(key) != int(value):
            self.mistakes.append(f"{name} {labels}: {self.found.get(key)} and not {value}")


def expect_direction(c, direction, counters):
    for unit in "packets", "bytes":
        c.expect(counters["seen"][unit], f"shrike_seen_{unit}_total", direction=direction)
        c.expect(
            counters["tcp_out_of_window"][unit],
            f"shrike_tcp_out_of_window_{unit}_total",
            direction=direction,
        )
        for verdict in "pass", "forward", "drop":
            c.expect(
                counters[verdict][unit], f"shrike_{unit}_total", direction=direction, verdict=verdict
            )
        for of, result in ("pass_reasons", "allow"), ("drop_reasons", "drop"):
            for reason, counter in counters[of].items():
                c.expect(
                    counter[unit],
                    f"shrike_reason_{unit}_total",
                    direction=direction,
                    reason=reason,
                    result=result,
                )
    c.expect(counters["residue"], "shrike_residue_packets", direction=direction)


LOST = """rx_oversize rx_no_frame rx_ring_full rx_queue_full rx_unread rx_ignored rx_corrupt rx_expired
    rx_refused rx_repeated rx_unwritten rx_unsent rx_fragments rx_unfinished""".split()
STATE = "queues tcp_connections tcp_dials udp_flows udp_endpoints echo_flows peers fragments".split()
NOT_EVENTS = ["input", "device", "packet_max", "mtu", "pid", "unreceived", "unrelayed"]


def expect_forwarder(c, forwarder):
    c.expect(forwarder["pid"] != 0, "shrike_forwarder_up")
    c.expect(forwarder["bytes_up"], "shrike_forwarder_relayed_bytes_total", direction="up")
    c.expect(forwarder["bytes_down"], "shrike_forwarder_relayed_bytes_total", direction="down")
    for key, value in forwarder.items():
        if key in LOST:
            c.expect(value, "shrike_forwarder_lost_packets_total", reason=key)
        elif key in STATE:
            c.expect(value, "shrike_forwarder_state", kind=key)
        elif key.startswith("un"):
            c.expect(value, f"shrike_forwarder_{key}_packets")
        elif key not in NOT_EVENTS and not key.startswith("bytes_"):
            c.expect(value, "shrike_forwarder_events_total", event=key)


def expect_nat(c, nat, counters):
    for direction, counter in counters.items():
        c.expect(
            counter["translated"]["packets"], "shrike_nat_packets_total", direction=direction
        )
    c.expect(nat["no_port"], "shrike_nat_no_port_packets_total")
    c.expect(nat["unsent"], "shrike_nat_unsent_packets")
    c.expect(nat["ports"]["count"], "shrike_nat_ports")
    for uplink in nat["uplinks"]:
        c.expect(uplink["attached"], "shrike_nat_uplink_attached", uplink=uplink["name"])
        c.expect(uplink["mtu"], "shrike_nat_uplink_mtu_bytes", uplink=uplink["name"])
    expect_tables(c, nat["answers"])


def expect_tables(c, tables):
    for name, table in tables.items():
        c.expect(table["entries"], "shrike_table_entries", table=name)
        c.expect(table["max_entries"], "shrike_table_max_entries", table=name)


def expect_rules(c, policy):
    for acl in "peer_acl", "route_acl":
        for rule in policy.get(acl, []):
            for unit in "packets", "bytes":
                c.expect(
                    rule["hits"][unit],
                    f"shrike_rule_{unit}_total",
                    acl=acl,
                    rule=rule["id"],
                    action=rule["action"],
                )


def expect_status(c, status):
    c.expect(status["attached"], "shrike_attached")
    c.expect(status["running"], "shrike_running")
    if status["run"]:
        c.expect(status["run"]["hung"], "shrike_running_hung")
    c.expect(not status["last_failure"], "shrike_policy_last_reload_successful")
    c.expect(status["generation"], "shrike_policy_generation")
    c.expect(status["rules"], "shrike_policy_rules")
    c.expect(status["applied_timestamp"], "shrike_policy_applied_timestamp_seconds")
    c.expect(status["lost_events"], "shrike_lost_events_total")
    log = status["flow_log"]
    if log:
        c.expect(log["reader"] is not None, "shrike_flowlog_reader")
        c.expect(log["ring_bytes"], "shrike_flowlog_ring_bytes")
        c.expect(log["used_bytes"], "shrike_flowlog_ring_used_bytes")
        c.expect(log["lost_events"], "shrike_flowlog_lost_events_total")
        c.expect(log["unsampled_drops"], "shrike_flowlog_unsampled_drops_total")
    for figure in ("bytes", "records_total", "beyond_total", "forgotten_total"):
        c.expect(status["recorder"][figure.removesuffix("_total")], f"shrike_recorder_{figure}")
    for direction in ["ingress", "egress"] + (["uplink"] if status["nat"] else []):
        expect_direction(c, direction, status["counters"][direction])
    expect_tables(c, status["tables"])
    for protocol, versions in status["connections"].items():
        for version, states in versions.items():
            for state, n in states.items():
                c.expect(
                    n, "shrike_connections", protocol=protocol, ip_version=version, state=state
                )
    if status["forwarder"]:
        expect_forwarder(c, status["forwarder"])
    if status["nat"]:
        expect_nat(c, status["nat"], status["counters"])


def same(status_path, policy_path, metrics_path):
    with open(status_path, encoding="utf-8") as file:
        status = json.load(file)[0]
    with open(policy_path, encoding="utf-8") as file:
        policy = json.load(file)
    c = Comparison(samples(metrics_path), status["interface"])
    expect_status(c, status)
    expect_rules(c, policy)
    # what status does not say is 0, and the rest is text that labels hold
    for key, value in c.found.items():
        if key not in c.compared and value and not key[0].endswith("_info"):
            c.mistakes.append(f"not in the status: {key} {value}")
    if c.mistakes:
        sys.exit("\n".join(c.mistakes))
    print(len(c.compared), "figures are the same")


NAME = re.compile(r"\bshrike_[a-z0-9_]+")


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def names(families_path, *paths):
    known = {family["name"] for family in read_json(families_path)}
    for path in paths:
        with open(path, encoding="utf-8") as file:
            named = set(NAME.findall(file.read()))
        if named - known or not named:
            sys.exit(f"{path}: unknown {sorted(named - known)} of {len(named)}")
        print(path, "names", len(named))


def manual(families_path, manual_path):
    with open(manual_path, encoding="utf-8") as file:
        text = file.read()
    for family in read_json(families_path):
        words = [family["name"]]
        if family["name"].startswith("shrike_forwarder_"):
            words += [v for s in family["samples"] for k, v in s["labels"].items() if k != "interface"]
        for word in words:
            if not re.search(rf"\b{word}\b", text):
                sys.exit(f"the manual lacks {word}")


def total(metrics_path, name, *labels):
    wanted = set(tuple(label.split("=", 1)) for label in labels)
    found = [v for (n, of), v in samples(metrics_path).items() if n == name and wanted <= of]
    print(int(sum(found)), len(found))


def slow(address, port, n):
    """Until standard input ends; says how many connections the server has ended so far."""
    clients = []
    for _ in range(int(n)):
        clients.append(socket.create_connection((address, int(port))))
        clients[-1].sendall(b"GET /metrics HTTP/1.1\r\nX-Slow: ")
    print("ready", flush=True)
    ended = 0
    while not select.select([sys.stdin], [], [], 0.2)[0]:
        for client in list(clients):
            try:
                client.send(b"x")
                if select.select([client], [], [], 0)[0] and not client.recv(4096):
                    raise ConnectionResetError
            except OSError:
                clients.remove(client)
                ended += 1
                print("ended", ended, flush=True)


COMMANDS = {
    "same": same,
    "names": names,
    "manual": manual,
    "sum": total,
    "openmetrics": lambda path: print(len(families(path)), "families"),
    "slow": slow,
}

if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    COMMANDS[sys.argv[1]](*sys.argv[2:])
