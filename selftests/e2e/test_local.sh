# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Traffic to and from this host: what peer_acl says, and what needs no rule.

tests "veth tun" \
	a_permitted_tcp_connection_passes_and_an_unlisted_one_drops \
	a_deny_wins_over_an_allow_and_the_source_decides \
	udp_passes_both_ways_where_a_rule_or_a_flow_allows_it \
	ping_passes_for_the_family_that_a_rule_names \
	replies_to_what_this_host_opened_need_no_rule \
	an_empty_policy_lets_nothing_in \
	without_connection_tracking_every_packet_needs_a_rule \
	a_local_prefix_is_this_host_only_where_the_kernel_delivers_it

test_a_permitted_tcp_connection_passes_and_an_unlisted_one_drops() {
	local family before
	topology "$1"
	serve_all "$ROUTER" 8080
	serve_all "$ROUTER" 9090
	policy web <<-EOF
		peer_acl:
		  - {id: web, action: allow, source: [any], protocol: tcp, destination_ports: [80, 8000-8099]}
	EOF
	run_shrike wt0 web
	for family in 4 6; do
		use_family $family
		probe ok "$PEER" tcp $ROUTER_IP 8080
		# nobody listens: the answer is the kernel's, so the packet reached it
		probe refused "$PEER" tcp $ROUTER_IP 80
		probe refused "$PEER" tcp $ROUTER_IP 8099
		before=$(dropped wt0 peer_acl_default)
		probe timeout "$PEER" tcp $ROUTER_IP 9090
		probe timeout "$PEER" tcp $ROUTER_IP 8100
		probe timeout "$PEER" udp $ROUTER_IP 8080
		# an address of another interface is this host's as well
		probe ok "$PEER" tcp $ROUTER_LAN_IP 8080
		probe timeout "$PEER" tcp $ROUTER_LAN_IP 9090
		[ "$(dropped wt0 peer_acl_default)" -ge $((before + 4)) ] ||
			die "peer_acl_default was not counted"
	done
	counters_agree wt0
}

test_a_deny_wins_over_an_allow_and_the_source_decides() {
	local family
	topology "$1"
	serve_all "$ROUTER" 8080
	policy deny <<-EOF
		peer_acl:
		  - {id: peers, action: allow, source: [100.64.0.0/16, "fd64::/64"], protocol: tcp}
		  - {id: not-you, action: deny, source: [100.64.0.3, "fd64::3"], protocol: tcp}
	EOF
	run_shrike wt0 deny
	for family in 4 6; do
		use_family $family
		probe ok "$PEER" tcp $ROUTER_IP 8080 -s $PEER_IP
		probe timeout "$PEER" tcp $ROUTER_IP 8080 -s $PEER_OTHER_IP
	done
	[ "$(dropped wt0 peer_acl_denied)" -ge 2 ] || die "peer_acl_denied was not counted"
}

test_udp_passes_both_ways_where_a_rule_or_a_flow_allows_it() {
	local family
	topology "$1"
	serve_all "$ROUTER" 5300
	serve_all "$PEER" 5300
	policy dns <<-EOF
		peer_acl:
		  - {id: dns, action: allow, source: [any], protocol: udp, destination_ports: [5300]}
	EOF
	run_shrike wt0 dns
	for family in 4 6; do
		use_family $family
		probe ok "$PEER" udp $ROUTER_IP 5300
		probe ok "$ROUTER" udp $PEER_IP 5300
		probe timeout "$PEER" tcp $ROUTER_IP 5300
	done
	# allowed, and answered by the kernel: an ICMP error goes out
	policy closed <<-EOF
		peer_acl: [{id: all, action: allow, source: [any], protocol: all}]
	EOF
	expect 0 shrike policy apply wt0 "$T/closed.yaml"
	for family in 4 6; do
		use_family $family
		probe refused "$PEER" udp $ROUTER_IP 5301
	done
	policy none <<<"peer_acl: []"
	expect 0 shrike policy apply wt0 "$T/none.yaml"
	for family in 4 6; do
		use_family $family
		# the peer's ICMP error quotes a flow of this host and needs no rule
		probe refused "$ROUTER" udp $PEER_IP 5301
		probe timeout "$PEER" udp $ROUTER_IP 5300
	done
	counters_agree wt0
}

test_ping_passes_for_the_family_that_a_rule_names() {
	topology "$1"
	policy ping <<-EOF
		peer_acl: [{id: ping, action: allow, source: [any], protocol: icmp}]
	EOF
	policy ping4 <<-EOF
		peer_acl: [{id: ping4, action: allow, source: [0.0.0.0/0], protocol: icmp}]
	EOF
	run_shrike wt0 ping
	pings ok "$PEER" 100.64.0.1
	pings ok "$PEER" fd64::1
	expect 0 shrike policy apply wt0 "$T/ping4.yaml"
	pings ok "$PEER" 100.64.0.1
	pings lost "$PEER" fd64::1
	pings ok "$ROUTER" 100.64.0.2
	pings ok "$ROUTER" fd64::2
	counters_agree wt0
}

test_replies_to_what_this_host_opened_need_no_rule() {
	local family
	topology "$1"
	serve_all "$PEER" 8080
	serve_all "$ROUTER" 8080
	policy none <<<"peer_acl: []"
	run_shrike wt0 none
	for family in 4 6; do
		use_family $family
		probe ok "$ROUTER" tcp $PEER_IP 8080 -n 200000
		probe refused "$ROUTER" tcp $PEER_IP 9090
		probe ok "$ROUTER" udp $PEER_IP 8080
		pings ok "$ROUTER" $PEER_IP
		# a connection from the other side, over the same ports, is no reply
		probe timeout "$PEER" tcp $ROUTER_IP 8080 -p 8081
		probe timeout "$PEER" udp $ROUTER_IP 8080
	done
	counters_agree wt0
}

test_an_empty_policy_lets_nothing_in() {
	local family
	topology "$1"
	kernel_forwards 1
	serve_all "$ROUTER" 8080
	serve_all "$LAN" 8080
	policy none </dev/null
	run_shrike wt0 none
	for family in 4 6; do
		use_family $family
		probe timeout "$PEER" tcp $ROUTER_IP 8080
		probe timeout "$PEER" udp $ROUTER_IP 8080
		pings lost "$PEER" $ROUTER_IP
		probe timeout "$PEER" tcp $LAN_IP 8080
		pings lost "$PEER" $LAN_IP
	done
	counters_agree wt0
}

test_without_connection_tracking_every_packet_needs_a_rule() {
	local family
	topology "$1"
	serve_all "$PEER" 8080
	serve_all "$ROUTER" 8080
	policy stateless <<-EOF
		mode: {stateful: false}
		peer_acl:
		  - {id: web, action: allow, source: [any], protocol: tcp, destination_ports: [8080]}
	EOF
	run_shrike wt0 stateless
	for family in 4 6; do
		use_family $family
		probe ok "$PEER" tcp $ROUTER_IP 8080 -n 100000
		probe timeout "$ROUTER" tcp $PEER_IP 8080
		probe timeout "$ROUTER" udp $PEER_IP 8080
		pings lost "$ROUTER" $PEER_IP
	done
	is "tracked connections" 0 "$(connections wt0)"
	counters_agree wt0
}

# ip_rule add|del RULE...: of both families
ip_rule() {
	ip -n "$ROUTER" rule "$@" || die "ip rule $*"
	ip -n "$ROUTER" -6 rule "$@" || die "ip -6 rule $*"
}

# prefix_is local|routed: the LAN's prefix, to packets that arrive and to a trace.  Linux sends IPv4
# answers only from addresses of the table local.
prefix_is() {
	local family before reason=peer_acl_allowed any_ip=([4]=10.5.1.2 [6]=fd05::7)
	[ "$1" = routed ] && reason=routing_disabled
	for family in 4 6; do
		use_family $family
		before=$(dropped wt0 routing_disabled)
		if [ "$1$family" = local4 ]; then
			probe timeout "$PEER" tcp $LAN_IP 8080
		elif [ "$1" = local ]; then
			probe ok "$PEER" tcp $LAN_IP 8080
		else
			probe timeout "$PEER" tcp $LAN_IP 8080
			probe timeout "$PEER" udp $LAN_IP 8080
			before=$((before + 2))
		fi
		[ "$(dropped wt0 routing_disabled)" -ge $before ] ||
			die "routing_disabled was not counted"
		[ "$1" = routed ] || is "routing_disabled" $before "$(dropped wt0 routing_disabled)"
		is "reason in a trace" $reason "$(shrike trace in $PEER_IP $LAN_IP -p tcp \
			--dport 8080 -i wt0 -j | jq -r .reason)"
		# addresses of its own, and prefixes of table local, whatever other rules are there
		probe ok "$PEER" tcp $ROUTER_LAN_IP 8080
		probe ok "$PEER" tcp ${any_ip[$family]} 8080
	done
}

test_a_local_prefix_is_this_host_only_where_the_kernel_delivers_it() {
	topology "$1"
	kernel_forwards 1
	serve_all "$ROUTER" 8080
	serve_all "$LAN" 8080
	ip -n "$ROUTER" route add local 192.168.77.0/24 dev lo table 100
	ip -n "$ROUTER" route add local fd77::/64 dev lo table 100
	ip -n "$ROUTER" route add local 10.5.0.0/16 dev lo
	ip -n "$ROUTER" route add local fd05::/64 dev lo
	policy all <<-EOF
		mode: {routing: disabled}
		peer_acl: [{id: all, action: allow, source: [any], protocol: all}]
	EOF
	run_shrike wt0 all
	ip_rule add fwmark 1 lookup 100
	prefix_is routed
	# IPv6 is forwarded all the same where only the device's own switch is off
	in_ns "$ROUTER" sysctl -qw net.ipv6.conf.wt0.forwarding=0
	prefix_is routed
	ip_rule del fwmark 1 lookup 100
	ip_rule add pref 40000 lookup 100 # main is asked before
	prefix_is routed
	ip_rule del pref 40000 lookup 100
	ip_rule add pref 100 lookup 100
	prefix_is local
	kernel_forwards 0
	prefix_is local
	counters_agree wt0
}
