# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Packets as large as they get: GSO, the MTU, fragments.  The parameter is LINK-MTU.

tests "veth-1420 tun-1420 veth-1280 tun-1280" \
	megabytes_arrive_unaltered_in_both_directions \
	packets_of_the_mtu_pass \
	the_mss_of_routed_connections_fits_the_mtu \
	fragments_follow_their_first_one

sized_topology() {
	MTU=${1#*-}
	topology "${1%-*}" "$MTU"
	kernel_forwards 1
	serve_all "$ROUTER" 8080
	serve_all "$LAN" 8080
	serve_all "$PEER" 8080
	policy open <<-EOF
		peer_acl:
		  - {id: tcp, action: allow, source: [any], protocol: tcp, destination_ports: [8080]}
		  - {id: udp, action: allow, source: [any], protocol: udp, destination_ports: [8080]}
		  - {id: ping, action: allow, source: [any], protocol: icmp}
		route_acl:
		  - {id: lan, action: allow, source: [any], destination: [any], protocol: all}
	EOF
	run_shrike wt0 open
}

test_megabytes_arrive_unaltered_in_both_directions() {
	local family bytes
	bytes=$(bytes 8000000)
	sized_topology "$1"
	for family in 4 6; do
		use_family $family
		# the server echoes, so each of these is that many bytes each way
		probe ok "$PEER" tcp $ROUTER_IP 8080 -n $bytes
		probe ok "$ROUTER" tcp $PEER_IP 8080 -n $bytes
		probe ok "$PEER" tcp $LAN_IP 8080 -n $bytes
		probe ok "$LAN" tcp $PEER_IP 8080 -n $bytes
	done
	counters_agree wt0
}

test_packets_of_the_mtu_pass() {
	local family ns target largest
	sized_topology "$1"
	for family in 4 6; do
		use_family $family
		largest=$((MTU - IP_HEADER - 8))
		for target in $ROUTER_IP $LAN_IP; do
			probe ok "$PEER" udp $target 8080 -d -n $largest
			probe toobig "$PEER" udp $target 8080 -d -n $((largest + 1))
			pings ok "$PEER" $target -M "do" -s $largest
		done
		probe ok "$ROUTER" udp $PEER_IP 8080 -d -n $largest
		pings ok "$ROUTER" $PEER_IP -M "do" -s $largest
		# the smallest, too
		probe ok "$PEER" udp $ROUTER_IP 8080 -n 1
		pings ok "$PEER" $ROUTER_IP -s 0
	done
	counters_agree wt0
}

test_fragments_follow_their_first_one() {
	local family before
	sized_topology "$1"
	for family in 4 6; do
		use_family $family
		pings ok "$PEER" $ROUTER_IP -s 5000
		probe ok "$PEER" udp $ROUTER_IP 8080 -n 6000
		pings ok "$ROUTER" $PEER_IP -s 5000
		probe ok "$ROUTER" udp $PEER_IP 8080 -n 6000
		before=$(dropped wt0 fragment_unknown)
		probe timeout "$PEER" udp $ROUTER_IP 9090 -n 6000
		[ "$(dropped wt0 fragment_unknown)" -gt $((before + 2)) ] ||
			[ "$(dropped wt0 peer_acl_default)" -gt 3 ] ||
			die "the later fragments were not dropped"
		if [ $family = 4 ]; then
			# over IPv6 the LAN has to learn the path MTU by losing the first answer
			pings ok "$PEER" $LAN_IP -s 5000
			probe ok "$PEER" udp $LAN_IP 8080 -n 6000
		fi
	done
	counters_agree wt0
}

# The LAN's own MTU is 1500, and nobody tells it in time that the tunnel's is smaller.
test_the_mss_of_routed_connections_fits_the_mtu() {
	local family mss
	sized_topology "$1"
	# whole packets would be longer, of which few fit into its ring
	start capture "$PEER" tcpdump -n -l -s 200 --immediate-mode -i p0 tcp
	wait_for grep -q listening "$T/capture.err"
	for family in 4 6; do
		use_family $family
		mss=$((MTU - IP_HEADER - 20))
		probe ok "$PEER" tcp $LAN_IP 8080
		probe ok "$LAN" tcp $PEER_IP 8080
		wait_for grep -q "$LAN_IP.8080 > $PEER_IP.*\[S\.\].*mss $mss," "$T/capture.out"
		wait_for grep -q "$LAN_IP.* > $PEER_IP.8080: .*\[S\].*mss $mss," "$T/capture.out"
	done
	# off, the LAN's own is seen
	expect 0 cp "$T/open.yaml" "$T/unclamped.yaml"
	echo "mss_clamp: false" >>"$T/unclamped.yaml"
	expect 0 shrike policy apply wt0 "$T/unclamped.yaml"
	probe ok "$PEER" tcp 192.168.77.2 8080
	wait_for grep -q "192.168.77.2.8080 > .*mss 1460," "$T/capture.out"
}
