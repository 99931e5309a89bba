# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The interface changes under the userspace forwarder, and what is forwarded goes on.

. "$SELFTESTS/lib/forward.sh"

tests "veth tun gso" \
	a_change_of_the_mtu_resets_nothing \
	a_device_that_is_created_again_resets_nothing \
	what_comes_before_the_forwarder_is_back_has_a_name \
	sockets_of_a_device_that_is_gone_are_given_nothing

# hold_sessions LINK: through a forwarder, one of TCP and one of UDP for each family, to port 8080;
# none ends by itself, however long the test takes
hold_sessions() {
	local family protocol
	forwarding_topology "$1"
	echo "timeouts: {udp: 10m}" >>"$T/forward.yaml"
	run_forwarder
	serve_all "$LAN" 8080
	for family in 4 6; do
		use_family $family
		for protocol in tcp udp; do
			session $protocol$family "$PEER" $protocol $LAN_IP 8080
			talk $protocol$family ok
		done
	done
	DATAGRAM_SOCKETS=$(datagram_sockets)
}

# sessions_go_on FAMILY...: by the process and the sockets that they began with
sessions_go_on() {
	local family
	for family; do
		talk "tcp$family" ok
		talk "udp$family" ok
	done
	is "forwarders" 1 "$(forwarder starts)"
	is "sockets of datagrams" "$DATAGRAM_SOCKETS" "$(datagram_sockets)"
}

# datagram_sockets: the router's, which are the forwarder's, by their ports
datagram_sockets() {
	in_ns "$ROUTER" ss -Huan | awk '{ print $4 }' | sort
}

# set_mtu N: at both ends, until it is in force
set_mtu() {
	ip -n "$PEER" link set p0 mtu "$1"
	ip -n "$ROUTER" link set wt0 mtu "$1"
	wait_for mtu_is "$1"
}

mtu_is() {
	[ "$(forwarder mtu)" = "$1" ]
}

test_a_change_of_the_mtu_resets_nothing() {
	local mtu
	hold_sessions "$1"
	transfer_server "$LAN" 192.168.77.2 9000
	begin_transfer stall stall 192.168.77.2 9000 20000000
	wait_for grep -q waiting "$T/stall.out"
	for mtu in 1380 2500 1280; do
		set_mtu $mtu
		sessions_go_on 4 6
	done
	# most of it is sent from now on
	end_transfer stall
	# here IPv6 ends, and comes back with a larger MTU and addresses
	set_mtu 1200
	sessions_go_on 4
	set_mtu 1420
	give "$ROUTER" wt0 fd64::1/64
	give "$PEER" p0 fd64::2/64
	ip -n "$PEER" -6 route replace default via fd64::1
	sessions_go_on 4 6
	probe ok "$PEER" tcp fd77::2 8080 -n 3000000
	counters_agree wt0
}

# queues_change_hands LINK: its forwarder can be given the queues of another device
queues_change_hands() {
	[ "$1" = gso ] || is_linux 6.4
}

# With a download on its way, and what peers and servers send meanwhile lost.
test_a_device_that_is_created_again_resets_nothing() {
	local i
	queues_change_hands "$1" || skip "before Linux 6.4 sockets of AF_XDP do not change hands"
	hold_sessions "$1"
	transfer_server "$LAN" 192.168.77.2 9000
	begin_transfer stall stall 192.168.77.2 9000 20000000
	wait_for grep -q waiting "$T/stall.out"
	for i in 1 2; do
		remove_overlay "$1" 0
		wait_for gone_was_said $i
		add_overlay "$1" 0 "$PEER" $((1420 - 40 * i))
		wait_for is_protected wt0
		sessions_go_on 4 6
	done
	end_transfer stall
	probe ok "$PEER" tcp 192.168.77.2 8080 -n 3000000
	# one that is killed meanwhile is replaced when the device is there
	remove_overlay "$1" 0
	wait_for gone_was_said 3
	pkill -KILL -P "${PROCESS[run-wt0]}"
	wait_for not pgrep -P "${PROCESS[run-wt0]}"
	add_overlay "$1" 0 "$PEER" 1420
	wait_for starts_are 2
	talk tcp4 reset
	probe ok "$PEER" tcp 192.168.77.2 8080
	is "said of the forwarder" "" "$(grep forwarder "$T/run-wt0.err")"
	counters_agree wt0
}

gone_was_said() {
	[ "$(grep -c "is gone" "$T/run-wt0.err")" = "$1" ]
}

# Packets come as soon as the peer has its route, which is long before the forwarder has the new device.
test_what_comes_before_the_forwarder_is_back_has_a_name() {
	local i
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	run_forwarder
	start flood "$PEER" python3 "$SELFTESTS/tools/datagrams.py" flood 192.168.77.2 8080
	for i in 1 2 3; do
		wait_for in_ns "$PEER" "$TOOLS/peer" ask udp 192.168.77.2 8080 -t 200
		remove_overlay "$1" 0
		add_overlay "$1" 0 "$PEER" 1420
	done
	wait_for in_ns "$PEER" "$TOOLS/peer" ask udp 192.168.77.2 8080 -t 200
	stop flood
	[ "$(dropped wt0 no_forwarder)" -gt 0 ] || die "nothing came in between"
	! queues_change_hands "$1" || is "forwarders" 1 "$(forwarder starts)"
	counters_agree wt0
}

# Here run has looked at the device that goes, and acts when the one in its place is there.
test_sockets_of_a_device_that_is_gone_are_given_nothing() {
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	run_forwarder
	start flood "$PEER" python3 "$SELFTESTS/tools/datagrams.py" flood 192.168.77.2 8080
	wait_for in_ns "$PEER" "$TOOLS/peer" ask udp 192.168.77.2 8080 -t 200
	start lock "$ROUTER" "$TOOLS/lock" wt0
	wait_for grep -q locked "$T/lock.out"
	ip -n "$ROUTER" address add 100.64.0.9/16 dev wt0
	wait_for is_asleep "${PROCESS[run-wt0]}"
	remove_overlay "$1" 0
	add_overlay "$1" 0 "$PEER" 1420
	stop lock
	wait_for in_ns "$PEER" "$TOOLS/peer" ask udp 192.168.77.2 8080 -t 200
	stop flood
	! queues_change_hands "$1" || is "forwarders" 1 "$(forwarder starts)"
	counters_agree wt0
}

# is_asleep PID: for a time, as who waits for a lock; 230 is clock_nanosleep(), 115 on arm64
is_asleep() {
	grep -qE '^(230|115) ' "/proc/$1/syscall"
}
