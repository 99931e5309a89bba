# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The network itself, with nothing attached: what the other tests refuse must be possible here.

tests "veth tun" everything_passes_where_nothing_is_attached

test_everything_passes_where_nothing_is_attached() {
	local family
	topology "$1"
	kernel_forwards 1
	serve_all "$ROUTER" 8080
	serve_all "$LAN" 8080
	serve_all "$PEER" 8080
	for family in 4 6; do
		use_family $family
		probe ok "$PEER" tcp $ROUTER_IP 8080
		probe ok "$PEER" tcp $ROUTER_IP 8080 -n 3000000
		probe refused "$PEER" tcp $ROUTER_IP 9090
		probe ok "$PEER" udp $ROUTER_IP 8080
		probe ok "$PEER" udp $LAN_IP 8080 -n 1000
		matches "TTL at the LAN" "ttl=63 len=1000" "$(cat "$T/lan-8080-udp$family.log")"
		probe ok "$ROUTER" udp $PEER_IP 8080
		probe ok "$PEER" tcp $LAN_IP 8080 -s $PEER_OTHER_IP
		pings ok "$PEER" $LAN_IP -s 1000
		session one "$PEER" tcp $LAN_IP 8080
		talk one ok
		stop one
	done
	is "programs on wt0" "" "$(programs wt0)"
}
