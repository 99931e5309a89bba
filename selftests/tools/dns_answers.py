#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""DNS answers as NetBird's forwarder sends them, though nobody asks.

	dns_answers.py FROM PORT TO NAME ADDRESS [COUNT [PER-SECOND [PER-ANSWER]]]

COUNT answers (1) leave from FROM and PORT, so many each second (as fast as it goes).  "%d" in NAME
becomes the number of the answer.  Each has PER-ANSWER addresses (1), ADDRESS being the first of all.
FROM may be BOUND=SOURCE: the socket is bound to BOUND, and its packets say SOURCE.
"""
import socket
import struct
import sys
import time

TTL = 600


def message(name, first, n):
	question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
	records = b"".join(b"\xc0\x0c" + struct.pack(">2HIHI", 1, 1, TTL, 4, first + i)
			   for i in range(n))
	return struct.pack(">6H", 1, 0x8180, 1, n, 0, 0) + question + struct.pack(">2H", 1, 1) + records


def main():
	source, port, to, name, address = sys.argv[1:6]
	given = [float(word) for word in sys.argv[6:]]
	count, per_second, per_answer = given + [1, 0, 1][len(given):]
	bound, _, said = source.partition("=")
	first = struct.unpack(">I", socket.inet_aton(address))[0]
	control = []
	if said:
		info = struct.pack("=I4s4x", 0, socket.inet_aton(said))
		control = [(socket.IPPROTO_IP, 8, info)]  # IP_PKTINFO
	sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	sender.bind((bound, int(port)))
	begun = time.monotonic()
	for i in range(int(count)):
		text = message(name.replace("%d", str(i)), first + i * int(per_answer), int(per_answer))
		sender.sendmsg([text], control, 0, (to, 40000))
		if per_second:
			time.sleep(max(0, begun + (i + 1) / per_second - time.monotonic()))


main()
