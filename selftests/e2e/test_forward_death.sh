# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The forwarder's process comes to an end that it did not choose: what both ends of its connections
# see, and how soon another one serves.

. "$SELFTESTS/lib/forward.sh"

tests "veth tun" \
	servers_see_a_reset_of_a_killed_forwarder \
	peers_are_reset_by_the_next_forwarder_at_their_next_packet \
	what_run_leaves_to_nobody_is_reset
alone "veth tun" \
	a_forwarder_that_hangs_is_replaced

# ending_server NAME: at port 7000 of $LAN_IP; says in $T/NAME.out how each connection ended
ending_server() {
	start "$1" "$LAN" python3 "$SELFTESTS/tools/ending.py" $LAN_IP 7000
	wait_for grep -q ready "$T/$1.out"
}

# half_closed NAME: a connection of the peer that its server has half-closed
half_closed() {
	start "$1" "$PEER" python3 -c "
import signal, socket
c = socket.create_connection(('$LAN_IP', 7000))
c.sendall(b'H')
c.recv(1)
c.sendall(b'upload')
print('half-closed', flush=True)
signal.pause()"
	wait_for grep -q half-closed "$T/$1.out"
}

# endings_are NAME TEXT: of the server's connections, sorted
endings_are() {
	[ "$(grep -v ready "$T/$1.out" | sort | paste -sd,)" = "$2" ]
}

# An upload that was cut must not look whole to its server.
test_servers_see_a_reset_of_a_killed_forwarder() {
	local family
	forwarding_topology "$1"
	run_forwarder
	for family in 4 6; do
		use_family $family
		ending_server ending$family
		session idle$family "$PEER" tcp $LAN_IP 7000
		talk idle$family ok
		half_closed half$family
	done
	wait_for connections_are 4
	kill -KILL "$(forwarder pid)"
	for family in 4 6; do
		wait_for endings_are ending$family reset,reset
	done
	# what ends as it should still does
	wait_for starts_are 2
	use_family 4
	probe ok "$PEER" tcp $LAN_IP 7000
	wait_for endings_are ending4 "end of file,reset,reset"
	counters_agree wt0
}

# The peer is idle when its forwarder dies, and opens nothing afterwards.
test_peers_are_reset_by_the_next_forwarder_at_their_next_packet() {
	local family
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	run_forwarder
	for family in 4 6; do
		use_family $family
		session held$family "$PEER" tcp $LAN_IP 8080
		talk held$family ok
	done
	kill -KILL "$(forwarder pid)"
	wait_for starts_are 2
	for family in 4 6; do
		talk held$family reset
	done
	counters_agree wt0
}

# SIGUSR2 where no service manager keeps what is forwarded
test_what_run_leaves_to_nobody_is_reset() {
	forwarding_topology "$1"
	use_family 4
	ending_server ending
	run_forwarder
	session held "$PEER" tcp $LAN_IP 7000
	talk held ok
	stop run-wt0 USR2
	is "exit status" 0 "$STATUS"
	matches "said" "wt0: forwarded connections end: .*" "$(cat "$T/run-wt0.err")"
	is_protected wt0 || die "not protected"
	wait_for endings_are ending reset
	run_forwarder
	talk held reset
	probe ok "$PEER" tcp $LAN_IP 7000
	counters_agree wt0
}

test_a_forwarder_that_hangs_is_replaced() {
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	use_family 4
	ending_server ending
	run_forwarder
	probe ok "$PEER" tcp $LAN_IP 8080
	wait_for connections_are 0
	# idle
	begin_replacement
	kill -STOP "$(forwarder pid)"
	replaced_within 3000 2
	probe ok "$PEER" tcp $LAN_IP 8080
	# with a connection
	session held "$PEER" tcp $LAN_IP 7000
	talk held ok
	begin_replacement
	kill -STOP "$(forwarder pid)"
	replaced_within 3000 3
	wait_for endings_are ending reset
	talk held reset
	is "said" 2 "$(grep -c "forwarder hangs" "$T/run-wt0.err")"
	# what stops for a moment only stays
	kill -STOP "$(forwarder pid)"
	kill -CONT "$(forwarder pid)"
	probe ok "$PEER" tcp $LAN_IP 8080
	is "forwarders" 3 "$(forwarder starts)"
	counters_agree wt0
}
