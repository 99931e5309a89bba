# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The userspace forwarder: routed traffic on a host that does not forward, and whose settings stay
# as they are.  SOAK=1 makes the transfers a gigabyte and the connections 5,000.

. "$SELFTESTS/lib/forward.sh"
. "$SELFTESTS/lib/trace.sh"

tests "veth tun" \
	a_queue_that_somebody_has_is_said
tests "veth tun gso veth-9000" \
	tcp_udp_and_ping_are_forwarded_without_the_kernels_router \
	streams_arrive_whole_both_ways_and_half_closed
tests "veth tun gso" \
	packets_that_nobody_sent_are_neither_counted_nor_traced \
	what_a_new_policy_denies_ends_with_the_peers_next_packet \
	many_connections_are_forwarded_at_once \
	a_slow_reader_slows_its_sender_down \
	errors_of_the_network_reach_the_peer \
	traceroute_shows_the_path \
	curl_and_dns_work_through_the_forwarder \
	what_leads_back_into_the_interface_is_refused \
	what_comes_to_lead_back_is_refused_from_then_on \
	a_dial_that_comes_to_lead_back_is_refused \
	local_forwarding_dials_localhost \
	local_forwarding_reaches_local_prefixes
tests "veth-nat tun-nat gso-nat" \
	traceroute_shows_the_path \
	curl_and_dns_work_through_the_forwarder
alone "veth tun" \
	a_queue_that_is_busy_is_waited_for
alone "veth tun gso" \
	without_a_forwarder_packets_drop_and_a_new_one_comes_at_once \
	a_killed_forwarder_leaves_nothing_open \
	a_revoked_rule_cuts_connections_at_once

test_tcp_udp_and_ping_are_forwarded_without_the_kernels_router() {
	local family before
	forwarding_topology "$1"
	before=$(host_settings)
	serve_all "$LAN" 8080
	run_forwarder
	for family in 4 6; do
		use_family $family
		probe ok "$PEER" tcp $LAN_IP 8080
		probe ok "$PEER" tcp $LAN_IP 8080 -n 5000000
		probe refused "$PEER" tcp $LAN_IP 8081
		probe ok "$PEER" udp $LAN_IP 8080
		probe ok "$PEER" udp $LAN_IP 8080 -n 5000
		probe ok "$PEER" udp $LAN_IP 8080 -n 40000
		probe refused "$PEER" udp $LAN_IP 8081
		pings ok "$PEER" $LAN_IP
		pings ok "$PEER" $LAN_IP -s 5000
		pings ok "$PEER" $LAN_IP -c 50 -i 0.002
		probe timeout "$PEER" tcp $LAN_IP 6666
	done
	wait_for connections_are 0
	has_no_privileges "$(forwarder pid)"
	is "refused" 2 "$(forwarder tcp_refused)"
	[ "$(forwarder bytes_up)" -gt 10000000 ] || die "bytes are not counted"
	[ "$(forwarder bytes_down)" -gt 10000000 ] || die "bytes are not counted"
	is "settings of the host" "$before" "$(host_settings)"
	counters_agree wt0
}

test_without_a_forwarder_packets_drop_and_a_new_one_comes_at_once() {
	local family
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	serve_all "$ROUTER" 8080
	cat >>"$T/forward.yaml" <<-EOF2
		peer_acl: [{id: all, action: allow, source: [any], protocol: all}]
	EOF2
	run_forwarder
	probe ok "$PEER" tcp 192.168.77.2 8080
	kill -STOP "${PROCESS[run-wt0]}" # which would start another
	kill -KILL "$(forwarder pid)"
	for family in 4 6; do
		use_family $family
		wait_for drops_for_want_of_a_forwarder
		probe timeout "$PEER" tcp $LAN_IP 8080
		probe timeout "$PEER" udp $LAN_IP 8080
		is "datagrams at the LAN" "" "$(cat "$T/lan-8080-udp$family.log")"
		probe timeout "$PEER" tcp $LAN_IP 6666
		probe ok "$PEER" tcp $ROUTER_IP 8080 -n 300000
	done
	[ "$(dropped wt0 route_acl_default)$(dropped wt0 route_acl_denied)" != 00 ] ||
		die "the ACL was not asked"
	begin_replacement
	kill -CONT "${PROCESS[run-wt0]}"
	replaced_within 3000 2
	use_family 4
	probe ok "$PEER" tcp $LAN_IP 8080
	counters_agree wt0
}

# The slot of a killed process's socket empties a moment after its end.
drops_for_want_of_a_forwarder() {
	local before
	before=$(dropped wt0 no_forwarder)
	in_ns "$PEER" "$TOOLS/peer" ask udp $LAN_IP 9 -t 1
	[ "$(dropped wt0 no_forwarder)" -gt "$before" ]
}

test_a_killed_forwarder_leaves_nothing_open() {
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	use_family 4
	run_forwarder
	transfer_server "$LAN" 192.168.77.2 9000
	session held "$PEER" tcp $LAN_IP 8080
	talk held ok
	begin_transfer cut both $LAN_IP 9000 10000000000 0
	wait_for connections_are 2
	begin_replacement
	kill -KILL "$(forwarder pid)"
	replaced_within 3000 2
	probe ok "$PEER" tcp $LAN_IP 8080
	# nothing of the host's side is left, and the peer hears of it with its next packet
	wait_for lan_has_no_connection
	talk held reset
	await_end cut
	[ "$STATUS" != 0 ] || die "the transfer went on"
	matches "the transfer" "ConnectionReset|Broken pipe" "$(tail -n 1 "$T/cut.err")"
}

lan_has_no_connection() {
	[ -z "$(in_ns "$LAN" ss -Htn state established)" ]
}

# As that of a killed forwarder is until the kernel has cleaned up.
test_a_queue_that_is_busy_is_waited_for() {
	run_beside_occupant "$1"
	wait_for a_child_waits
	stop occupant
	wait_for forwarder_runs
	probe ok "$PEER" tcp 192.168.77.2 8080
	is "errors" "" "$(cat "$T/run-wt0.err")"
}

test_a_queue_that_somebody_has_is_said() {
	run_beside_occupant "$1"
	wait_for grep -q "cannot start" "$T/run-wt0.err"
	matches "error" "forwarder cannot start, routed packets drop: .* queue 0 of wt0: .* busy" \
		"$(cat "$T/run-wt0.err")"
	probe timeout "$PEER" tcp 192.168.77.2 8080
	stop occupant
	wait_for forwarder_runs
	probe ok "$PEER" tcp 192.168.77.2 8080
	counters_agree wt0
}

# run_beside_occupant LINK: run is to forward while somebody else has the queue
run_beside_occupant() {
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	start occupant "$ROUTER" "$TOOLS/hooks" occupy queue wt0
	wait_for grep -q ready "$T/occupant.out"
	run_shrike wt0 forward
}

a_child_waits() {
	local child
	child=$(pgrep -P "${PROCESS[run-wt0]}") && [[ $(state_of "$child") = S ]]
}

state_of() {
	sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$1/status"
}

test_a_revoked_rule_cuts_connections_at_once() {
	local family
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	serve_all "$LAN" 9090
	run_forwarder
	use_family 4
	transfer_server "$LAN" 192.168.77.2 9091
	for family in 4 6; do
		use_family $family
		session "cut$family" "$PEER" tcp $LAN_IP 9090
		session "kept$family" "$PEER" tcp $LAN_IP 8080
		talk "cut$family" ok
		talk "kept$family" ok
	done
	begin_transfer busy both 192.168.77.2 9091 10000000000 0
	wait_for connections_are 5
	forward_policy without "9090, 9091"
	expect 0 shrike policy apply wt0 "$T/without.yaml"
	# idle or busy, at once, and on both sides
	wait_for -t 1 connections_are 2
	is "revoked" 3 "$(forwarder revoked)"
	is "connections at the LAN" 2 "$(in_ns "$LAN" ss -Htn state established | wc -l)"
	for family in 4 6; do
		use_family $family
		talk "kept$family" ok
		talk "cut$family" reset
		probe timeout "$PEER" tcp $LAN_IP 9090
		probe ok "$PEER" tcp $LAN_IP 8080
	done
	await_end busy
	[ "$STATUS" != 0 ] || die "the transfer went on"
	is "forwarders" 1 "$(forwarder starts)"
	counters_agree wt0
}

# open_idle N: N TCP connections and N UDP exchanges of each family to port 8080, idle
open_idle() {
	local family i
	serve_all "$LAN" 8080
	for family in 4 6; do
		use_family $family
		for ((i = 0; i < $1; i++)); do
			session "tcp$family-$i" "$PEER" tcp $LAN_IP 8080
			session "udp$family-$i" "$PEER" udp $LAN_IP 8080
			talk "tcp$family-$i" ok
			talk "udp$family-$i" ok
			talk "udp$family-$i" ok # a stream, which lives longer than this takes
		done
	done
	wait_for flows_are $((2 * $1)) $((2 * $1))
}

# flows_are TCP UDP: those that the forwarder has
flows_are() {
	[ "$(forwarder tcp_connections) $(forwarder udp_flows)" = "$1 $2" ]
}

# idle_talk N: on those of open_idle N
idle_talk() {
	local i
	for ((i = 0; i < $1; i++)); do
		talk "tcp4-$i" ok
		talk "udp4-$i" ok
		talk "tcp6-$i" ok
		talk "udp6-$i" ok
	done
}

# received: packets that the device has seen come in
received() {
	ip -n "$ROUTER" -s -j link show dev wt0 | jq '.[0].stats64.rx.packets'
}

# seen: packets that the programs have seen come in
seen() {
	status_of wt0 .counters.ingress.seen.packets
}

# what_is_kept: of all connections and rules, what only packets change; a timer runs for hours
what_is_kept() {
	shrike conntrack list wt0 -j | jq -c 'sort_by(.protocol, .family, .sport)[] |
		[.protocol, .src, .sport, .state, .opener, .answerer.packets, .generation, .flags]'
	shrike policy show wt0 -j | jq -c '.route_acl[] | [.id, .hits]'
}

# earliest_end: seconds until the first UDP connection of the list expires
earliest_end() {
	shrike conntrack list wt0 -p udp -j | jq 'map(.timeout_s) | min'
}

# knows_generation N: `run` has followed, and told its forwarder before it said so
knows_generation() {
	[ "$(status_of wt0 .generation)" = "$1" ] && grep -q "generation $1 in force" "$T/run-wt0.out"
}

# The forwarder asks the new policy about each of its flows; a trace that begins or ends puts other
# programs of the same policy in place.
test_packets_that_nobody_sent_are_neither_counted_nor_traced() {
	local n=3 generation kept expires seen received
	forwarding_topology "$1"
	echo "timeouts: {udp: 1h}" >>"$T/forward.yaml"
	run_forwarder
	[ "$1" = veth ] && know_each_other
	open_idle $n
	kept=$(what_is_kept)
	expires=$(earliest_end)
	# in this order, as packets may come that somebody has sent
	received=$(received)
	seen=$(seen)
	live -j
	generation=$(status_of wt0 .generation)
	expect 0 shrike policy apply wt0 "$T/forward.yaml"
	wait_for knows_generation $((generation + 1))
	wait_for is_tracing # the new policy
	nothing_was_traced
	live -j
	nothing_was_traced
	is "what is kept" "$kept" "$(what_is_kept)"
	[ "$(earliest_end)" -le "$expires" ] || die "timers have begun anew"
	[ $(($(seen) - seen)) -le $(($(received) - received)) ] ||
		die "packets were counted that nobody has sent"
	is "revoked" 0 "$(forwarder revoked)"
	flows_are $((2 * n)) $((2 * n)) || die "connections have ended"
	idle_talk $n
	is "generations of connections afterwards" "[$((generation + 1))]" \
		"$(shrike conntrack list wt0 -j | jq -c 'map(.generation) | unique')"
	counters_agree wt0
}

# nothing_was_traced: of the connections, by the process live, which ends
nothing_was_traced() {
	stop live
	is "packets of connections in a trace" "" \
		"$(jq -c 'select(.packet.dport == 8080)' "$T/live.out")"
}

# The forwarder closes its sockets at once; what the tables keep lets nothing in, and goes when the
# peer is heard of again.
test_what_a_new_policy_denies_ends_with_the_peers_next_packet() {
	local family heard
	forwarding_topology "$1"
	run_forwarder
	open_idle 1
	heard=$(cat "$T"/lan-8080-*.log)
	policy nothing <<-EOF
		mode: {routing: userspace}
		route_acl: [{id: other, action: allow, source: [any], destination: [any], protocol: tcp,
		             destination_ports: [9090]}]
	EOF
	expect 0 shrike policy apply wt0 "$T/nothing.yaml"
	wait_for flows_are 0 0
	is "revoked" 4 "$(forwarder revoked)"
	for family in 4 6; do
		talk "tcp$family-0" reset
		talk "udp$family-0" timeout
	done
	is "what came to the LAN" "$heard" "$(cat "$T"/lan-8080-*.log)"
	is "connections that go on" "" "$(shrike conntrack list wt0 -j | jq -c '.[] |
		select(.state != "closed" and (.flags | index("revoked") | not))')"
	counters_agree wt0
}

# has_no_privileges PID
has_no_privileges() {
	is "user" "65534 65534 65534 65534" "$(awk '/^Uid/ { print $2, $3, $4, $5 }' "/proc/$1/status")"
	is "capabilities" "0000000000000000 0000000000000000" \
		"$(awk '/^Cap(Prm|Eff)/ { print $2 }' "/proc/$1/status" | paste -sd' ')"
	is "no new privileges" 1 "$(awk '/^NoNewPrivs/ { print $2 }' "/proc/$1/status")"
}

test_streams_arrive_whole_both_ways_and_half_closed() {
	local family bytes
	bytes=$(bytes 30000000)
	[ -n "${SOAK:-}" ] && bytes=1000000000
	forwarding_topology "$1"
	run_forwarder
	for family in 4 6; do
		use_family $family
		transfer_server "$LAN" $ANYWHERE 8080
		transfers both $LAN_IP 8080 $bytes $bytes
		transfers both $LAN_IP 8080 0 1000000
		transfers both $LAN_IP 8080 1000000 0
	done
	counters_agree wt0
}

test_many_connections_are_forwarded_at_once() {
	local count=1000
	[ -n "${SOAK:-}" ] && count=5000
	forwarding_topology "$1"
	run_forwarder
	use_family 4
	transfer_server "$LAN" $ANYWHERE 8080
	begin_transfer many many $LAN_IP 8080 $count
	wait_for -t 60 grep -q "open after" "$T/many.out"
	cat "$T/many.out"
	wait_for connections_are $count
	end_transfer many
	wait_for connections_are 0
	is "opened" $count "$(forwarder tcp_opened)"
}

# The server has sent what buffers take, and no more; the forwarder has none of its own.
test_a_slow_reader_slows_its_sender_down() {
	local bytes=200000000 before
	forwarding_topology "$1"
	run_forwarder
	use_family 4
	transfer_server "$LAN" $ANYWHERE 8080
	before=$(resident "$(forwarder pid)")
	begin_transfer stall stall $LAN_IP 8080 $bytes
	wait_for grep -q waiting "$T/stall.out"
	RESTING_AT=0 RESTED=0
	wait_for -t 30 bytes_down_rest
	[ "$(forwarder bytes_down)" -lt $((bytes / 4)) ] || die "the sender was not slowed down"
	[ "$(resident "$(forwarder pid)")" -lt $((before + 4096)) ] ||
		die "the forwarder grew from $before kB to $(resident "$(forwarder pid)") kB"
	end_transfer stall
}

# bytes_down_rest: something has come down, and no more came while status was read five times
bytes_down_rest() {
	local now
	now=$(forwarder bytes_down)
	if [ "$now" -gt 0 ] && [ "$now" = "$RESTING_AT" ]; then
		RESTED=$((RESTED + 1))
	else
		RESTING_AT=$now RESTED=0
	fi
	[ $RESTED -ge 5 ]
}

test_errors_of_the_network_reach_the_peer() {
	local family
	forwarding_topology "$1"
	ip -n "$ROUTER" route add unreachable 10.1.0.0/16
	ip -n "$ROUTER" -6 route add unreachable fd01::/16
	run_forwarder
	probe unreachable "$PEER" tcp 10.1.2.3 80
	probe unreachable "$PEER" tcp fd01::1 80
	probe unreachable "$PEER" tcp 10.1.2.3 80 # from memory
	pings lost "$PEER" 10.1.2.3
	matches "the answer" "From 100.64.0.1.*(Destination|Net|Host).*Unreachable" "$OUT"
	pings lost "$PEER" fd01::1
	matches "the answer" "From fd64::1.*Destination unreachable" "$OUT"
	[ "$(forwarder tcp_unreachable)" -ge 2 ] || die "unreachable was not counted"
	for family in 4 6; do
		use_family $family
		pings lost "$PEER" $LAN_IP -t 1
		matches "the answer to TTL 1" "From $ROUTER_IP.*(Time to live|Hop limit)" "$OUT"
		pings ok "$PEER" $LAN_IP -t 2
	done
	probe unreachable "$PEER" tcp 192.168.77.99 80 # nobody answers ARP
}

test_traceroute_shows_the_path() {
	local family how
	command -v traceroute >/dev/null || skip "there is no traceroute"
	forwarding_topology "$1"
	run_forwarder
	for family in 4 6; do
		use_family $family
		for how in "" -I; do
			# shellcheck disable=SC2086
			expect 0 in_ns "$PEER" traceroute $how -$family -n -q 1 -w 2 -m 4 $LAN_IP
			is "hops" "$ROUTER_IP $LAN_IP" \
				"$(awk 'NR > 1 { print $2 }' <<<"$OUT" | paste -sd' ')"
		done
	done
}

test_curl_and_dns_work_through_the_forwarder() {
	local family
	command -v curl >/dev/null || skip "there is no curl"
	forwarding_topology "$1"
	run_forwarder
	head -c 3000000 /dev/urandom >"$T/file"
	web_server web4 AF_INET 192.168.77.2
	web_server web6 AF_INET6 fd77::2
	start dns "$LAN" python3 "$SELFTESTS/tools/dns.py" 192.168.77.2 fd77::2
	wait_for grep -q ready "$T/dns.out"
	for family in 4 6; do
		use_family $family
		wait_for grep -q ready "$T/web$family.out"
		expect 0 in_ns "$PEER" curl -sS -m 20 -g -o "$T/got" \
			"http://$([ $family = 6 ] && echo "[$LAN_IP]" || echo $LAN_IP):8000/file"
		cmp "$T/file" "$T/got" || die "the file is not what was sent"
		expect 0 in_ns "$PEER" python3 "$SELFTESTS/tools/dns.py" ask $LAN_IP 300
		is "answers" "300 right" "$OUT"
	done
}

# web_server NAME FAMILY ADDR: the files of $T at port 8000.  (python3 -m http.server would look
# its own name up first, which takes long without a resolver.)
web_server() {
	start "$1" "$LAN" python3 -c "
import functools, http.server, socket, socketserver
socketserver.TCPServer.address_family = socket.$2
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory='$T')
server = socketserver.TCPServer(('$3', 8000), handler)
print('ready', flush=True)
server.serve_forever()"
}

test_what_leads_back_into_the_interface_is_refused() {
	forwarding_topology "$1"
	serve_all "$PEER" 8080
	ip -n "$ROUTER" route add 10.2.0.0/16 via 100.64.0.3
	ip -n "$ROUTER" -6 route add fd02::/16 via fd64::3
	run_forwarder
	probe unreachable "$PEER" tcp 10.2.0.1 8080
	probe unreachable "$PEER" tcp fd02::1 8080
	probe timeout "$PEER" udp 10.2.0.1 8080 # UDP hears, but does not say
	pings lost "$PEER" 10.2.0.1
	[ "$(forwarder refused_route)" -ge 4 ] || die "refused_route was not counted"
	# the overlay itself is denied before anybody dials
	ip -n "$PEER" route add 100.64.0.77/32 via 100.64.0.1
	probe timeout "$PEER" tcp 100.64.0.77 8080
	[ "$(dropped wt0 overlay_blocked)" -ge 1 ] || die "overlay_blocked was not counted"
}

# A datagram socket is asked its way for each datagram, and one that goes into the overlay is this
# host's: it would open the overlay's other hosts to the peer.
test_what_comes_to_lead_back_is_refused_from_then_on() {
	local family to via
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	run_forwarder
	for family in 4 6; do
		use_family $family
		to=10.2.0.1/32 via=100.64.0.3
		[ $family = 4 ] || to=fd02::1/128 via=fd64::3
		give "$LAN" lo $to
		wait_for device_is_ready "$LAN" lo
		ip -n "$ROUTER" route add $to via $LAN_IP
		session held$family "$PEER" udp ${to%/*} 8080
		talk held$family ok
		pings ok "$PEER" ${to%/*}
		ip -n "$ROUTER" route replace $to via $via
		talk held$family timeout
		pings lost "$PEER" ${to%/*}
		is "flows of this host" "" "$(shrike conntrack list wt0 | grep "src=$ROUTER_IP ")"
		ip -n "$ROUTER" route replace $to via $LAN_IP
		talk held$family ok
	done
	[ "$(forwarder refused_route)" -ge 4 ] || die "refused_route was not counted"
	counters_agree wt0
}

# The LAN keeps silent, so that the SYN is sent again, into the overlay, where somebody answers.
test_a_dial_that_comes_to_lead_back_is_refused() {
	forwarding_topology "$1"
	serve_all "$PEER" 8080
	ip -n "$ROUTER" route add 10.2.0.1 via 192.168.77.2
	ip -n "$PEER" address add 10.2.0.1/32 dev lo
	run_forwarder
	expect 0 in_ns "$PEER" python3 "$SELFTESTS/tools/wire.py" dial p0 100.64.0.7 10.2.0.1 8080
	wait_for dials_are 1
	ip -n "$ROUTER" route replace 10.2.0.1 via 100.64.0.3
	wait_for dials_are 0
	is "accepted, unreachable" "0 1" "$(forwarder tcp_opened) $(forwarder tcp_unreachable)"
	counters_agree wt0
}

dials_are() {
	[ "$(forwarder tcp_dials)" = "$1" ]
}

test_local_forwarding_reaches_local_prefixes() {
	topology "$1"
	ip -n "$ROUTER" route add local 10.5.0.0/16 dev lo
	ip -n "$ROUTER" route add local fd05::/64 dev lo
	serve any4 "$ROUTER" tcp 0.0.0.0 8080
	serve any6 "$ROUTER" tcp :: 8080
	policy forward <<-EOF2
		mode: {netstack: true, local_forwarding: true}
		peer_acl: [{id: all, action: allow, source: [any], protocol: all}]
	EOF2
	run_forwarder
	probe ok "$PEER" tcp 192.168.77.1 8080
	probe ok "$PEER" tcp 10.5.1.2 8080
	probe ok "$PEER" tcp fd05::7 8080
	pings ok "$PEER" 10.5.1.2 -t 1 # it has arrived
}

test_local_forwarding_dials_localhost() {
	topology "$1"
	serve local4 "$ROUTER" tcp 127.0.0.1 8080
	serve local6 "$ROUTER" tcp ::1 8080
	serve local4u "$ROUTER" udp 127.0.0.1 8080
	policy forward <<-EOF2
		mode: {netstack: true, local_forwarding: true}
		peer_acl: [{id: all, action: allow, source: [any], protocol: all}]
	EOF2
	run_forwarder
	probe ok "$PEER" tcp 100.64.0.1 8080 -n 1000000
	probe ok "$PEER" tcp fd64::1 8080
	probe ok "$PEER" udp 100.64.0.1 8080
	probe refused "$PEER" tcp 100.64.0.1 8081
	pings ok "$PEER" 100.64.0.1
	pings ok "$PEER" fd64::1
	pings ok "$PEER" 100.64.0.1 -t 1 # it has arrived
	pings ok "$PEER" fd64::1 -t 1
	is "at the server" "from=127.0.0.1" "$(grep -o 'from=[0-9.]*' "$T/local4u.log" | tail -n 1)"
	# without local forwarding it goes up, and nobody listens there
	policy up <<-EOF2
		mode: {netstack: true}
		peer_acl: [{id: all, action: allow, source: [any], protocol: all}]
	EOF2
	expect 0 shrike policy apply wt0 "$T/up.yaml"
	probe refused "$PEER" tcp 100.64.0.1 8080
}
