# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Routing by NAT: datagrams in fragments, and packets with IP options.

. "$SELFTESTS/lib/nat.sh"

tests "veth-1420 tun-1420 gso-1420" \
	datagrams_in_fragments_go_both_ways
tests "veth tun" \
	fragments_before_their_first_one_wait_for_it
tests veth \
	no_more_fragments_wait_than_the_limit_allows
tests "veth tun gso" \
	answers_in_fragments_arrive
tests "veth tun" \
	packets_with_options_leave_from_the_flows_port

# As large as a datagram and a ping get; the forwarder has nothing to do with them.
test_datagrams_in_fragments_go_both_ways() {
	local family bytes
	nat_topology "$1"
	run_nat
	for family in 4 6; do
		use_family $family
		probe ok "$PEER" udp $LAN_IP 8080 -n 3000 -t 2000
		bytes=65507
		[ $family = 6 ] && bytes=65487
		probe ok "$PEER" udp $LAN_IP 8080 -n $bytes -t 2000
		pings ok "$PEER" $LAN_IP -s 8000 -c 5 -i 0.002
	done
	is "packets for the forwarder" 0 "$(forwarder rx_packets)"
	is "fragments without their first" 0 "$(dropped wt0 fragment_unknown)"
	counters_agree wt0
}

# DNS with EDNS, IKE, SIP: the question is in one piece, the answer is not.  Its fragments are larger
# than wt0 takes: a tunnel carries those of IPv4 as they are, other senders learn from the first.
test_answers_in_fragments_arrive() {
	local family
	nat_topology "$1"
	run_nat
	for family in 4 6; do
		use_family $family
		start datagrams$family "$LAN" python3 "$SELFTESTS/tools/datagrams.py" serve $LAN_IP 5001
		wait_for grep -q ready "$T/datagrams$family.out"
		[ "$family$1" = 4tun ] || in_ns "$PEER" ping -n -c 1 -W 1 -s 3000 $LAN_IP || true
		answers_come 5 "$PEER" || die "answers in fragments: $OUT"
		# this host's own are none of the peers'
		answers_come 5 "$ROUTER" || die "answers in fragments to this host: $OUT"
	done
	counters_agree wt0
}

# answers_come COUNT NETNS: of 3,000 bytes each, in their order
answers_come() {
	expect 0 in_ns "$2" python3 "$SELFTESTS/tools/datagrams.py" burst $LAN_IP 5001 "$1" 3000
	[ "$OUT" = "$1 of $1, $1 in order" ]
}

# Each is counted twice: as unknown, and when it comes again behind the first.
test_fragments_before_their_first_one_wait_for_it() {
	local family unknown=0
	nat_topology "$1"
	run_nat
	for family in 4 6; do
		use_family $family
		start reordered$family "$LAN" python3 "$SELFTESTS/tools/reordered.py" serve $LAN_IP 5001
		wait_for grep -q ready "$T/reordered$family.out"
		expect 0 in_ns "$PEER" python3 "$SELFTESTS/tools/reordered.py" ask $LAN_IP 5001 3000 10
		is "answers" "10 of 10" "$OUT"
		expect 0 in_ns "$PEER" python3 "$SELFTESTS/tools/reordered.py" ask $LAN_IP 5001 65100 1
		is "answers of 65,100 bytes" "1 of 1" "$OUT"
		unknown=$((unknown + 20 + 53))
		is "fragments that came before" $unknown "$(dropped wt0 fragment_unknown)"
		# this host gets its own, in whichever order
		expect 0 in_ns "$ROUTER" python3 "$SELFTESTS/tools/reordered.py" ask $LAN_IP 5001 3000 10
		is "answers to this host" "10 of 10" "$OUT"
	done
	counters_agree wt0
}

# Of 9,000 bytes 7 fragments wait, of 11,000 9 would have to.
test_no_more_fragments_wait_than_the_limit_allows() {
	nat_topology "$1"
	echo "limits: {fragments: 8}" >>"$T/nat.yaml"
	run_nat
	use_family 4
	start reordered "$LAN" python3 "$SELFTESTS/tools/reordered.py" serve $LAN_IP 5001
	wait_for grep -q ready "$T/reordered.out"
	expect 0 in_ns "$PEER" python3 "$SELFTESTS/tools/reordered.py" ask $LAN_IP 5001 9000 1
	is "answers of 9,000 bytes" "1 of 1" "$OUT"
	expect 0 in_ns "$PEER" python3 "$SELFTESTS/tools/reordered.py" ask $LAN_IP 5001 11000 1
	is "answers of 11,000 bytes" "0 of 1" "$OUT"
	counters_agree wt0
}

# The server sees one port, whatever is in the IP header, and the forwarder nothing.
test_packets_with_options_leave_from_the_flows_port() {
	local family
	nat_topology "$1"
	run_nat
	for family in 4 6; do
		use_family $family
		start alert$family "$LAN" python3 "$SELFTESTS/tools/datagrams.py" serve $LAN_IP 5001 5002
		wait_for grep -q ready "$T/alert$family.out"
		expect 0 in_ns "$PEER" python3 "$SELFTESTS/tools/datagrams.py" alert 4000 $LAN_IP 5001 5002
		is "answers" "4 of 4" "$OUT"
		is "ports that the server saw" 1 \
			"$(sed 1d "$T/alert$family.out" | cut -d " " -f 2 | sort -u | wc -l)"
	done
	is "packets for the forwarder" 0 "$(forwarder rx_packets)"
	counters_agree wt0
}
