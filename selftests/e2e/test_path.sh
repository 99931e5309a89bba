# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# `doctor --path`: where packets end on a way of three hops behind the peer.
#
#	router            peer              second            third             far
#	wt0 ──────────── p0  a0 ────────── a1  b0 ────────── b1  c0 ────────── c1
#	100.64.0.1       .2  10.63.1.1     .2  10.63.2.1     .2  10.63.3.1     10.63.3.2

tests "veth tun" \
	path_finds_the_hops_a_closed_port_and_the_whole_mtu

tests "veth" \
	path_finds_an_mtu_that_a_hop_speaks_of_and_one_that_none_does \
	path_finds_the_hop_that_filters_and_the_one_that_refuses \
	path_finds_the_stage_of_this_host_that_drops_answers \
	path_refuses_what_it_does_not_know_and_is_slow

# wire NETNS_A DEVICE_A NETNS_B DEVICE_B NUMBER
wire() {
	pair "$1" "$2" "$3" "$4" 1500
	give "$1" "$2" "10.63.$5.1/24" "fd63:$5::1/64"
	give "$3" "$4" "10.63.$5.2/24" "fd63:$5::2/64"
}

# route NETNS N GATEWAY_HOST NET...: to networks by the other end of link N
route() {
	local ns=$1 link=$2 host=$3 net
	shift 3
	for net; do
		case $net in
		up) ip -n "$ns" route add 100.64.0.0/16 via "10.63.$link.$host"
			ip -n "$ns" -6 route add fd64::/64 via "fd63:$link::$host" ;;
		*) ip -n "$ns" route add "10.63.$net.0/24" via "10.63.$link.$host"
			ip -n "$ns" -6 route add "fd63:$net::/64" via "fd63:$link::$host" ;;
		esac
	done
}

# path_topology LINK [POLICY_LINE]
path_topology() {
	local ns
	SECOND=$ID-second THIRD=$ID-third FAR=$ID-far
	topology "$1"
	for ns in "$SECOND" "$THIRD" "$FAR"; do
		make_namespace "$ns"
	done
	wire "$PEER" a0 "$SECOND" a1 1
	wire "$SECOND" b0 "$THIRD" b1 2
	wire "$THIRD" c0 "$FAR" c1 3
	for ns in "$PEER" "$SECOND" "$THIRD"; do
		in_ns "$ns" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	done
	ip -n "$ROUTER" route add 10.63.0.0/16 via 100.64.0.2
	ip -n "$ROUTER" -6 route add fd63::/16 via fd64::2
	route "$PEER" 1 2 2 3
	route "$SECOND" 2 2 3
	route "$SECOND" 1 1 up
	route "$THIRD" 2 1 1 up
	route "$FAR" 3 1 1 2 up
	serve_all "$FAR" 8001
	policy mine <<-EOF
		mode: {routing: disabled${2:-}}
		names: {far: [10.63.3.2, "fd63:3::2"]}
		peer_acl:
		  - {id: ssh, action: allow, source: [any], protocol: tcp, destination_ports: [22]}
	EOF
	run_shrike wt0 mine
}

# path STATUS ADDR [OPTION...]: the checks in CHECKS, a line for each, and all of the JSON in OUT
path() {
	local status=$1
	shift
	expect "$status" shrike doctor wt0 -j --path "$@"
	CHECKS=$(jq -r '.checks[] | "\(.check) \(.result): \(.detail)"' <<<"$OUT")
}

# mtu SIZE: of the link between the second hop and the third one
mtu() {
	ip -n "$SECOND" link set b0 mtu "$1"
	ip -n "$THIRD" link set b1 mtu "$1"
}

test_path_finds_the_hops_a_closed_port_and_the_whole_mtu() {
	path_topology "$1"
	local addr
	for addr in 10.63.3.2 fd63:3::2; do
		path 0 $addr --dport 8001
		matches "out" "path-out ok: the stages of this host let packets out" "$CHECKS"
		matches "an echo" "path-icmp ok: answered after [0-9.]+ ms" "$CHECKS"
		matches "an open port" "path-tcp ok: port 8001 answers after" "$CHECKS"
		matches "the mtu" "path-mtu ok: 1420, as of wt0" "$CHECKS"
		is "hops" 4 "$(jq '.path.hops | length' <<<"$OUT")"
	done
	is "the hops" "fd64::2 fd63:1::2 fd63:2::2 fd63:3::2" \
		"$(jq -r '[.path.hops[].address] | join(" ")' <<<"$OUT")"
	is "the size" "1420 whole" "$(jq -r '.path.mtu | "\(.bytes) \(.result)"' <<<"$OUT")"
	expect 0 shrike doctor --path far --dport 81 wt0
	matches "a closed port" "ok +path tcp +the way is open, port 81 is closed: refused after" "$OUT"
	matches "one of UDP" "ok +path udp +the way is open, port 81 is closed" "$OUT"
	matches "the hops" "1 100.64.0.2 .*, 2 10.63.1.2 .*, 3 10.63.2.2 .*, 4 10.63.3.2" "$OUT"
}

test_path_finds_an_mtu_that_a_hop_speaks_of_and_one_that_none_does() {
	path_topology "$1"
	mtu 1300
	path 0 10.63.3.2
	matches "told" "path-mtu note: 1300 of 1420: 10.63.1.2 says so" "$CHECKS"
	path 0 fd63:3::2
	matches "told by IPv6" "path-mtu note: 1300 of 1420: fd63:1::2 says so" "$CHECKS"
	is "the size" "1300 told fd63:1::2" "$(jq -r '.path.mtu | "\(.bytes) \(.result) \(.from)"' <<<"$OUT")"
	in_ns "$SECOND" nft -f - <<-EOF
		table inet quiet {
			chain out {
				type filter hook output priority 0
				icmp type destination-unreachable drop
				icmpv6 type packet-too-big drop
			}
		}
	EOF
	path 1 10.63.3.2
	matches "a black hole" "path-mtu bad: 1300 of 1420, and nobody says so: larger packets disappear behind hop 10.63.1.2;" \
		"$CHECKS"
	path 1 fd63:3::2
	is "of IPv6" "1300 silent fd63:1::2" "$(jq -r '.path.mtu | "\(.bytes) \(.result) \(.from)"' <<<"$OUT")"
}

test_path_finds_the_hop_that_filters_and_the_one_that_refuses() {
	path_topology "$1"
	in_ns "$SECOND" nft -f - <<-EOF
		table inet quiet {
			chain through {
				type filter hook forward priority 0
				meta l4proto tcp drop
			}
		}
	EOF
	path 0 10.63.3.2
	matches "TCP" "path-tcp note: no answer; packets come to hop 2, 10.63.1.2, and end there or behind it" "$CHECKS"
	matches "ICMP" "path-icmp ok" "$CHECKS"
	in_ns "$SECOND" nft add rule inet quiet through ip saddr 100.64.0.1 drop
	path 1 10.63.3.2
	matches "all" "path-icmp bad: no answer; packets come to hop 2, 10.63.1.2," "$CHECKS"
	is "reached" "false 2" "$(jq -r '"\(.path.reached) \(.path.hops | length)"' <<<"$OUT")"
	in_ns "$SECOND" nft delete table inet quiet
	ip -n "$SECOND" route add unreachable 10.63.9.0/24
	ip -n "$PEER" route add 10.63.9.0/24 via 10.63.1.2
	path 1 10.63.9.9
	matches "unreachable" "path-icmp bad: ends at 10.63.1.2, which says: host unreachable .3/1." "$CHECKS"
	path 1 100.64.0.99
	matches "no neighbour" "path-icmp bad: .*(this host|behind this host)" "$CHECKS"
	[[ $CHECKS != *"drops it"* ]] || die "what has not left is said to be dropped: $CHECKS"
	path 1 10.9.9.9
	matches "no neighbour either" "path-udp bad: .*(has not left wt0|, this host, which says)" "$CHECKS"
	[[ $CHECKS != *"drops it"* ]] || die "what has not left is said to be dropped: $CHECKS"
}

test_path_finds_the_stage_of_this_host_that_drops_answers() {
	path_topology "$1" ", stateful: false"
	path 1 10.63.3.2
	matches "TCP" "path-tcp bad: no answer: this host drops it at its stage Peer ACL: .*peer_acl_default" "$CHECKS"
	matches "ICMP" "path-icmp bad: no answer: this host drops it at its stage Peer ACL" "$CHECKS"
	is "the stage" "Peer ACL" "$(jq -r '.path.probes[] | select(.protocol == "tcp").stage' <<<"$OUT")"
}

test_path_refuses_what_it_does_not_know_and_is_slow() {
	path_topology "$1"
	expect 2 shrike doctor wt0 --path nowhere
	expect 2 shrike doctor wt0 --path 10.63.3.2 --dport 99999
	expect 2 shrike doctor wt0 --path 10.63.3.2 -c "$T/mine.yaml"
	expect 2 shrike doctor wt0 --dport 22
	for address in 100.64.0.1 fd64::1 127.0.0.1 224.0.0.1 ff02::1 255.255.255.255 0.0.0.0 ::; do
		expect 2 shrike doctor wt0 --path $address
		is_one_error_line "$ERR" "^shrike: destination: it is the address of (this host|many|nobody)\$"
	done
	expect 1 shrike doctor none0 --path 10.63.3.2
	start dump "$ROUTER" tcpdump -n -i wt0 -tt --immediate-mode 'src 100.64.0.1 and dst 10.63.3.2'
	wait_for grep -q listening "$T/dump.err" "$T/dump.out"
	path 0 10.63.3.2
	stop dump
	is "most packets in a second" few "$(awk '$1 ~ /^[0-9]+\./ && !/Flags \[R/ { n[int($1)]++ }
		END { for (s in n) if (n[s] > most) most = n[s]
			if (most && most <= 6) print "few"; else print most }' "$T/dump.out")"
}
