# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What the forwarder keeps of a packet, and what it must not make of one.

. "$SELFTESTS/lib/forward.sh"

tests "veth tun" \
	a_packet_that_was_damaged_is_never_delivered

# wire COMMAND ARGUMENT...: a peer that nobody else is; WIRE_IP is its address
wire() {
	WIRE_IP=100.64.0.7
	[ "$FAMILY" = 4 ] || WIRE_IP=fd64::7
	expect 0 in_ns "$PEER" timeout 60 python3 "$SELFTESTS/tools/wire.py" "$1" p0 $WIRE_IP "${@:2}"
}

test_a_packet_that_was_damaged_is_never_delivered() {
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	run_forwarder
	use_family 4
	wire sums $LAN_IP 8080
	is "what was answered" "udp whole none partial fragment|tcp whole partial again|icmp whole end" \
		"$(paste -sd'|' <<<"$OUT")"
	is "damaged" 5 "$(forwarder rx_corrupt)"
	# where IPv6 has no checksum, UDP must have one (RFC 8200, section 8.1)
	use_family 6
	wire sums $LAN_IP 8080
	is "what was answered" "udp whole partial fragment|tcp whole partial again|icmp whole end" \
		"$(paste -sd'|' <<<"$OUT")"
	is "damaged" 10 "$(forwarder rx_corrupt)"
	counters_agree wt0
}
