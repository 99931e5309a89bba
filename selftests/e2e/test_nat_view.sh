# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What users see of `routing: nat`.

. "$SELFTESTS/lib/nat.sh"
. "$SELFTESTS/lib/trace.sh"

tests "veth tun" \
	a_trace_says_uplink_address_and_port \
	a_live_trace_follows_the_host_and_loses_no_connection

test_a_trace_says_uplink_address_and_port() {
	nat_topology "$1"
	run_nat
	expect 0 shrike trace in 100.64.0.2 192.168.77.2 --sport 61007 --dport 8080
	matches "a packet that would open a connection" \
		"Forwarding: Forwarding to nat \[192.168.77.1:61007 to 192.168.77.2:8080 via lan0\]" "$OUT"
	expect 0 shrike trace in 100.64.0.2 192.168.77.2 --sport 61007 --dport 8080 -j
	is "by" nat "$(fields .by)"
	is "what it becomes" '{"src":"192.168.77.1","sport":61007,"uplink":"lan0"}' \
		"$(fields '.nat | tojson')"
	is "connections after a trace" 0 "$(shrike conntrack count wt0 -j | jq '.total // .count')"
	# the port of a known connection, which another program has
	serve taken "$ROUTER" udp 0.0.0.0 61008
	expect 0 shrike trace in fd64::2 fd77::2 -p udp --sport 61007 --dport 8080
	matches "IPv6" "nat \[\[fd77::1\]:61007 to \[fd77::2\]:8080 via lan0\]" "$OUT"
	expect 0 shrike trace in 100.64.0.2 192.168.77.2 -p udp --sport 61008 --dport 8080 -j
	[ "$(fields .nat.sport)" != 61008 ] || die "a port that a program of this host has"
	session held "$PEER" tcp 192.168.77.2 8080 -s 100.64.0.2 -p 61009
	talk held ok
	expect 0 shrike trace in 100.64.0.2 192.168.77.2 --sport 61009 --dport 8080 --ack -j
	is "a known connection" '{"src":"192.168.77.1","sport":61009,"uplink":"lan0"}' \
		"$(fields '.nat | tojson')"
	expect 0 shrike trace in 100.64.0.2 192.168.77.2 -p icmp -j
	is "ping" nat "$(fields .by)"
	expect 0 shrike trace in 100.64.0.2 203.0.113.9 --dport 80
	matches "no route" "Forwarding: Not forwarded: no route leads to an uplink" "$OUT"
	expect 0 shrike trace in 100.64.0.2 192.168.77.2 -p gre -j
	is "a protocol that is left to the forwarder" forwarder "$(fields .by)"
	talk held ok
	counters_agree wt0
}

# A live trace attaches programs of its own, which know the uplinks that there are and come to be.
test_a_live_trace_follows_the_host_and_loses_no_connection() {
	nat_topology "$1"
	run_nat
	session held "$PEER" tcp 192.168.77.2 8080
	talk held ok
	live -j
	talk held ok
	ip link add lan1 netns "$ROUTER" type veth peer name eth1 netns "$LAN"
	give "$ROUTER" lan1 192.168.78.1/24
	give "$LAN" eth1 192.168.78.2/24
	wait_for eval '[ "$(in_ns "$PEER" "$TOOLS/peer" ask tcp 192.168.78.2 8080 -t 1000)" = ok ]'
	stop live INT
	traced 0 '.verdict == "forward" and .by != "nat"' || die "not by NAT"
	matches "what was traced" '"sport":[0-9]*,"uplink":"lan1"' "$(cat "$T/live.out")"
	talk held ok
	probe ok "$PEER" tcp 192.168.78.2 8080
}
