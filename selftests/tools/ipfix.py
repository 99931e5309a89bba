#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
A collector of IPFIX (RFC 7011), strict: it ends with a complaint where an exporter makes a mistake.

	ipfix.py tcp|udp ADDRESS PORT       prints a JSON object for each data record, by names of IANA's

Each object has "template" and "message", the message's number since the session began.  TCP: one
connection after the other, each a session of its own.
"""

import ipaddress
import json
import socket
import struct
import sys

REVERSE = 29305
NAMES = {
    1: "octetDeltaCount",
    2: "packetDeltaCount",
    4: "protocolIdentifier",
    7: "sourceTransportPort",
    8: "sourceIPv4Address",
    10: "ingressInterface",
    11: "destinationTransportPort",
    12: "destinationIPv4Address",
    14: "egressInterface",
    27: "sourceIPv6Address",
    28: "destinationIPv6Address",
    32: "icmpTypeCodeIPv4",
    40: "exportedOctetTotalCount",
    41: "exportedMessageTotalCount",
    42: "exportedFlowRecordTotalCount",
    61: "flowDirection",
    132: "droppedOctetDeltaCount",
    133: "droppedPacketDeltaCount",
    136: "flowEndReason",
    139: "icmpTypeCodeIPv6",
    148: "flowId",
    149: "observationDomainId",
    152: "flowStartMilliseconds",
    153: "flowEndMilliseconds",
    164: "ignoredPacketTotalCount",
    166: "notSentFlowTotalCount",
    225: "postNATSourceIPv4Address",
    227: "postNAPTSourceTransportPort",
    233: "firewallEvent",
    239: "biflowDirection",
    281: "postNATSourceIPv6Address",
    302: "selectorId",
    335: "selectorName",
}


def check(condition, what):
    if not condition:
        sys.exit(f"ipfix.py: {what}")


def text_of(element, data):
    name = NAMES[element]
    if name.endswith("Address"):
        return str(ipaddress.ip_address(data))
    if name == "selectorName":
        return data.decode()
    return int.from_bytes(data, "big")


class Session:
    def __init__(self):
        self.templates, self.sequence, self.messages = {}, 0, 0

    def take(self, message):
        version, length, _, sequence, domain = struct.unpack("!HHIII", message[:16])
        check(version == 10 and length == len(message), f"version {version}, length {length}")
        check(sequence == self.sequence, f"sequence {sequence} and not {self.sequence}")
        self.messages += 1
        at = 16
        while at < len(message):
            set_id, length = struct.unpack("!HH", message[at : at + 4])
            check(4 < length <= len(message) - at, f"a set of {length} bytes")
            self.take_set(set_id, message[at + 4 : at + length], domain)
            at += length

    def take_set(self, set_id, data, domain):
        if set_id in (2, 3):
            while data:
                data = self.take_template(data, set_id == 3)
            return
        check(set_id in self.templates, f"set {set_id} before its template")
        while data:
            data = self.take_record(set_id, data, domain)

    def take_template(self, data, is_options):
        template, n = struct.unpack("!HH", data[:4])
        at, fields = 4, []
        if is_options:
            scopes = struct.unpack("!H", data[4:6])[0]
            check(0 < scopes < n, f"{scopes} scopes")
            at = 6
        for _ in range(n):
            element, length = struct.unpack("!HH", data[at : at + 4])
            at += 4
            enterprise = 0
            if element & 0x8000:
                enterprise = struct.unpack("!I", data[at : at + 4])[0]
                check(enterprise == REVERSE, f"enterprise {enterprise}")
                at += 4
            check(element & 0x7FFF in NAMES, f"element {element & 0x7FFF}")
            fields.append((element & 0x7FFF, length, enterprise))
        known = self.templates.setdefault(template, fields)
        check(template >= 256 and known == fields, f"template {template} has changed")
        return data[at:]

    def take_record(self, template, data, domain):
        record, at = {"template": template, "message": self.messages}, 0
        for element, length, enterprise in self.templates[template]:
            if length == 0xFFFF:
                length = data[at]
                at += 1
            check(at + length <= len(data), f"a record of template {template} is cut short")
            name = NAMES[element]
            if enterprise:
                name = "reverse" + name[0].upper() + name[1:]
            record[name] = text_of(element, data[at : at + length])
            at += length
        self.sequence += 1
        print(json.dumps({**record, "domain": domain}), flush=True)
        return data[at:]


def exactly(connection, n):
    data = b""
    while len(data) < n:
        part = connection.recv(n - len(data))
        check(part or not data, "the connection ends within a message")
        if not part:
            return None
        data += part
    return data


def serve_tcp(listener):
    listener.listen()
    while True:
        connection, _ = listener.accept()
        session = Session()
        while head := exactly(connection, 16):
            length = struct.unpack("!H", head[2:4])[0]
            session.take(head + (exactly(connection, length - 16) or b""))


def serve_udp(listener):
    sessions = {}
    while True:
        message, sender = listener.recvfrom(65536)
        sessions.setdefault(sender, Session()).take(message)


def main():
    kind, address, port = sys.argv[1:]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, int(port)))
    print(json.dumps({"listens": True}), flush=True)
    (serve_tcp if kind == "tcp" else serve_udp)(listener)


main()
