# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# UDP through the userspace forwarder, as a NAT is to treat it (RFC 4787).

. "$SELFTESTS/lib/forward.sh"

tests "veth tun" \
	all_destinations_see_a_peers_port_as_one \
	only_what_was_asked_comes_in \
	a_question_lives_shorter_than_a_stream \
	what_overflows_a_socket_is_counted \
	a_narrow_path_to_the_peer_is_honoured \
	datagrams_keep_their_type_of_service
tests "veth-nat tun-nat" \
	datagrams_keep_their_type_of_service

alone "veth tun" \
	a_burst_of_answers_is_not_lost

# datagram_server: at ports 5001 to 5004 of the LAN
datagram_server() {
	start "datagrams$FAMILY" "$LAN" python3 "$SELFTESTS/tools/datagrams.py" serve $LAN_IP \
		5001 5002 5003 5004
	wait_for grep -q ready "$T/datagrams$FAMILY.out"
}

# ask PORT DPORT...: from that port of the peer; each destination answers twice
ask() {
	expect 0 in_ns "$PEER" python3 "$SELFTESTS/tools/datagrams.py" ask "$1" $LAN_IP "${@:2}"
	is "answers" "$((2 * ($# - 1))) of $((2 * ($# - 1)))" "$OUT"
}

# ports_seen: those that the LAN's servers have seen
ports_seen() {
	awk 'NF == 2 { print $2 }' "$T/datagrams$FAMILY.out" | sort -u | paste -sd' '
}

test_all_destinations_see_a_peers_port_as_one() {
	local family
	forwarding_topology "$1"
	run_forwarder
	for family in 4 6; do
		use_family $family
		datagram_server
		ask 40000 5001 5002 5003 5004
		is "ports" 40000 "$(ports_seen)"
	done
	is "flows and sockets" "8 2" "$(forwarder udp_flows) $(forwarder udp_endpoints)"
	# where somebody has the port it is another, and still one
	start taken "$ROUTER" python3 "$SELFTESTS/tools/datagrams.py" serve 192.168.77.1 40001
	wait_for grep -q ready "$T/taken.out"
	use_family 4
	ask 40001 5001 5002 5003
	is "ports" 2 "$(ports_seen | wc -w)"
	ask 40001 5004 5001
	is "ports" 2 "$(ports_seen | wc -w)"
	# ports of services are not for peers
	ask 123 5001 5002
	is "ports" 3 "$(ports_seen | wc -w)"
	[[ " $(ports_seen) " != *" 123 "* ]] || die "port 123 of the host was taken"
	counters_agree wt0
}

test_only_what_was_asked_comes_in() {
	local family
	forwarding_topology "$1"
	run_forwarder
	for family in 4 6; do
		use_family $family
		datagram_server
		session held$family "$PEER" udp $LAN_IP 5001 -p 40002
		talk held$family ok
		# another port of the host that was asked, and another host; the next answer would be theirs
		in_ns "$LAN" python3 "$SELFTESTS/tools/datagrams.py" send 5555 $ROUTER_LAN_IP 40002
		in_ns "$ROUTER" python3 "$SELFTESTS/tools/datagrams.py" send 5001 $ROUTER_LAN_IP 40002
		wait_for unasked_are $((family == 4 ? 2 : 4))
		talk held$family ok
	done
	counters_agree wt0
}

unasked_are() {
	[ "$(forwarder udp_unasked)" = "$1" ]
}

test_a_question_lives_shorter_than_a_stream() {
	topology "$1"
	policy forward <<-EOF2
		mode: {routing: userspace}
		route_acl: [{id: all, action: allow, source: [any], destination: [any], protocol: all}]
		timeouts: {udp: 3s, udp_stream: 12s}
	EOF2
	use_family 4
	datagram_server
	run_forwarder
	probe ok "$PEER" udp $LAN_IP 5001
	session stream "$PEER" udp $LAN_IP 5002 -p 40003
	talk stream ok
	talk stream ok
	is "states" "udp udp_stream" "$(states)"
	is "flows" 2 "$(forwarder udp_flows)"
	wait_for flows_are 1
	wait_for states_are udp_stream
	sleep_until_idle 5
	is "flows" 1 "$(forwarder udp_flows)"
	talk stream ok
	is "ports of the stream" 1 "$(awk '$1 == 5002 { print $2 }' "$T/datagrams4.out" | sort -u | wc -l)"
	wait_for flows_are 0
	counters_agree wt0
}

# sleep_until_idle SECONDS: until the stream has had no packet for so long
sleep_until_idle() {
	wait_for stream_ends_within $((12 - $1))
}

stream_ends_within() {
	[ "$(shrike conntrack list wt0 --state udp_stream -j | jq '.[0].timeout_s')" -le "$1" ]
}

states() {
	shrike conntrack list wt0 -p udp -j | jq -r '.[].state' | sort | paste -sd' '
}

states_are() {
	[ "$(states)" = "$1" ]
}

flows_are() {
	[ "$(forwarder udp_flows)" = "$1" ]
}

# What a TUN device's queue has no room for is lost behind us, as it is for the kernel's router.
test_a_burst_of_answers_is_not_lost() {
	local family before came
	forwarding_topology "$1"
	run_forwarder
	for family in 4 6; do
		use_family $family
		datagram_server
		before=$(lost_by_device)
		expect 0 in_ns "$PEER" python3 "$SELFTESTS/tools/datagrams.py" burst $LAN_IP 5001 \
			4000 1200
		came=${OUT%% *}
		is "answers" "$came of 4000, $came in order" "$OUT"
		[ "$1" = tun ] && came=$((came + $(lost_by_device) - before))
		is "answers and losses of the device" 4000 "$came"
	done
	is "overflow" 0 "$(forwarder udp_overflow)"
	counters_agree wt0
}

lost_by_device() {
	ip -n "$ROUTER" -s -j link show dev wt0 | jq '.[0].stats64.tx.dropped'
}

# The forwarder is held up until all has been sent, which is more than its socket takes.
test_what_overflows_a_socket_is_counted() {
	local count=8000 before pid
	forwarding_topology "$1"
	use_family 4
	datagram_server
	run_forwarder
	mkfifo "$T/go"
	start burst "$PEER" python3 "$SELFTESTS/tools/datagrams.py" burst $LAN_IP 5001 $count 1200 "$T/go"
	wait_for grep -q "^5001" "$T/datagrams4.out"
	before=$(lost_by_device)
	pid=$(forwarder pid)
	kill -STOP "${PROCESS[run-wt0]}" # which would replace it, where this takes seconds
	kill -STOP "$pid"
	: >"$T/go"
	wait_for grep -q sent "$T/datagrams4.out"
	kill -CONT "$pid"
	await_end burst 30
	kill -CONT "${PROCESS[run-wt0]}"
	[ "$(forwarder udp_overflow)" -gt 0 ] || die "nothing was counted"
	is "what came, or is counted" $count \
		$(($(sed 's/ .*//' "$T/burst.out") + $(forwarder udp_overflow) + $(lost_by_device) - before))
	# 4 MB of payload come in at least, as each takes up more than its bytes
	[ "$(forwarder udp_overflow)" -lt $((count - 2500)) ] || die "the buffer is too small"
	counters_agree wt0
}

# Routers of IPv6 divide nothing; the forwarder, whose datagrams these are, does.
test_a_narrow_path_to_the_peer_is_honoured() {
	forwarding_topology "$1"
	use_family 6
	datagram_server
	run_forwarder
	expect 0 in_ns "$PEER" python3 "$SELFTESTS/tools/toobig.py" $PEER_OTHER_IP $LAN_IP 5001 1360 1300
	is "packets" "1408; 1296 168" "$OUT"
	counters_agree wt0
}

# DSCP and ECN as they are, the time to live one less: a congestion mark of the path is not lost.
test_datagrams_keep_their_type_of_service() {
	local family
	forwarding_topology "$1"
	run_forwarder
	for family in 4 6; do
		use_family $family
		start marks$family "$LAN" python3 "$SELFTESTS/tools/marks.py" serve $LAN_IP 5000
		wait_for grep -q ready "$T/marks$family.out"
		expect 0 in_ns "$PEER" python3 "$SELFTESTS/tools/marks.py" ask $LAN_IP 5000 8a 00 8b
		is "what came and was answered" "8a/63>b9/49 00/63>b9/49 8b/63>b9/49" "${OUT//$'\n'/ }"
	done
	counters_agree wt0
}
