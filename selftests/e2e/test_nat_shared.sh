# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Routing by NAT: several protected interfaces and one uplink.

. "$SELFTESTS/lib/nat.sh"

tests "veth-1420 tun-1420" \
	two_interfaces_share_an_uplink \
	either_interface_may_leave_first
tests "veth" \
	an_interface_that_vanished_leaves_nothing_on_the_uplink

# shared_topology LINK[-MTU]: policies nat and nat1 for wt0 and wt1, that name the uplink
shared_topology() {
	nat_topology "$1"
	make_namespace "$PEER2"
	add_overlay "${1%-*}" 1 "$PEER2" 1420
	sed -i "s/^mode.*/&\nnat: {uplinks: [lan0]}/" "$T/nat.yaml"
	sed "s/100\.64/100.65/g; s/fd64/fd65/g" "$T/nat.yaml" >"$T/nat1.yaml"
}

run_both() {
	run_shrike wt0 nat
	run_shrike wt1 nat1
	wait_for forwarder_runs
}

uplink_programs() {
	programs lan0 | grep -c shrike_uplink
}

# answers IFACE: entries of the maps that lead to peers: its own, and all of them
answers() {
	status_of "$1" "[.nat.answers[]] | [map(.own), map(.entries) | add | tostring] | join(\" of \")"
}

# The peers have the same port, and ask the same server for the same.
test_two_interfaces_share_an_uplink() {
	local family
	shared_topology "$1"
	run_both
	is "programs of the uplink" 2 "$(uplink_programs)"
	for family in 4 6; do
		use_family $family
		session "first$family" "$PEER" udp $LAN_IP 8080 -p 61005
		session "second$family" "$PEER2" udp $LAN_IP 8080 -p 61005
		session "tcp$family" "$PEER" tcp $LAN_IP 8080 -p 61006
		session "other$family" "$PEER2" tcp $LAN_IP 8080 -p 61006
		for name in first second tcp other; do
			talk $name$family ok
		done
		probe ok "$PEER" udp $LAN_IP 8080 -n 3000
		probe ok "$PEER2" udp $LAN_IP 8080 -n 3000
		probe refused "$PEER" udp $LAN_IP 8081
		probe refused "$PEER2" udp $LAN_IP 8081
		pings ok "$PEER" $LAN_IP
		pings ok "$PEER2" $LAN_IP
	done
	# nobody is there any more, and what comes next goes on all the same
	stop run-wt0 KILL
	stop run-wt1 KILL
	for name in first4 second4 tcp4 other4 first6 second6 tcp6 other6; do
		talk $name ok
	done
	probe ok "$PEER" tcp $LAN_IP 8080
	probe ok "$PEER2" tcp $LAN_IP 8080
	counters_agree wt0
	counters_agree wt1
}

test_either_interface_may_leave_first() {
	shared_topology "$1"
	run_both
	use_family 4
	session first "$PEER" udp $LAN_IP 8080 -p 61005
	session second "$PEER2" udp $LAN_IP 8080 -p 61005
	stop run-wt0
	is "programs of the uplink" 1 "$(uplink_programs)"
	talk second ok
	is "what leads to peers" "1 of 1" "$(answers wt1)"
	probe ok "$PEER2" tcp $LAN_IP 8080 -n 1000000
	# it comes back, with the size of its tables that another policy asks for
	echo "limits: {tcp: 100, udp: 10, icmp: 1}" >>"$T/nat.yaml"
	run_shrike wt0 nat
	session again "$PEER" udp $LAN_IP 8080 -p 61005
	talk second ok
	expect 0 shrike policy apply wt1 "$T/nat1.yaml"
	talk second ok
	talk again ok
	stop run-wt1 KILL
	expect 0 shrike detach wt1
	is "programs of the uplink" 1 "$(uplink_programs)"
	talk again ok
	probe ok "$PEER" tcp $LAN_IP 8080 -n 1000000
	stop run-wt0
	is "programs of the uplink" 0 "$(uplink_programs)"
	is "devices for routes" "" "$(route_devices)"
}

test_an_interface_that_vanished_leaves_nothing_on_the_uplink() {
	shared_topology "$1"
	expect 0 shrike attach wt0 -c "$T/nat.yaml"
	expect 0 shrike attach wt1 -c "$T/nat1.yaml"
	use_family 4
	session first "$PEER" udp $LAN_IP 8080 -p 61005
	session second "$PEER2" udp $LAN_IP 8080 -p 61005
	talk first ok
	talk second ok
	is "what leads to peers" "1 of 2" "$(answers wt0)"
	ip -n "$ROUTER" link del wt1
	expect 0 shrike detach wt1
	is "programs of the uplink" 1 "$(uplink_programs)"
	is "what leads to peers" "1 of 1" "$(answers wt0)"
	talk first ok
	ip -n "$ROUTER" link del wt0
	expect 0 shrike detach wt0
	is "programs of the uplink" 0 "$(uplink_programs)"
}
