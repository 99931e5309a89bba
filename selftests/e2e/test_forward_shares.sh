# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What peers of the userspace forwarder share: one that takes all of it must leave room for others.

. "$SELFTESTS/lib/forward.sh"

tests "veth tun" \
	a_peer_that_asks_from_many_ports_leaves_room_for_others \
	dials_that_nobody_answers_leave_room_for_others \
	fragments_displace_none_of_another_peer \
	a_reset_is_no_refusal \
	a_refusal_is_remembered_for_one_peer_alone \
	icmp_errors_are_limited_for_each_peer \
	connections_go_beyond_the_kernels_range_of_ports \
	want_of_ports_is_said \
	buffers_of_a_peer_are_the_smaller_the_more_it_has
tests "veth-nat tun-nat gso-nat" \
	a_reset_is_no_refusal

GREEDY=100.64.0.2 OTHER=100.64.0.3

# few_flows_topology LINK: the forwarder has 386
few_flows_topology() {
	forwarding_topology "$1"
	use_family 4
	run_shrike wt0 forward prlimit --nofile=900:900
	wait_for forwarder_runs
}

# other_connects: at once, as a SYN that is lost comes again after a second
other_connects() {
	is "connect of the other peer" ok \
		"$(in_ns "$PEER" "$TOOLS/peer" ask tcp $LAN_IP 8080 -s $OTHER -t $((900 * ${SLOWNESS:-1})))"
}

test_a_peer_that_asks_from_many_ports_leaves_room_for_others() {
	few_flows_topology "$1"
	serve_all "$LAN" 8080
	start dns "$LAN" python3 "$SELFTESTS/tools/dns.py" $LAN_IP
	wait_for grep -q ready "$T/dns.out"
	# they are answered, though there are fewer flows; a busy machine may lose a datagram
	expect 0 in_ns "$PEER" python3 "$SELFTESTS/tools/dns.py" ask $LAN_IP 1000
	[ "${OUT% right}" -ge 990 ] || die "only $OUT of 1000 answers"
	is "refused" 0 "$(forwarder refused_limit)"
	other_connects
	probe ok "$PEER" udp $LAN_IP 8080 -s $OTHER
	pings ok "$PEER" $LAN_IP -I $OTHER
	# and what the other has stays
	session kept "$PEER" udp $LAN_IP 8080 -s $OTHER -p 40000
	talk kept ok
	expect 0 in_ns "$PEER" python3 "$SELFTESTS/tools/dns.py" ask $LAN_IP 1000
	talk kept ok
	is "sources of the other's datagrams" "$(grep -c . "$T/lan-8080-udp4.log")" \
		"$(grep -c "from=192.168.77.1" "$T/lan-8080-udp4.log")"
	[ "$(forwarder displaced)" -gt 1500 ] || die "nothing was displaced"
	matches "status" "[0-9]+ flows and dials made room" "$(shrike status wt0)"
	counters_agree wt0
}

test_dials_that_nobody_answers_leave_room_for_others() {
	forwarding_topology "$1"
	use_family 4
	serve_all "$LAN" 8080
	run_forwarder
	dial_black_hole
	wait_for dials_are 1024
	other_connects
	[ "$(forwarder displaced)" -gt 0 ] || die "nothing was displaced"
	counters_agree wt0
}

dials_are() {
	[ "$(forwarder tcp_dials)" = "$1" ]
}

test_fragments_displace_none_of_another_peer() {
	forwarding_topology "$1"
	use_family 4
	serve_all "$LAN" 8080
	run_forwarder
	expect 0 in_ns "$PEER" python3 "$SELFTESTS/tools/greedy.py" fragments $GREEDY $OTHER $LAN_IP \
		8080 400
	is "answers" 1 "$OUT"
	counters_agree wt0
}

test_a_reset_is_no_refusal() {
	forwarding_topology "$1"
	use_family 4
	start resets "$LAN" python3 "$SELFTESTS/tools/greedy.py" reset-server $LAN_IP 8080
	wait_for grep -q ready "$T/resets.out"
	run_forwarder
	expect 0 in_ns "$PEER" python3 "$SELFTESTS/tools/greedy.py" reset-client $LAN_IP 8080 50
	is "outcomes" "ConnectionResetError 50" "$OUT"
	is "refused" 0 "$(forwarder tcp_refused)"
	counters_agree wt0
}

test_a_refusal_is_remembered_for_one_peer_alone() {
	forwarding_topology "$1"
	use_family 4
	run_forwarder
	expect 0 in_ns "$PEER" python3 "$SELFTESTS/tools/greedy.py" reset-client $LAN_IP 8080 20
	is "outcomes" "ConnectionRefusedError 20" "$OUT"
	[ "$(forwarder tcp_refused)" -lt 20 ] || die "nothing was remembered"
	serve late "$LAN" tcp $LAN_IP 8080
	in_ns "$PEER" "$TOOLS/peer" ask tcp $LAN_IP 8080 -s $GREEDY # which remembers it anew, or is over
	probe ok "$PEER" tcp $LAN_IP 8080 -s $OTHER
	counters_agree wt0
}

test_icmp_errors_are_limited_for_each_peer() {
	local errors
	forwarding_topology "$1"
	ip -n "$ROUTER" route add unreachable 10.1.0.0/16
	run_forwarder
	in_ns "$PEER" ping -n -q -c 50 -i 0.005 -W 1 -I $GREEDY 10.1.2.3 >"$T/pings.out"
	errors=$(sed -n 's/.* +\([0-9]*\) errors.*/\1/p' "$T/pings.out")
	is "errors received and not sent" 50 $((errors + $(forwarder errors_limited)))
	[ "$errors" -ge 6 ] && [ "$errors" -lt 20 ] || die "there were $errors errors"
	probe unreachable "$PEER" tcp 10.1.2.3 80 -s $OTHER
	counters_agree wt0
}

test_connections_go_beyond_the_kernels_range_of_ports() {
	forwarding_topology "$1"
	use_family 4
	in_ns "$ROUTER" sysctl -qw net.ipv4.ip_local_port_range="40000 40009"
	transfer_server "$LAN" $LAN_IP 8080
	run_forwarder
	begin_transfer many many $LAN_IP 8080 60
	wait_for grep -q "open after" "$T/many.out"
	end_transfer many
	is "opened" 60 "$(forwarder tcp_opened)"
	counters_agree wt0
}

test_want_of_ports_is_said() {
	local i
	forwarding_topology "$1"
	use_family 4
	in_ns "$ROUTER" sysctl -qw net.ipv4.ip_local_port_range="40000 40003" \
		net.ipv4.ip_local_reserved_ports=1024-39999,40004-65535
	serve_all "$LAN" 8080
	run_forwarder
	for i in 1 2 3 4; do
		session held$i "$PEER" tcp $LAN_IP 8080
		talk held$i ok
	done
	probe refused "$PEER" tcp $LAN_IP 8080
	for i in 1 2 3 4; do
		session datagrams$i "$PEER" udp $LAN_IP 8080
		talk datagrams$i ok
	done
	probe timeout "$PEER" udp $LAN_IP 8080 # UDP hears, but does not say
	[ "$(forwarder refused_ports)" -ge 2 ] || die "refused_ports was not counted"
	matches "status" "openings were refused for want of a port" "$(shrike status wt0)"
	counters_agree wt0
}

# buffers_beyond N: kB that the receive buffers of the host's sockets may take, but for the N largest
buffers_beyond() {
	in_ns "$ROUTER" ss -Htnm state established | grep -o ',rb[0-9]*' | tr -d ,rb | sort -rn |
		awk -v n="$1" 'NR > n { sum += $1 } END { printf "%d", sum / 1024 }'
}

# A peer reads for a while, so that the buffers grow, and then no more.
test_buffers_of_a_peer_are_the_smaller_the_more_it_has() {
	local kb
	forwarding_topology "$1"
	use_family 4
	start endless "$LAN" python3 "$SELFTESTS/tools/greedy.py" endless $LAN_IP 8080
	wait_for grep -q ready "$T/endless.out"
	run_forwarder
	start stall "$PEER" python3 "$SELFTESTS/tools/greedy.py" stall 100 4000000 $LAN_IP 8080
	wait_for -t 60 grep -q ready "$T/stall.out"
	is "connections" 100 "$(forwarder tcp_connections)"
	# the Nth has 8 MB / N, which the kernel doubles
	kb=$(buffers_beyond 16)
	[ "$kb" -le $((16 * 1024 * 181 / 100)) ] || die "buffers take $kb kB"
	echo "buffers beyond those of 16 connections: $kb kB"
	stop stall
	wait_for connections_are 0
	counters_agree wt0
}
