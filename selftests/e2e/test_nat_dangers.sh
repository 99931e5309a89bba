# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Where routing by NAT would do harm, it keeps away.

. "$SELFTESTS/lib/nat.sh"

tests "veth" \
	devices_of_overlays_are_no_uplinks_unless_they_are_named

# add_device NAME SUBNET [IP-LINK-ARGUMENT...]: of the router, up, with an address
add_device() {
	local name=$1 subnet=$2
	shift 2
	ip -n "$ROUTER" link add "$name" "$@"
	ip -n "$ROUTER" address add "$subnet.1/24" dev "$name"
	ip -n "$ROUTER" link set "$name" up
}

is_uplink() {
	programs "$1" | grep -q shrike_uplink
}

test_devices_of_overlays_are_no_uplinks_unless_they_are_named() {
	nat_topology "$1"
	make_namespace "$PEER2"
	add_overlay "$1" 1 "$PEER2" 1420
	sed "s/routing: nat/routing: disabled/" "$T/nat.yaml" >"$T/disabled.yaml"
	expect 0 shrike attach wt1 -c "$T/disabled.yaml"
	in_ns "$ROUTER" ip tuntap add dev tun9 mode tun
	ip -n "$ROUTER" address add 10.9.0.1/24 dev tun9
	ip -n "$ROUTER" link set tun9 up
	add_device more 10.8.0 type veth peer name more-peer
	ip -n "$ROUTER" link set more-peer up
	run_nat
	is_uplink lan0 || die "lan0 is no uplink"
	is_uplink more || die "a device is no uplink"
	is_uplink wt1 && die "a protected interface is an uplink"
	is_uplink tun9 && die "a VPN that leads to some hosts is an uplink"
	ip -n "$ROUTER" route add default dev tun9
	wait_for is_uplink tun9
	ip -n "$ROUTER" route replace default dev more
	wait_for not is_uplink tun9
	stop run-wt0
	sed "s/^mode.*/&\nnat: {uplinks: [wt1, tun9]}/" "$T/nat.yaml" >"$T/named.yaml"
	expect 0 shrike attach wt0 -c "$T/named.yaml"
	is_uplink wt1 || die "a named interface is no uplink"
	is_uplink tun9 || die "a named VPN is no uplink"
	is_uplink lan0 && die "an interface that is not named is an uplink"
	counters_agree wt0
}
