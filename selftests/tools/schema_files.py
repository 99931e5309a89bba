#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Do a JSON Schema and the parser say the same of many files?

	schema_files.py policy|scenario SHRIKE SCHEMA FOLDER

From a file that has every key, others are made: each with one value replaced, removed or added.  What
both refuse or both take is counted; what they differ in is printed.
"""
import copy
import json
import os
import subprocess
import sys

import jsonschema

POLICY = {
    "version": 1,
    "mode": {"stateful": True, "routing": "auto", "native_acl": "enforce", "netstack": False,
             "local_forwarding": False, "forwarder_input": "auto", "hook": "auto"},
    "peer_acl": [{"id": "ssh", "description": "for operators", "action": "allow", "source": ["100.64.0.0/10", "fd64::/64"],
                  "destination": ["100.64.0.1"], "protocol": "tcp", "source_ports": ["1024-65535"],
                  "destination_ports": [22, "8000-8999"]},
                 {"id": "ping", "action": "deny", "source": "any", "protocol": "icmp",
                  "icmp_types": ["echo-request"]}],
    "route_acl": [{"id": "web", "action": "allow", "destination": ["10.0.0.0/8", "set:corp"],
                   "protocol": 6, "destination_ports": 80}],
    "names": {"laptop-anna": ["100.64.0.7", "fd64::7"]},
    "sets": {"corp": ["172.20.0.0/16", "172.21.0.1 timeout 1h30m"]},
    "nat": {"one_to_one": [{"original": "10.9.0.5", "translated": "100.64.0.5"}],
            "port": [{"protocol": "tcp", "port": 8080, "to": 80, "address": "100.64.0.1"}],
            "uplinks": ["eth0"], "source": "auto", "port_range": "61000-65535"},
    "limits": {"tcp": 65536, "udp": 16384, "icmp": 2048, "other": 2048, "fragments": 16384},
    "timeouts": {name: "60s" for name in (
        "tcp_established", "tcp_handshake", "tcp_fin_wait", "tcp_close_wait", "tcp_last_ack",
        "tcp_time_wait", "udp", "udp_stream", "icmp", "other", "fragment")},
    "mss_clamp": True,
    "included": {"rules.d/a.yaml": {"version": 1, "sets": {"other": ["10.1.0.0/16"]},
                                    "names": {"db": "10.0.0.5"},
                                    "peer_acl": [{"id": "db", "action": "allow", "source": ["10.1.0.1"]}]}},
    "follow": {"netbird": "/var/run/netbird.sock"},
    "tests": [{"from": "100.64.0.2", "to": "self", "protocol": "tcp", "sport": 50000, "dport": 22,
               "expect": "allowed", "rule": "ssh"}],
}
SCENARIO = {
    "policy": {"version": 1},
    "interface": {"addresses": ["100.64.0.1/10", "fd64::1/64"], "mtu": 1280, "link": "l3"},
    "local_addresses": ["192.168.1.1"],
    "ip_forward": True,
    "packets": [
        {"at": "1s", "direction": "in", "src": "100.64.0.2", "dst": "100.64.0.1", "protocol": "tcp",
         "sport": 1, "dport": 2, "flags": ["syn"], "mss": 1460, "seq": 1, "ack": 2, "payload": 3,
         "ttl": 64, "expect": {"verdict": "drop", "rule": None, "reason": "peer_acl_default",
                               "state": None}},
        {"direction": "out", "src": "100.64.0.1", "dst": "100.64.0.2", "protocol": "icmp",
         "icmp": {"type": 8, "code": 0, "id": 1, "seq": 1},
         "fragment": {"id": 7, "offset": 0, "more": False}, "trace": True},
        {"hex": "45000014000000004000000064400002644000", "direction": "in"},
        {"at": "20s", "apply": {"version": 1}},
    ],
}
VALUES = [7, -1, 99999999999, "x y", "", True, None, [], {}, ["x y"], {"a": 1}, 1.5]


def places(value, path=()):
    """The paths of all values, containers before what is in them."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield from places(child, path + (key,))


def variants(base):
    """Name and value of each file."""
    yield "whole", base
    for path in places(base):
        if not path:
            continue
        for value in [None] + VALUES + ["remove", "add"]:
            made = copy.deepcopy(base)
            parent = made
            for key in path[:-1]:
                parent = parent[key]
            if value == "remove":
                del parent[path[-1]]
            elif value == "add":
                if not isinstance(parent[path[-1]], dict):
                    continue
                parent[path[-1]]["no_such_key"] = 1
            else:
                parent[path[-1]] = value
            yield "/".join(map(str, path)) + "=" + json.dumps(value), made


def parser_takes(kind, shrike, path):
    command = [shrike, "policy", "check"] if kind == "policy" else [shrike, "simulate"]
    # nobody may load programs, so that tests and packets are checked, and not judged
    done = subprocess.run(command + [path], capture_output=True, text=True, user=65534)
    return done.returncode != 2, done.stderr.strip().split(": ", 1)[-1].split("\n")[0]


def main():
    kind, shrike, schema, folder = sys.argv[1:]
    with open(schema) as file:
        validator = jsonschema.Draft7Validator(json.load(file))
    both = {True: 0, False: 0}
    parser_alone = {}
    path = os.path.join(folder, "file.json")
    for name, value in variants(POLICY if kind == "policy" else SCENARIO):
        with open(path, "w") as file:
            json.dump(value, file)
        takes, why = parser_takes(kind, shrike, path)
        if validator.is_valid(value) == takes:
            both[takes] += 1
        elif takes:
            print(f"the schema alone refuses {name}")
        else:
            parser_alone.setdefault(why, []).append(name)
    for why, names in sorted(parser_alone.items()):
        print(f"the parser alone refuses {names[0]} ({len(names)}): {why}")
    print(f"both take {both[True]}, both refuse {both[False]}")


main()
