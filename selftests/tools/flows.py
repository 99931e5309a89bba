#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Does the flow log say of connections what the table of connections has said?

	flows.py same LISTED LOG     `conntrack list -j` of connections whose ends are in the log
"""

import json
import sys


def counters(flow):
    """(packets, bytes) of the opener, of the answerer."""
    if "opener" in flow:
        return [(flow[end]["packets"], flow[end]["bytes"]) for end in ("opener", "answerer")]
    return [(flow["packets"], flow["bytes"]), (flow["reply_packets"], flow["reply_bytes"])]


def key(flow):
    port = flow.get("sport", flow.get("icmp_id", flow.get("id")))
    return flow["protocol"], flow["src"], flow["dst"], port, flow.get("dport")


def main():
    with open(sys.argv[2], encoding="utf-8") as file:
        listed = json.load(file)
    with open(sys.argv[3], encoding="utf-8") as file:
        log = [json.loads(line) for line in file]
    ends = {key(flow): flow for flow in log if flow["type"] == "end"}
    compared = 0
    for flow in listed:
        if flow["protocol"] == "tcp":
            continue  # may have gone on after it was listed
        end = ends.get(key(flow))
        if not end or counters(end) != counters(flow) or end["rule"] != flow["rule"]:
            sys.exit(f"listed: {flow}, logged: {end}")
        compared += 1
    if not compared:
        sys.exit("nothing was compared")
    print(f"{compared} connections compared")


main()
