# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Routing by NAT where programs do what few do, but some.  SOAK=1 has more of it.

. "$SELFTESTS/lib/nat.sh"

tests "veth tun gso" \
	tcp_is_what_its_two_ends_make_of_it \
	who_finds_a_full_queue_connects_when_there_is_room \
	who_asks_a_black_hole_hears_nothing_and_others_are_served \
	one_socket_asks_two_thousand_addresses \
	bursts_of_datagrams_come_whole_and_in_order \
	many_that_do_not_read_stop_nobody \
	exchanges_go_on_beside_transfers_and_changes_of_the_host

tests veth \
	a_stream_goes_on_through_new_policies

# habits COMMAND ARGUMENT...: of a peer; OUT is what it says
habits() {
	expect 0 in_ns "$PEER" timeout $((60 * ${SLOWNESS:-1})) python3 "$SELFTESTS/tools/habits.py" "$@"
}

# habits_at_lan NAME COMMAND ARGUMENT...: in the background
habits_at_lan() {
	start "$1" "$LAN" python3 "$SELFTESTS/tools/habits.py" "${@:2}"
	wait_for grep -q ready "$T/$1.out"
}

# Either end closes behind what it sends, small writes stay in their order, and options are those of
# the ends; timestamps take 12 bytes of each segment.
test_tcp_is_what_its_two_ends_make_of_it() {
	local family n
	n=$(rounds 50 300)
	nat_topology "$1"
	run_nat
	for family in 4 6; do
		use_family $family
		habits_at_lan habits$family serve $LAN_IP 9000
		habits closes $LAN_IP 9000 "$n"
		is "bytes" "${n}000 at the server, ${n}000 here" "$OUT"
		habits bytes $LAN_IP 9000 20000
		is "bytes in their order" 20000 "$OUT"
		habits options $LAN_IP 9000
		is "segments of the server, and windows" "524 scaled" "$OUT"
	done
	counters_agree wt0
}

# late_server: a server with a short queue; its input is the pipe $T/late.go
late_server() {
	mkfifo "$T/late.go"
	exec {GO}<>"$T/late.go"
	nsenter --net="/run/netns/$LAN" -- python3 "$SELFTESTS/tools/habits.py" late "$LAN_IP" 9000 \
		<"$T/late.go" >"$T/late.out" 2>"$T/late.err" &
	PROCESS[late]=$!
	wait_for grep -q ready "$T/late.out"
}

# The server's kernel drops what opens while there is no room, as it does without anybody between.
test_who_finds_a_full_queue_connects_when_there_is_room() {
	local n
	nat_topology "$1"
	run_nat
	use_family 4
	late_server
	for n in 1 2 3 4; do
		start ask$n "$PEER" python3 "$SELFTESTS/tools/habits.py" connect $LAN_IP 9000
	done
	wait_for overflows
	echo >&"$GO"
	for n in 1 2 3 4; do
		await_end ask$n 30
		is "outcome" connected "$(cat "$T/ask$n.out")"
	done
	counters_agree wt0
}

overflows() {
	[ "$(in_ns "$LAN" nstat -asz TcpExtListenOverflows | awk 'NR > 1 { print $2 }')" -gt 0 ]
}

# Nobody is told that there is no answer; a thousand of such dials take nothing of other peers.
test_who_asks_a_black_hole_hears_nothing_and_others_are_served() {
	nat_topology "$1"
	use_family 4
	in_ns "$PEER" sysctl -qw net.ipv4.tcp_syn_retries=1
	habits_at_lan habits serve $LAN_IP 9000
	run_nat
	dial_black_hole
	wait_for connections_reach wt0 1024
	is "connect of another peer" ok \
		"$(in_ns "$PEER" "$TOOLS/peer" ask tcp $LAN_IP 8080 -t $((900 * ${SLOWNESS:-1})))"
	habits rounds $LAN_IP 9000 500
	matches "exchanges" "^500 rounds" "$OUT"
	habits connect 10.88.9.9 80
	is "outcome" ETIMEDOUT "$OUT"
	counters_agree wt0
}

test_one_socket_asks_two_thousand_addresses() {
	local family
	nat_topology "$1"
	ip -n "$ROUTER" route add 10.77.0.0/16 via 192.168.77.2
	ip -n "$ROUTER" -6 route add fd78::/64 via fd77::2
	ip -n "$LAN" route add local 10.77.0.0/16 dev lo
	ip -n "$LAN" -6 route add local fd78::/64 dev lo
	run_nat
	for family in 4 6; do
		use_family $family
		habits_at_lan answer$family answer 5000 $family
		habits destinations 5000 "$([ $family = 4 ] && echo 10.77.0.1 || echo fd78::1)" 2000
		is "who has answered" "2000 of 2000, 0 others" "$OUT"
	done
	counters_agree wt0
}

# Bursts towards the server, then from there.
test_bursts_of_datagrams_come_whole_and_in_order() {
	local family n before
	nat_topology "$1"
	run_nat
	for family in 4 6; do
		use_family $family
		habits_at_lan count$family count $LAN_IP 5000
		for n in 64 4000; do
			before=$(lost_by_others)
			habits volley $LAN_IP 5000 $n 1200
			lost_by_devices_alone "$before" $n
		done
		start datagrams$family "$LAN" python3 "$SELFTESTS/tools/datagrams.py" serve $LAN_IP 5001
		wait_for grep -q ready "$T/datagrams$family.out"
		before=$(lost_by_others)
		expect 0 in_ns "$PEER" python3 "$SELFTESTS/tools/datagrams.py" burst $LAN_IP 5001 4000 1200
		lost_by_devices_alone "$before" 4000
	done
	counters_agree wt0
}

# lost_by_devices_alone BEFORE N: what has come of N datagrams, as OUT says, has in order, and for the
# rest devices and sockets had no room, which had lost BEFORE
lost_by_devices_alone() {
	local came=${OUT%%[!0-9]*} lost
	lost=$(($(lost_by_others) - $1))
	matches "datagrams" "[ ,]$came in order" "$OUT"
	[ $((came + lost)) -ge "$2" ] || die "$came of $2 came, and devices have lost $lost"
}

test_a_stream_goes_on_through_new_policies() {
	local n way
	nat_topology "$1"
	run_nat
	use_family 4
	transfer_server "$LAN" $LAN_IP 9090
	for way in "200000000 0" "0 200000000"; do
		# shellcheck disable=SC2086
		start stream "$PEER" python3 "$SELFTESTS/tools/transfer.py" both $LAN_IP 9090 $way
		wait_for is_tracked 9090
		for ((n = 0; n < $(rounds 1 10); n++)); do
			expect 0 shrike policy apply wt0 "$T/nat.yaml"
		done
		await_end stream 60
		is "stream $way" 0 "$STATUS"
		cat "$T/stream.out"
	done
	counters_agree wt0
}

# The server has sent what buffers take, and waits; the rest of the peer's connections go on.
test_many_that_do_not_read_stop_nobody() {
	nat_topology "$1"
	run_nat
	use_family 4
	start endless "$LAN" python3 "$SELFTESTS/tools/greedy.py" endless $LAN_IP 9001
	wait_for grep -q ready "$T/endless.out"
	habits_at_lan habits serve $LAN_IP 9000
	start stall "$PEER" python3 "$SELFTESTS/tools/greedy.py" stall 100 100000 $LAN_IP 9001
	wait_for grep -q ready "$T/stall.out"
	habits crowd $LAN_IP 9000 100
	is "answers to others" 100 "$OUT"
	habits rounds $LAN_IP 9000 500
	matches "exchanges" "^500 rounds" "$OUT"
	is "connections that wait" 100 \
		"$(in_ns "$PEER" ss -Htn state established dport = :9001 | wc -l)"
	is "connections of the forwarder" 0 "$(forwarder tcp_opened)"
	counters_agree wt0
}

# Routes and links come and go, and connections open, as fast as that goes.
test_exchanges_go_on_beside_transfers_and_changes_of_the_host() {
	local how
	nat_topology "$1"
	run_nat
	use_family 4
	habits_at_lan habits serve $LAN_IP 9000
	transfer_server "$LAN" $LAN_IP 9090
	for how in "10000000000 0" "0 10000000000"; do
		# shellcheck disable=SC2086
		start busy "$PEER" python3 "$SELFTESTS/tools/transfer.py" both $LAN_IP 9090 $how
		wait_for is_tracked 9090
		habits rounds $LAN_IP 9000 500
		matches "exchanges beside $how" "^500 rounds" "$OUT"
		stop busy
	done
	start changes "$ROUTER" bash -c 'while ip route add 10.99.0.0/16 dev lan0 &&
		ip link add change0 type veth peer name change1 && ip link del change0 &&
		ip route del 10.99.0.0/16; do :; done'
	start opens "$PEER" python3 "$SELFTESTS/tools/transfer.py" once $LAN_IP 9090 300
	habits rounds $LAN_IP 9000 500
	matches "exchanges beside changes" "^500 rounds" "$OUT"
	await_end opens 60
	is "connections beside changes" 0 "$STATUS"
	kill -0 "${PROCESS[changes]}" || die "changes ended"
	stop changes
	counters_agree wt0
}
