# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What the forwarder keeps of a packet, and what it must not make of one.

. "$SELFTESTS/lib/forward.sh"

tests "veth tun gso" \
	a_packet_that_was_damaged_is_never_delivered \
	type_of_service_and_time_to_live_are_carried_through \
	answers_may_be_fragmented_further_on \
	urgent_data_stays_urgent \
	a_reset_is_heard_while_a_direction_is_blocked \
	a_dial_lasts_as_long_as_both_ends_have_patience
tests "tun-nat gso-nat" \
	type_of_service_and_time_to_live_are_carried_through
tests "veth-nat tun-nat gso-nat" \
	urgent_data_stays_urgent \
	a_reset_is_heard_while_a_direction_is_blocked
tests "veth" \
	an_interface_may_have_more_than_64_queues
alone "veth tun" \
	every_packet_that_is_lost_has_a_name

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

test_type_of_service_and_time_to_live_are_carried_through() {
	local family
	forwarding_topology "$1"
	in_ns "$LAN" sysctl -qw net.ipv4.ip_default_ttl=55 net.ipv6.conf.eth0.hop_limit=55
	run_forwarder
	for family in 4 6; do
		use_family $family
		start server$family "$LAN" python3 "$SELFTESTS/tools/wire.py" server eth0 $LAN_IP 8080
		wait_for grep -q ready "$T/server$family.out"
		wire marks $LAN_IP 8080 tcp
		is "TCP" "b8>28/54 88>20/54" "$OUT"
		wire marks $LAN_IP 8080 icmp
		is "ICMP" "b9>b9/54 8b>8b/54" "$OUT"
	done
	counters_agree wt0
}

# By a router behind the peer, say: the identification tells fragments of several answers apart.
test_answers_may_be_fragmented_further_on() {
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	run_forwarder
	use_family 4
	wire ids $LAN_IP 8080
	is "identifications of 8 answers" 8 "$OUT"
	counters_agree wt0
}

test_urgent_data_stays_urgent() {
	local family
	forwarding_topology "$1"
	run_forwarder
	for family in 4 6; do
		use_family $family
		start serve$family "$LAN" python3 "$SELFTESTS/tools/urgent.py" serve $LAN_IP 8080 urgent
		wait_for grep -q ready "$T/serve$family.out"
		expect 0 in_ns "$PEER" python3 "$SELFTESTS/tools/urgent.py" ask $LAN_IP 8080 urgent
		is "at the client" "! beforebehind" "$OUT"
		is "at the server" "! beforebehind" "$(tail -n 1 "$T/serve$family.out")"
	done
	counters_agree wt0
}

# stalled NAME NETNS COMMAND...: of urgent.py, whose input is the pipe $T/NAME.go
stalled() {
	local in
	mkfifo "$T/$1.go"
	exec {in}<>"$T/$1.go"
	SESSION_IN[$1]=$in
	nsenter --net="/run/netns/$2" -- python3 "$SELFTESTS/tools/urgent.py" "${@:3}" \
		<"$T/$1.go" >"$T/$1.out" 2>"$T/$1.err" &
	PROCESS[$1]=$!
}

test_a_reset_is_heard_while_a_direction_is_blocked() {
	local way sender hearer
	forwarding_topology "$1"
	run_forwarder
	use_family 4
	for way in up down; do
		stalled serve-$way "$LAN" serve $LAN_IP 8080 stall-$way
		wait_for grep -q ready "$T/serve-$way.out"
		stalled ask-$way "$PEER" ask $LAN_IP 8080 stall-$way
		sender=ask-$way hearer=serve-$way
		[ $way = up ] || { sender=serve-$way hearer=ask-$way; }
		wait_for grep -q full "$T/$sender.out"
		echo >&"${SESSION_IN[$sender]}"
		wait_for -t 2 grep -q reset "$T/$hearer.out"
		stop serve-$way
	done
	is "connections" 0 "$(forwarder tcp_connections)"
	counters_agree wt0
}

dials_are() {
	[ "$(forwarder tcp_dials)" = "$1" ]
}

# The host's TCP has patience for minutes; one peer has, too, and the other has not.
test_a_dial_lasts_as_long_as_both_ends_have_patience() {
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	ip -n "$LAN" route add blackhole 192.168.77.1/32
	run_forwarder
	use_family 4
	wire dial $LAN_IP 8080
	start ask "$PEER" "$TOOLS/peer" ask tcp $LAN_IP 8080 -t 40000
	wait_for dials_are 2
	wait_for -t 15 dials_are 1
	is "timed out" 1 "$(forwarder tcp_timed_out)"
	kill -0 "${PROCESS[ask]}" || die "the other one was told: $(cat "$T/ask.out")"
	ip -n "$LAN" route del blackhole 192.168.77.1/32
	await_end ask 20
	is "outcome" ok "$(cat "$T/ask.out")"
	counters_agree wt0
}

# pair as topology() makes them, with queues enough that some are beyond 64
many_queues() {
	pair() {
		ip link add "$2" netns "$1" mtu "$5" numtxqueues 100 numrxqueues 100 type veth \
			peer name "$4" netns "$3" mtu "$5" numtxqueues 100 numrxqueues 100 ||
			die "cannot make the veth pair $2, $4"
	}
}

test_an_interface_may_have_more_than_64_queues() {
	local port
	many_queues
	forwarding_topology "$1"
	in_ns "$ROUTER" ethtool -L wt0 rx 100 tx 100
	in_ns "$PEER" ethtool -L p0 rx 100 tx 100
	serve_all "$LAN" 8080
	run_forwarder
	is "queues" 100 "$(forwarder queues)"
	use_family 4
	# the queue depends on the ports
	expect 0 in_ns "$PEER" python3 "$SELFTESTS/tools/burst.py" ports $LAN_IP 8080 400
	is "answers" "400 of 400" "$OUT"
	is "without a forwarder" 0 "$(dropped wt0 no_forwarder)"
	counters_agree wt0
}

# reaches FIELD N: the forwarder has counted so many
reaches() {
	[ "$(forwarder "$1")" -ge "$2" ]
}

# counters_agree proves that no packet is missing in them
test_every_packet_that_is_lost_has_a_name() {
	local starts pid
	forwarding_topology "$1"
	ip -n "$LAN" route add blackhole 192.168.77.1/32
	ip -n "$ROUTER" route add unreachable 10.1.0.0/16
	run_forwarder
	use_family 4
	wire odd $LAN_IP 8080
	wait_for reaches rx_expired 1
	is "not understood" 1 "$(forwarder rx_ignored)"
	[ "$(forwarder rx_fragments)" -gt 0 ] || die "lost fragments were not counted"
	probe unreachable "$PEER" tcp 10.1.2.3 80
	is "refused" 1 "$(forwarder rx_refused)"
	counters_agree wt0
	matches "status" "lost +rx_expired +1 packets" "$(shrike status wt0)"
	# more than fits into the sockets of a forwarder that does not look; run does not either, or it
	# would replace it where the flood takes long
	pid=$(forwarder pid)
	kill -STOP "${PROCESS[run-wt0]}" "$pid"
	wire flood $LAN_IP 8080 30000
	# its sockets for pings see the answers to all programs of the host
	expect 0 in_ns "$ROUTER" ping -q -f -c 2000 -s 1400 192.168.77.1
	kill -CONT "$pid" "${PROCESS[run-wt0]}"
	wait_for lost_on_the_way
	wait_for reaches echo_overflow 1
	counters_agree wt0
	# in the sockets of one that ends, and in its hands
	wire dial $LAN_IP 8080
	wait_for reaches tcp_dials 1
	starts=$(forwarder starts)
	pid=$(forwarder pid)
	kill -STOP "${PROCESS[run-wt0]}" "$pid"
	wire flood $LAN_IP 8080 10
	kill -KILL "$pid"
	kill -CONT "${PROCESS[run-wt0]}"
	wait_for reaches starts $((starts + 1))
	is "unread" 10 "$(forwarder rx_unread)"
	[ "$(forwarder rx_unfinished)" -gt 0 ] || die "the SYN of the dial is not counted"
	counters_agree wt0
}

lost_on_the_way() {
	[ $(($(forwarder rx_no_frame) + $(forwarder rx_ring_full))) -gt 0 ]
}
