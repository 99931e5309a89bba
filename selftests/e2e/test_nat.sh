# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Routing by NAT: peers' flows leave by an uplink with its address, without the kernel's router.

. "$SELFTESTS/lib/nat.sh"

tests "veth tun gso" \
	flows_of_both_families_leave_with_the_uplinks_address \
	streams_arrive_whole_both_ways_and_half_closed \
	many_connections_are_translated_at_once \
	a_download_is_cut_by_a_new_policy \
	protocols_without_ports_are_one_peers_with_each_host \
	two_peers_reach_each_others_mapped_ports \
	a_peer_that_has_closed_a_mapped_port_refuses_another_one \
	the_host_is_left_as_it_was \
	connections_outlive_the_process_and_new_ones_open_without_it
tests "veth-1280 veth-9000" \
	streams_arrive_whole_both_ways_and_half_closed
tests "veth" \
	a_peers_port_is_mapped_to_one_port_for_all_destinations \
	connections_that_are_over_give_up_their_ports \
	attach_is_enough_where_nothing_changes \
	ports_are_bound_where_the_host_leaves_hardly_any
tests "tun gso" \
	who_sends_what_is_too_big_is_told
tests "veth tun" \
	changes_of_routes_addresses_and_links_are_followed \
	connections_go_on_when_their_uplink_is_back \
	a_device_that_is_created_again_ends_no_connection \
	a_new_policy_keeps_connections_or_cuts_them

test_flows_of_both_families_leave_with_the_uplinks_address() {
	local family
	nat_topology "$1"
	run_nat
	for family in 4 6; do
		use_family $family
		probe ok "$PEER" tcp $LAN_IP 8080 -n 1000000
		probe ok "$PEER" udp $LAN_IP 8080
		matches "who the server saw" "$ROUTER_LAN_IP" "$(cat "$T/lan-8080-tcp$family.log")"
		probe refused "$PEER" tcp $LAN_IP 8081
		probe refused "$PEER" udp $LAN_IP 8081
		pings ok "$PEER" $LAN_IP
		pings ok "$PEER" $LAN_IP -c 50 -i 0.002
		probe timeout "$PEER" tcp $LAN_IP 6666
	done
	counters_agree wt0
}

# The default route moves to a link that did not exist when the policy came into force.
test_changes_of_routes_addresses_and_links_are_followed() {
	local family
	nat_topology "$1"
	run_nat
	ip link add lan1 netns "$ROUTER" type veth peer name eth1 netns "$LAN"
	give "$ROUTER" lan1 192.168.78.1/24 fd78::1/64
	give "$LAN" eth1 192.168.78.2/24 fd78::2/64
	ip -n "$LAN" address add 203.0.113.1/32 dev lo
	ip -n "$LAN" address add 2001:db8::1/128 dev lo nodad
	probe unreachable "$PEER" tcp 203.0.113.1 8080
	[ "$(dropped wt0 no_route)" -gt 0 ] || die "no_route is not counted"
	ip -n "$ROUTER" route add default via 192.168.78.2
	ip -n "$ROUTER" -6 route add default via fd78::2
	probe ok "$PEER" tcp 203.0.113.1 8080
	probe ok "$PEER" tcp 2001:db8::1 8080
	matches "who the server saw" "from=192.168.78.1" "$(tail -n 1 "$T/lan-8080-tcp4.log")"
	# another address: old connections end, new ones have it
	ip -n "$ROUTER" address del 192.168.78.1/24 dev lan1
	ip -n "$ROUTER" address add 192.168.78.9/24 dev lan1
	ip -n "$ROUTER" route replace default via 192.168.78.2
	wait_for new_source_is 192.168.78.9
	ip -n "$ROUTER" link del lan1
	ip -n "$ROUTER" route add default via 192.168.77.2
	wait_for new_source_is 192.168.77.1
	counters_agree wt0
}

has_uplink() {
	[ "$(status_of wt0 '.nat.uplinks | length')" = "$1" ]
}

# What is sent meanwhile finds no route, and is sent again.
test_connections_go_on_when_their_uplink_is_back() {
	local protocol
	nat_topology "$1"
	echo "timeouts: {udp: 10m}" >>"$T/nat.yaml"
	run_nat
	for protocol in tcp udp; do
		session $protocol "$PEER" $protocol 192.168.77.2 8080
		talk $protocol ok
	done
	ip -n "$ROUTER" link set lan0 down
	wait_for has_uplink 0
	for protocol in tcp udp; do
		talk $protocol timeout
	done
	[ "$(dropped wt0 no_route)" -gt 1 ] || die "no_route is not counted"
	ip -n "$ROUTER" link set lan0 up
	wait_for has_uplink 1
	for protocol in tcp udp; do
		talk $protocol ok
	done
	counters_agree wt0
}

test_a_device_that_is_created_again_ends_no_connection() {
	local family protocol
	nat_topology "$1"
	echo "timeouts: {udp: 10m}" >>"$T/nat.yaml"
	run_nat
	for family in 4 6; do
		use_family $family
		for protocol in tcp udp; do
			session $protocol$family "$PEER" $protocol $LAN_IP 8080
			talk $protocol$family ok
		done
	done
	remove_overlay "$1" 0
	add_overlay "$1" 0 "$PEER" 1380
	wait_for is_protected wt0
	for family in 4 6; do
		talk tcp$family ok
		talk udp$family ok
	done
	counters_agree wt0
}

# new_source_is ADDR: of a connection to 203.0.113.1
new_source_is() {
	[ "$(in_ns "$PEER" "$TOOLS/peer" ask tcp 203.0.113.1 8080 -t 1000)" = ok ] &&
		tail -n 1 "$T/lan-8080-tcp4.log" | grep -q "from=$1"
}

test_streams_arrive_whole_both_ways_and_half_closed() {
	local family bytes
	bytes=$(bytes 30000000)
	[ -n "${SOAK:-}" ] && bytes=1000000000
	nat_topology "$1"
	run_nat
	for family in 4 6; do
		use_family $family
		transfer_server "$LAN" $ANYWHERE 9090
		transfers both $LAN_IP 9090 "$bytes" "$bytes"
		transfers both $LAN_IP 9090 0 1000000
		transfers both $LAN_IP 9090 1000000 0
	done
	is "connections of the forwarder" 0 "$(forwarder tcp_opened)"
	counters_agree wt0
}

test_many_connections_are_translated_at_once() {
	local count=1000
	[ -n "${SOAK:-}" ] && count=20000
	nat_topology "$1"
	run_nat
	use_family 4
	transfer_server "$LAN" $ANYWHERE 9090
	begin_transfer many many $LAN_IP 9090 $count
	wait_for -t 60 grep -q "open after" "$T/many.out"
	is "connections at the LAN" $count \
		"$(in_ns "$LAN" ss -Htn state established sport = :9090 | wc -l)"
	end_transfer many
	is "connections of the forwarder" 0 "$(forwarder tcp_opened)"
	counters_agree wt0
}

# Hole punching through one NAT (RFC 4787, REQ-9): what opens first is filtered, then both get through.
test_two_peers_reach_each_others_mapped_ports() {
	local family
	nat_topology "$1"
	run_nat
	for family in 4 6; do
		mapped_peers $family punch
		is "IPv$family" "first filtered, each heard the other's mapped port" "$OUT"
	done
	[ "$(dropped wt0 filtered)" -ge 2 ] || die "filtered is not counted"
	is "what was lost on the way" 0 "$(status_of wt0 .nat.unsent)"
	# a program of this host has what nobody else has, also on a port that a peer has had
	serve own "$ROUTER" udp 192.168.77.1 5002
	use_family 4
	probe timeout "$PEER" udp 192.168.77.1 5002
	[ "$(dropped wt0 peer_acl_default)" -gt 0 ] || die "peer_acl was not asked"
	counters_agree wt0
}

# The refusal is an ICMP error about what has gone from one port of the uplink to another.
test_a_peer_that_has_closed_a_mapped_port_refuses_another_one() {
	local family
	nat_topology "$1"
	run_nat
	for family in 4 6; do
		mapped_peers $family close
		matches "IPv$family" "the first is refused" "$OUT"
	done
	counters_agree wt0
}

# raw NETNS PROTOCOL [BYTES [SOURCE]]: what becomes of a packet to the LAN
raw() {
	in_ns "$1" python3 "$SELFTESTS/tools/raw.py" ask $LAN_IP "${@:2}"
}

# GRE and ESP as packets of theirs, SCTP, and what has no server: the LAN's refusal quotes it.
test_protocols_without_ports_are_one_peers_with_each_host() {
	local family protocol
	nat_topology "$1"
	run_nat
	for family in 4 6; do
		use_family $family
		start raw$family "$LAN" python3 "$SELFTESTS/tools/raw.py" serve $LAN_IP 47 50 132
		wait_for grep -q ready "$T/raw$family.out"
		for protocol in 47 50 132; do
			is "protocol $protocol over IPv$family" ok "$(raw "$PEER" $protocol 1200)"
		done
	done
	is "without a server" refused "$(use_family 4 && raw "$PEER" 51)"
	is "a checksum that covers addresses" timeout "$(use_family 4 && raw "$PEER" 33)"
	expect 0 shrike conntrack list wt0 -p gre
	matches "both ways" "src=100.64.0.2 dst=192.168.77.2 packets=1 .*src=192.168.77.2 dst=192.168.77.1 packets=1 .*uplink=lan0" "$OUT"
	expect 0 shrike conntrack list wt0 -p gre -4 -j
	is "translation" '{"uplink":"lan0","src":"192.168.77.1"}' "$(jq -c '.[0].nat' <<<"$OUT")"
	expect 0 shrike trace in 100.64.0.2 192.168.77.2 -p gre
	matches "trace" "Forwarding to nat \[192.168.77.1 to 192.168.77.2 via lan0\]" "$OUT"
	ip -n "$PEER" address add 100.64.0.9/32 dev p0
	is "another peer" timeout "$(use_family 4 && raw "$PEER" 47 100 100.64.0.9)"
	[ "$(dropped wt0 remote_taken)" -gt 0 ] || die "remote_taken is not counted"
	expect 0 shrike trace in 100.64.0.9 192.168.77.2 -p gre
	matches "trace" "Not forwarded: another peer talks this protocol with that host" "$OUT"
	counters_agree wt0
}

test_a_download_is_cut_by_a_new_policy() {
	nat_topology "$1"
	forward_policy deny 9090
	sed -i "s/routing: userspace/routing: nat/" "$T/deny.yaml"
	run_nat
	transfer_server "$LAN" 192.168.77.2 9090
	begin_transfer busy both 192.168.77.2 9090 0 10000000000
	session held "$PEER" tcp 192.168.77.2 8080
	wait_for is_tracked 9090
	expect 0 shrike policy apply wt0 "$T/deny.yaml"
	wait_for -t 2 not is_tracked 9090
	talk held ok
	[ "$(denied)" -gt 0 ] || die "nothing is denied"
	stop busy
	counters_agree wt0
}

# denied: packets, of the peer or of the server, whichever came first
denied() {
	status_of wt0 '[.counters[].drop_reasons.route_acl_denied.packets // 0] | add'
}

test_the_host_is_left_as_it_was() {
	local before programs
	nat_topology "$1"
	before=$(host_settings)
	programs=$(programs lan0)
	run_nat
	use_family 4
	probe ok "$PEER" tcp $LAN_IP 8080
	is "settings of the host" "$before" "$(host_settings)"
	is "device for routes" shrike-route:wt0 "$(route_devices)"
	matches "uplink" "shrike_uplink" "$(programs lan0)"
	stop run-wt0
	is "programs of the uplink" "$programs" "$(programs lan0)"
	is "settings of the host" "$before" "$(host_settings)"
	is "device for routes" "" "$(route_devices)"
	nothing_is_pinned
}

route_devices() {
	ip -n "$ROUTER" -j link show | jq -r '.[].ifalias // empty' | grep shrike-route
}

test_connections_outlive_the_process_and_new_ones_open_without_it() {
	local family
	nat_topology "$1"
	run_nat
	session held "$PEER" tcp 192.168.77.2 8080
	talk held ok
	stop run-wt0 KILL
	talk held ok
	for family in 4 6; do
		use_family $family
		probe ok "$PEER" tcp $LAN_IP 8080 -n 100000
		probe ok "$PEER" udp $LAN_IP 8080
	done
	run_nat
	talk held ok
	counters_agree wt0
}

test_a_new_policy_keeps_connections_or_cuts_them() {
	nat_topology "$1"
	forward_policy deny 8080
	sed -i "s/routing: userspace/routing: nat/" "$T/deny.yaml"
	run_nat
	session held "$PEER" tcp 192.168.77.2 8080
	talk held ok
	expect 0 shrike policy apply wt0 "$T/nat.yaml"
	talk held ok
	expect 0 shrike policy apply wt0 "$T/deny.yaml"
	talk held timeout
	counters_agree wt0
}

# Both ways: a narrow uplink, and a protected interface that is narrower than its peer's end.
test_who_sends_what_is_too_big_is_told() {
	local family
	nat_topology "$1"
	echo "mss_clamp: false" >>"$T/nat.yaml"
	run_nat
	ip -n "$ROUTER" link set lan0 mtu 1300
	ip -n "$LAN" link set eth0 mtu 1300
	for family in 4 6; do
		use_family $family
		wait_for is_told_mtu 1300 $LAN_IP
		probe ok "$PEER" tcp $LAN_IP 8080 -n 1000000
	done
	ip -n "$ROUTER" link set lan0 mtu 1500
	ip -n "$LAN" link set eth0 mtu 1500
	ip -n "$ROUTER" link set wt0 mtu 1290
	wait_for mtu_is 1290
	for family in 4 6; do
		use_family $family
		probe ok "$PEER" tcp $LAN_IP 8080 -n 1000000
	done
	matches "what the LAN has learnt" "mtu 1290" "$(ip -n "$LAN" route get 192.168.77.1)"
	matches "what the LAN has learnt" "mtu 1290" "$(ip -n "$LAN" -6 route get fd77::1)"
	counters_agree wt0
}

# As STUN would ask; one port of the peer is among those that the host chooses from, one is not.
test_a_peers_port_is_mapped_to_one_port_for_all_destinations() {
	local addrs="192.168.77.2 192.168.77.3 192.168.77.4 192.168.77.5" addr
	nat_topology "$1"
	run_nat
	for addr in ${addrs#* }; do
		ip -n "$LAN" address add "$addr/32" dev eth0
		ip -n "$ROUTER" route add "$addr" dev lan0
	done
	# shellcheck disable=SC2086
	start mapped "$LAN" python3 "$SELFTESTS/tools/mapped.py" serve 3478 $addrs
	wait_for grep -q ready "$T/mapped.out"
	expect 0 ask_mapped 50000 "$addrs"
	is "mappings of port 50000" 1 "$(sort -u <<<"$OUT" | wc -l)"
	matches "the mapping" "^192.168.77.1 [0-9]+$" "$(sort -u <<<"$OUT")"
	expect 0 ask_mapped 5000 "$addrs"
	is "mapping of port 5000" "192.168.77.1 5000" "$(sort -u <<<"$OUT")"
	# which this host has a socket for
	serve taken "$ROUTER" udp 0.0.0.0 5001
	expect 0 ask_mapped 5001 "$addrs"
	is "mappings of port 5001" 1 "$(sort -u <<<"$OUT" | wc -l)"
	matches "the mapping" "^192.168.77.1 [0-9]+$" "$(sort -u <<<"$OUT")"
	[[ $OUT != *" 5001"* ]] || die "a socket's port was taken"
}

# ask_mapped SOURCE_PORT ADDRS
ask_mapped() {
	# shellcheck disable=SC2086
	in_ns "$PEER" python3 "$SELFTESTS/tools/mapped.py" ask "$1" 3478 $2
}

opens() {
	[ "$(in_ns "$PEER" "$TOOLS/peer" ask tcp 192.168.77.2 8080 -t 1000)" = ok ]
}

test_connections_that_are_over_give_up_their_ports() {
	local n
	nat_topology "$1"
	echo "nat: {port_range: 61000-61003}" >>"$T/nat.yaml"
	run_nat
	for n in 1 2 3 4; do
		session held$n "$PEER" tcp 192.168.77.2 8080
	done
	probe timeout "$PEER" tcp 192.168.77.2 8080
	[ "$(dropped wt0 no_port)" -gt 0 ] || die "no_port is not counted"
	matches "status" "packets found no free port" "$(shrike status wt0)"
	# another remote end has all ports
	serve other "$LAN" tcp 192.168.77.2 8081
	probe ok "$PEER" tcp 192.168.77.2 8081
	for n in 1 2 3; do
		talk held$n ok
	done
	stop held4
	wait_for opens
	for n in 1 2 3; do
		talk held$n ok
	done
	counters_agree wt0
}

# Nobody stays: what the programs carry needs nobody, and what they cannot carry drops.
test_attach_is_enough_where_nothing_changes() {
	local family
	nat_topology "$1"
	expect 0 shrike attach wt0 -c "$T/nat.yaml"
	matches "warning" "nobody follows the uplinks" "$ERR"
	for family in 4 6; do
		use_family $family
		probe ok "$PEER" tcp $LAN_IP 8080 -n 100000
		probe ok "$PEER" udp $LAN_IP 8080
		pings ok "$PEER" $LAN_IP
		pings lost "$PEER" $LAN_IP -t 1
		matches "at the end of its way" "Time to live exceeded|Hop limit" "$OUT"
		in_ns "$PEER" ping -n -c 1 -W 1 -s 5000 $LAN_IP || true # tells the server wt0's MTU
		pings ok "$PEER" $LAN_IP -s 5000
	done
	matches "uplink" "shrike_uplink" "$(programs lan0)"
	expect 0 shrike detach wt0
	is "programs of the uplink" "" "$(programs lan0)"
	is "device for routes" "" "$(route_devices)"
	nothing_is_pinned
}

# binds ADDRESS PORT: whether a program of the host gets the port, over TCP and UDP
binds() {
	in_ns "$ROUTER" python3 - "$@" <<-EOF
		import socket, sys
		family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
		for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
		    sock = socket.socket(family, kind)
		    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
		    try:
		        sock.bind((sys.argv[1], int(sys.argv[2])))
		    except OSError:
		        sys.exit(1)
	EOF
}

test_ports_are_bound_where_the_host_leaves_hardly_any() {
	local family
	nat_topology "$1"
	in_ns "$ROUTER" sysctl -qw net.ipv4.ip_local_port_range="1024 65535"
	expect 1 shrike attach wt0 -c "$T/nat.yaml"
	matches "error" "leaves no port for flows of peers: use 'shrike run', which binds some" "$ERR"
	binds 0.0.0.0 65000 || die "a port is bound already"
	run_nat
	is "ports" "61440-65535" "$(status_of wt0 '.nat.ports.ranges | join(" ")')"
	for family in 4 6; do
		use_family $family
		start seen$family "$LAN" python3 "$SELFTESTS/tools/datagrams.py" serve $LAN_IP 5001
		wait_for grep -q ready "$T/seen$family.out"
		expect 0 in_ns "$PEER" python3 "$SELFTESTS/tools/datagrams.py" ask 65000 $LAN_IP 5001
		is "answers" "2 of 2" "$OUT"
		is "port that the server saw" "5001 65000" "$(tail -n 1 "$T/seen$family.out")"
		probe ok "$PEER" tcp $LAN_IP 8080
		pings ok "$PEER" $LAN_IP
		# nobody waits at such a port, and nobody else gets it
		binds $ROUTER_LAN_IP 65000 && die "a program of the host gets a port of flows"
		probe ok "$ROUTER" udp $LAN_IP 8080
	done
	expect 0 shrike policy apply wt0 "$T/nat.yaml"
	is "ports" "61440-65535" "$(status_of wt0 '.nat.ports.ranges | join(" ")')"
	probe ok "$PEER" udp 192.168.77.2 8080
	# where the host leaves enough again, they are given back
	in_ns "$ROUTER" sysctl -qw net.ipv4.ip_local_port_range="32768 60999"
	kill -HUP "${PROCESS[run-wt0]}"
	wait_for binds 0.0.0.0 65000
	is "ports" "1024-32767 61000-65535" "$(status_of wt0 '.nat.ports.ranges | join(" ")')"
	probe ok "$PEER" udp 192.168.77.2 8080
	counters_agree wt0
}
