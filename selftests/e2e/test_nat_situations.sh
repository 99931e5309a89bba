# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Routing by NAT in situations of its own; those that it shares with the userspace forwarder are
# variants ("-nat") of the forwarder's tests.

. "$SELFTESTS/lib/forward.sh"

tests "veth-nat tun-nat gso-nat" \
	what_the_host_says_on_the_uplink_is_untouched \
	refusals_and_resets_reach_both_ends \
	one_port_opens_connections_again_and_again \
	every_form_of_traceroute_shows_the_path \
	mappings_are_the_same_for_all_destinations \
	two_hundred_connections_open_at_once \
	the_uplink_is_left_as_it_was_after_a_kill
tests "veth tun" \
	what_is_for_localhost_goes_to_the_forwarder

# The host has connections of its own to the same server and port, opened before and after.
test_what_the_host_says_on_the_uplink_is_untouched() {
	local family
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	serve_all "$ROUTER" 8081
	session before "$ROUTER" tcp 192.168.77.2 8080
	session asked "$LAN" tcp 192.168.77.1 8081
	talk before ok
	talk asked ok
	run_forwarder
	for family in 4 6; do
		use_family $family
		probe ok "$PEER" tcp $LAN_IP 8080 -n 1000000
		probe ok "$ROUTER" tcp $LAN_IP 8080 -n 1000000
		probe ok "$ROUTER" udp $LAN_IP 8080
		probe ok "$LAN" tcp $ROUTER_LAN_IP 8081 -n 1000000
		probe ok "$LAN" udp $ROUTER_LAN_IP 8081
		probe refused "$LAN" tcp $ROUTER_LAN_IP 8082
		pings ok "$ROUTER" $LAN_IP
		pings ok "$LAN" $ROUTER_LAN_IP
		session "peer$family" "$PEER" udp $LAN_IP 8080 -p 5000
		session "host$family" "$ROUTER" udp $LAN_IP 8080 -p 5001
		talk "peer$family" ok
		talk "host$family" ok
	done
	talk before ok
	talk asked ok
	stop run-wt0
	talk before ok
	talk asked ok
	for family in 4 6; do
		talk "host$family" ok
	done
}

# The server resets after a byte, the peer resets after one, and nobody listens.
test_refusals_and_resets_reach_both_ends() {
	local family
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	run_forwarder
	for family in 4 6; do
		use_family $family
		start ends$family "$LAN" python3 "$SELFTESTS/tools/resets.py" serve $LAN_IP 9000
		wait_for grep -q ready "$T/ends$family.out"
		expect 0 in_ns "$PEER" timeout 20 python3 "$SELFTESTS/tools/resets.py" ask $LAN_IP 9000 50
		is "connections" "50 refused, 50 reset by the server" "$OUT"
		wait_for grep -q "50 reset by the client" "$T/ends$family.out"
	done
	counters_agree wt0
}

# The same four numbers each time; the server may still know the connection before, if its peer does not.
test_one_port_opens_connections_again_and_again() {
	local family
	forwarding_topology "$1"
	run_forwarder
	for family in 4 6; do
		use_family $family
		start ends$family "$LAN" python3 "$SELFTESTS/tools/resets.py" serve $LAN_IP 9000
		wait_for grep -q ready "$T/ends$family.out"
		expect 0 in_ns "$PEER" timeout 60 python3 "$SELFTESTS/tools/resets.py" again $LAN_IP 9000 \
			$(rounds 12 100) 5003
		is "connections" "$(rounds 12 100) answered, $(rounds 12 100) reset by the server" "$OUT"
	done
	counters_agree wt0
}

test_every_form_of_traceroute_shows_the_path() {
	local family how
	command -v traceroute >/dev/null || skip "there is no traceroute"
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	run_forwarder
	for family in 4 6; do
		use_family $family
		for how in "" -I "-U -p 5353" "-T -p 8080" "-T -p 8081"; do
			# shellcheck disable=SC2086
			expect 0 in_ns "$PEER" traceroute $how -$family -n -q 1 -w 2 -m 4 $LAN_IP
			is "hops of traceroute $how" "$ROUTER_IP $LAN_IP" \
				"$(awk 'NR > 1 { print $2 }' <<<"$OUT" | paste -sd' ')"
		done
	done
	counters_agree wt0
}

# As STUN servers would tell it, by both families (RFC 4787, REQ-1; RFC 5382, REQ-1).
test_mappings_are_the_same_for_all_destinations() {
	local family n addrs how
	forwarding_topology "$1"
	for n in 3 4 5; do
		ip -n "$LAN" address add 192.168.77.$n/24 dev eth0
		ip -n "$LAN" address add fd77::$n/64 dev eth0 nodad
	done
	run_forwarder
	for family in 4 6; do
		use_family $family
		addrs="${LAN_IP%2}2 ${LAN_IP%2}3 ${LAN_IP%2}4 ${LAN_IP%2}5"
		# shellcheck disable=SC2086
		start mapped$family "$LAN" python3 "$SELFTESTS/tools/mapped.py" serve 3478 $addrs
		wait_for grep -q ready "$T/mapped$family.out"
		for how in "ask 5000" "ask 50000" "connect 5000" "connect 50000"; do
			# shellcheck disable=SC2086
			expect 0 in_ns "$PEER" python3 "$SELFTESTS/tools/mapped.py" $how 3478 $addrs
			is "answers to $how" 4 "$(wc -l <<<"$OUT")"
			matches "the only mapping" "^$ROUTER_LAN_IP [0-9]+$" "$(sort -u <<<"$OUT")"
		done
	done
	counters_agree wt0
}

test_two_hundred_connections_open_at_once() {
	local family
	forwarding_topology "$1"
	run_forwarder
	for family in 4 6; do
		use_family $family
		transfer_server "$LAN" $ANYWHERE 9090
		begin_transfer many$family many $LAN_IP 9090 200
		wait_for -t 60 grep -q "open after" "$T/many$family.out"
		end_transfer many$family
	done
	counters_agree wt0
}

# qdiscs, programs, addresses and routes
state_of_uplink() {
	programs lan0
	in_ns "$ROUTER" tc qdisc show dev lan0
	ip -n "$ROUTER" -d link show dev lan0
	host_settings
}

test_the_uplink_is_left_as_it_was_after_a_kill() {
	local before
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	before=$(state_of_uplink)
	run_forwarder
	use_family 4
	session held "$PEER" tcp $LAN_IP 8080
	talk held ok
	stop run-wt0 KILL
	talk held ok
	probe ok "$PEER" tcp $LAN_IP 8080
	expect 0 shrike detach wt0
	is "uplink" "$before" "$(state_of_uplink)"
	nothing_is_pinned
}

test_what_is_for_localhost_goes_to_the_forwarder() {
	ROUTING=nat
	topology "$1"
	serve local4 "$ROUTER" tcp 127.0.0.1 8080
	serve_all "$LAN" 8080
	policy forward <<-EOF2
		mode: {routing: nat, netstack: true, local_forwarding: true}
		peer_acl: [{id: local, action: allow, source: [any], protocol: all}]
		route_acl: [{id: lan, action: allow, source: [any], destination: [any], protocol: all}]
	EOF2
	run_forwarder
	probe ok "$PEER" tcp 100.64.0.1 8080 -n 1000000
	is "connections of the forwarder" 1 "$(forwarder tcp_opened)"
	probe ok "$PEER" tcp 192.168.77.2 8080 -n 1000000
	is "connections of the forwarder" 1 "$(forwarder tcp_opened)"
	counters_agree wt0
}
