# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Traffic through this host: native routing with and without route_acl, and no routing.  Ping cannot see a TTL that was not decremented; the LAN's UDP server can.

tests "veth tun" \
	route_acl_decides_what_the_kernel_forwards \
	replies_from_the_lan_need_no_rule_and_the_lan_may_open_connections \
	native_acl_skip_leaves_routed_traffic_to_the_kernel \
	routing_disabled_drops_what_is_not_for_this_host \
	routing_native_leaves_it_to_a_kernel_that_does_not_forward \
	the_environment_wins_over_the_policy_file

web_route() {
	policy "$1" <<-EOF
		mode: {$2}
		route_acl:
		  - {id: web, action: allow, source: [100.64.0.0/16, "fd64::/64"], destination: [set:lan],
		     protocol: tcp, destination_ports: [8080]}
		  - {id: dns, action: allow, source: [any], destination: [192.168.77.2, "fd77::2"],
		     protocol: udp, destination_ports: [8080]}
		sets: {lan: [192.168.77.0/24, "fd77::/64"]}
	EOF
}

# routed_topology LINK: the LAN serves 8080 and 9090
routed_topology() {
	topology "$1"
	kernel_forwards 1
	serve_all "$LAN" 8080
	serve_all "$LAN" 9090
}

# lan_is_reached: with a TTL that was decremented once
lan_is_reached() {
	probe ok "$PEER" tcp $LAN_IP 8080
	probe ok "$PEER" udp $LAN_IP 8080
	is "at the LAN" "ttl=63 len=16 from=$PEER_IP" "$(tail -n 1 "$T/lan-8080-udp$FAMILY.log")"
}

test_route_acl_decides_what_the_kernel_forwards() {
	local family
	routed_topology "$1"
	web_route web ""
	run_shrike wt0 web
	is "routing" native "$(routing wt0)"
	for family in 4 6; do
		use_family $family
		lan_is_reached
		probe ok "$PEER" tcp $LAN_IP 8080 -n 500000
		probe timeout "$PEER" tcp $LAN_IP 9090
		probe timeout "$PEER" udp $LAN_IP 9090
		pings lost "$PEER" $LAN_IP
		# route_acl is not for addresses of this host, whatever its destinations are
		probe timeout "$PEER" tcp $ROUTER_LAN_IP 8080
	done
	[ "$(dropped wt0 route_acl_default)" -ge 6 ] || die "route_acl_default was not counted"
	policy ping <<-EOF
		route_acl: [{id: ping, action: allow, source: [any], destination: [any], protocol: icmp}]
	EOF
	expect 0 shrike policy apply wt0 "$T/ping.yaml"
	for family in 4 6; do
		use_family $family
		pings ok "$PEER" $LAN_IP
		matches "TTL of the reply" "ttl=63" "$OUT"
		probe timeout "$PEER" tcp $LAN_IP 8080
	done
	counters_agree wt0
}

test_replies_from_the_lan_need_no_rule_and_the_lan_may_open_connections() {
	local family
	routed_topology "$1"
	serve_all "$PEER" 7070
	policy none </dev/null
	run_shrike wt0 none
	for family in 4 6; do
		use_family $family
		probe ok "$LAN" tcp $PEER_IP 7070 -n 300000
		probe ok "$LAN" udp $PEER_IP 7070
		is "at the peer" "ttl=63 len=16 from=$LAN_IP" \
			"$(tail -n 1 "$T/peer-7070-udp$family.log")"
		pings ok "$LAN" $PEER_IP
		probe timeout "$PEER" tcp $LAN_IP 8080
	done
	counters_agree wt0
}

test_native_acl_skip_leaves_routed_traffic_to_the_kernel() {
	local family
	routed_topology "$1"
	web_route skip "native_acl: skip"
	run_shrike wt0 skip
	for family in 4 6; do
		use_family $family
		lan_is_reached
		probe ok "$PEER" tcp $LAN_IP 9090
		pings ok "$PEER" $LAN_IP
		probe timeout "$PEER" tcp $ROUTER_IP 9090
	done
	counters_agree wt0
}

test_routing_disabled_drops_what_is_not_for_this_host() {
	local family
	routed_topology "$1"
	serve_all "$ROUTER" 8080
	web_route off "routing: disabled"
	cat >>"$T/off.yaml" <<-EOF
		peer_acl: [{id: all, action: allow, source: [any], protocol: all}]
	EOF
	run_shrike wt0 off
	is "routing" disabled "$(routing wt0)"
	for family in 4 6; do
		use_family $family
		probe timeout "$PEER" tcp $LAN_IP 8080
		probe timeout "$PEER" udp $LAN_IP 8080
		pings lost "$PEER" $LAN_IP
		is "datagrams at the LAN" "" "$(cat "$T/lan-8080-udp$family.log")"
		probe ok "$PEER" tcp $ROUTER_LAN_IP 8080
	done
	[ "$(dropped wt0 routing_disabled)" -ge 6 ] || die "routing_disabled was not counted"
	counters_agree wt0
}

test_routing_native_leaves_it_to_a_kernel_that_does_not_forward() {
	routed_topology "$1"
	kernel_forwards 0
	web_route native "routing: native"
	run_shrike wt0 native
	is "routing" native "$(routing wt0)"
	probe timeout "$PEER" tcp 192.168.77.2 8080
	is "drops" 0 "$(dropped wt0 no_forwarder)"
	kernel_forwards 1
	use_family 4
	lan_is_reached
}

# environment_gives ROUTING NAME=VALUE...
environment_gives() {
	local wanted=$1
	shift
	run_shrike wt0 web "$@"
	is "routing under $*" "$wanted" "$(routing wt0)"
	stop run-wt0
	is "exit status" 0 $STATUS
}

test_the_environment_wins_over_the_policy_file() {
	topology "$1"
	kernel_forwards 1
	web_route web ""
	environment_gives disabled NB_DISABLE_USERSPACE_ROUTING=t NB_FORCE_USERSPACE_ROUTER=1
	environment_gives userspace NB_FORCE_USERSPACE_ROUTER=True NB_FORCE_NATIVE_ROUTER=TRUE
	kernel_forwards 0
	environment_gives native NB_FORCE_NATIVE_ROUTER=T
	environment_gives userspace NB_FORCE_NATIVE_ROUTER=0
	environment_gives userspace NB_FORCE_NATIVE_ROUTER=yes
	matches "the warning" "NB_FORCE_NATIVE_ROUTER.*yes|yes.*NB_FORCE_NATIVE_ROUTER" \
		"$(cat "$T/run-wt0.err")"
	serve_all "$PEER" 8080
	run_shrike wt0 web NB_DISABLE_CONNTRACK=true
	probe timeout "$ROUTER" tcp 100.64.0.2 8080
}
