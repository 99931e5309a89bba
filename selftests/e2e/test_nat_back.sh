# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Routing by NAT where the route leads back out of the protected interface, to what is behind another
# peer.

. "$SELFTESTS/lib/nat.sh"

tests "veth tun gso" \
	a_subnet_behind_another_peer_is_reached \
	errors_about_what_went_back_reach_both_ends \
	a_new_policy_cuts_what_goes_back
tests "tun gso" \
	who_sends_back_what_is_too_big_is_told
tests "veth" \
	a_route_that_moves_leads_new_connections_another_way

# add_site: 10.9.0.0/24 and fd09::/64 in PEER2, behind the peer; what either end of the line sends to
# the other one goes by the router, as it would between two peers.  The peer passes on what answers its
# own sockets, which it would drop where it looks for these before it asks for the route.
add_site() {
	make_namespace "$PEER2"
	pair "$PEER" s0 "$PEER2" e0 1420
	give "$PEER" s0 10.9.0.1/24 fd09::1/64
	give "$PEER2" e0 10.9.0.2/24 fd09::2/64
	ip -n "$PEER2" route add default via 10.9.0.1
	ip -n "$PEER2" -6 route add default via fd09::1
	in_ns "$PEER" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv4.conf.p0.accept_local=1 net.ipv4.conf.all.rp_filter=0 \
		net.ipv4.conf.p0.rp_filter=0 net.ipv4.conf.all.send_redirects=0 \
		net.ipv4.conf.s0.send_redirects=0 net.ipv4.ip_early_demux=0
	by_the_router -4 10.9.0.0/24 100.64.0.0/16 100.64.0.1
	by_the_router -6 fd09::/64 fd64::/64 fd64::1
	ip -n "$ROUTER" route add 10.9.0.0/24 via 100.64.0.2 dev wt0
	ip -n "$ROUTER" -6 route add fd09::/64 via fd64::2 dev wt0
	serve_all "$PEER2" 8080
}

# by_the_router FAMILY SITE OVERLAY ROUTER_ADDRESS
by_the_router() {
	ip -n "$PEER" "$1" route add default via "$4" dev p0 table 100
	ip -n "$PEER" "$1" rule add pref 10 iif s0 to "$3" lookup 100
	ip -n "$PEER" "$1" rule add pref 11 iif lo to "$2" lookup 100
	ip -n "$PEER" "$1" rule add pref 20 lookup local
	ip -n "$PEER" "$1" rule del pref 0
}

test_a_subnet_behind_another_peer_is_reached() {
	local family site
	nat_topology "$1"
	add_site
	run_nat
	for family in 4 6; do
		use_family $family
		site=$(site)
		probe ok "$PEER" tcp $site 8080 -n 1000000
		matches "who the server saw" "from=$PEER_IP" "$(tail -n 1 "$T/peer2-8080-tcp$family.log")"
		probe ok "$PEER" udp $site 8080
		probe ok "$PEER" udp $site 8080 -n 3000
		probe refused "$PEER" tcp $site 8081
		probe refused "$PEER" udp $site 8081
		probe timeout "$PEER" tcp $site 6666
		pings ok "$PEER" $site
		pings lost "$PEER" $site -t 1
		matches "who has let it die" "$ROUTER_IP.*[Tt]ime" "$OUT"
		expect 0 shrike trace in $PEER_IP $site -p tcp --dport 80 -i wt0
		matches "the trace" "Forwarding back by the interface it came in by" "$OUT"
		expect 0 shrike trace in $PEER_IP $site -p tcp --dport 80 -i wt0 -j
		is "by whom" nat "$(jq -r .by <<<"$OUT")"
	done
	is "connections of the forwarder" 0 "$(forwarder tcp_opened)"
	is "what an uplink has brought" 0 "$(status_of wt0 .counters.uplink.seen.packets)"
	counters_agree wt0
}

# site: the address of the server there, of the family in use
site() {
	[ "$FAMILY" = 4 ] && echo 10.9.0.2 || echo fd09::2
}

# Nobody listens, either end resets, and who has asked has closed its port before the answer comes.
test_errors_about_what_went_back_reach_both_ends() {
	local family
	nat_topology "$1"
	add_site
	run_nat
	for family in 4 6; do
		use_family $family
		start ends$family "$PEER2" python3 "$SELFTESTS/tools/resets.py" serve "$(site)" 9000
		wait_for grep -q ready "$T/ends$family.out"
		expect 0 in_ns "$PEER" timeout 20 python3 "$SELFTESTS/tools/resets.py" ask "$(site)" 9000 10
		is "connections" "10 refused, 10 reset by the server" "$OUT"
		wait_for grep -q "10 reset by the client" "$T/ends$family.out"
		wait_for is_told_that_who_asked_has_gone
	done
	is "connections of the forwarder" 0 "$(forwarder tcp_opened)"
	counters_agree wt0
}

# Whether the site gets an ICMP error for its answer.
is_told_that_who_asked_has_gone() {
	local before
	before=$(unreachables)
	in_ns "$PEER" python3 - "$(site)" <<-EOF
		import socket, sys
		family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
		socket.socket(family, socket.SOCK_DGRAM).sendto(b"?", (sys.argv[1], 8080))
	EOF
	probe ok "$PEER" udp "$(site)" 8080
	[ "$(unreachables)" -gt "$before" ]
}

# How many have reached the site.
unreachables() {
	in_ns "$PEER2" nstat -asz "Icmp${FAMILY/4/}InDestUnreachs" | awk 'NR > 1 { print $2 }'
}

# The interface is narrower than the peers' ends of it, and the peer asks for larger segments.
test_who_sends_back_what_is_too_big_is_told() {
	local family
	nat_topology "$1"
	echo "mss_clamp: false" >>"$T/nat.yaml"
	add_site
	run_nat
	ip -n "$PEER" route replace default via 100.64.0.1 dev p0 table 100 advmss 1380
	ip -n "$PEER" -6 route del default table 100
	ip -n "$PEER" -6 route add default via fd64::1 dev p0 table 100 advmss 1360
	ip -n "$ROUTER" link set wt0 mtu 1290
	wait_for mtu_is 1290
	for family in 4 6; do
		use_family $family
		wait_for is_told_mtu 1290 "$(site)"
		probe ok "$PEER" tcp "$(site)" 8080 -n 1000000
		matches "what the site has learnt" "mtu 1290" "$(ip -n "$PEER2" route get $PEER_IP)"
	done
	counters_agree wt0
}

# Of a download nobody has to send anything: the site's packets are judged, as what they answer.
test_a_new_policy_cuts_what_goes_back() {
	nat_topology "$1"
	add_site
	forward_policy deny 9090
	sed -i "s/routing: userspace/routing: nat/" "$T/deny.yaml"
	run_nat
	transfer_server "$PEER2" 10.9.0.2 9090
	begin_transfer busy both 10.9.0.2 9090 0 10000000000
	session held "$PEER" tcp 10.9.0.2 8080
	wait_for is_tracked 9090
	expect 0 shrike policy apply wt0 "$T/deny.yaml"
	wait_for -t 2 not is_tracked 9090
	talk held ok
	is "the connection that stays" hairpin \
		"$(shrike conntrack list wt0 -j -p tcp --dport 8080 | jq -r '.[].flags[]' | grep hairpin)"
	expect 0 shrike policy block wt0 100.64.0.2
	talk held timeout
	stop busy
	counters_agree wt0
}

test_a_route_that_moves_leads_new_connections_another_way() {
	nat_topology "$1"
	add_site
	run_nat
	use_family 4
	probe ok "$PEER" tcp 10.9.0.2 8080
	ip -n "$LAN" address add 10.9.0.2/32 dev lo
	ip -n "$ROUTER" route replace 10.9.0.0/24 via 192.168.77.2
	wait_for new_server_is_lan
	ip -n "$ROUTER" route replace 10.9.0.0/24 via 100.64.0.2 dev wt0
	wait_for not new_server_is_lan
	probe ok "$PEER" tcp 10.9.0.2 8080
	counters_agree wt0
}

# Whether a connection to the site's address reaches the LAN.
new_server_is_lan() {
	local before
	before=$(wc -l <"$T/lan-8080-tcp4.log")
	in_ns "$PEER" "$TOOLS/peer" ask tcp 10.9.0.2 8080 -t 1000 >/dev/null
	[ "$(wc -l <"$T/lan-8080-tcp4.log")" -gt "$before" ]
}
