# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Routing by NAT: who is told what, where a packet goes no further.

. "$SELFTESTS/lib/nat.sh"

tests "veth tun gso" \
	who_asks_for_what_has_no_route_is_told \
	who_asks_for_a_neighbour_that_is_not_there_is_told
tests veth \
	a_frame_to_all_opens_nothing

# As a router: RFC 1812, section 4.3.3.1, and RFC 4443, section 3.1.  A black hole says nothing.
test_who_asks_for_what_has_no_route_is_told() {
	nat_topology "$1"
	ip -n "$ROUTER" route add unreachable 10.1.0.0/16
	ip -n "$ROUTER" -6 route add unreachable fd01::/16
	ip -n "$ROUTER" route add prohibit 10.2.0.0/16
	ip -n "$ROUTER" route add blackhole 10.3.0.0/16
	run_nat
	probe unreachable "$PEER" tcp 10.1.2.3 80
	probe unreachable "$PEER" tcp fd01::1 80
	probe timeout "$PEER" tcp 10.3.0.1 80
	pings lost "$PEER" 10.1.2.3
	matches "unreachable" "From 100.64.0.1 .*Destination Host Unreachable" "$OUT"
	pings lost "$PEER" 10.2.2.3
	matches "prohibited" "From 100.64.0.1 .*Packet filtered" "$OUT"
	pings lost "$PEER" 203.0.113.9
	matches "no route" "From 100.64.0.1 .*Destination Net Unreachable" "$OUT"
	is "connections" 0 "$(shrike conntrack count wt0)"
	counters_agree wt0
}

test_who_asks_for_a_neighbour_that_is_not_there_is_told() {
	nat_topology "$1"
	run_nat
	probe unreachable "$PEER" tcp 192.168.77.99 80
	probe unreachable "$PEER" tcp fd77::99 80
	[ "$(dropped wt0 no_neighbour)" -gt 0 ] || die "no_neighbour is not counted"
	# which is found as soon as it is there
	start ping "$PEER" ping -n -i 0.5 192.168.77.99
	wait_for -t 10 grep -q "From 100.64.0.1 .*Destination Host Unreachable" "$T/ping.out"
	ip -n "$LAN" address add 192.168.77.99/24 dev eth0
	wait_for -t 10 grep -q "bytes from 192.168.77.99" "$T/ping.out"
	stop ping
	counters_agree wt0
}

is_seen() {
	[ "$(status_of wt0 .counters.ingress.seen.packets)" -ge 1 ]
}

# RFC 1812, section 5.3.4: it is not forwarded, and nobody is told.
test_a_frame_to_all_opens_nothing() {
	nat_topology "$1"
	run_nat
	expect 0 in_ns "$PEER" python3 "$SELFTESTS/tools/wire.py" dial p0 100.64.0.7 192.168.77.2 8080
	wait_for is_seen
	is "connections" 0 "$(shrike conntrack count wt0)"
	is "forwarded" 0 "$(status_of wt0 .counters.ingress.forward.packets)"
	is "dropped" 1 "$(dropped wt0 link_multicast)"
	counters_agree wt0
}
