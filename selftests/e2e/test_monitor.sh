# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The flow log: what `monitor` and `conntrack watch` report of connections and drops.

tests "veth tun" \
	monitor_tells_of_starts_ends_and_drops \
	ends_are_told_after_a_timeout_and_after_a_revocation \
	a_connection_that_is_reset_ends_once

tests tun \
	several_listen_at_once_each_with_its_filter \
	ends_without_a_word_of_the_kernel_are_told \
	names_follow_a_change_of_the_policy \
	a_listener_that_was_held_up_says_so \
	a_killed_listener_leaves_nothing \
	a_listener_ends_with_its_reader

flow_policy() {
	policy flows <<-EOF
		timeouts: {udp: ${1:-30s}}
		peer_acl:
		  - {id: web, action: allow, source: [any], protocol: tcp, destination_ports: [8001]}
		  - {id: dns, action: allow, source: [any], protocol: udp, destination_ports: [8001]}
		  - {id: ping, action: allow, source: [any], protocol: icmp}
		  - {id: never, action: deny, source: [any], protocol: tcp, destination_ports: [8003]}
	EOF
}

# rings: how many listeners the dataplane feeds
rings() {
	bpftool -j map dump pinned "$(pins)/wt0/flow_rings_v2" |
		jq '[.[] | select(.value | type == "array")] | length'
}

rings_are() {
	[ "$(rings)" = "$1" ]
}

# listen NAME COMMAND...: a listener in the background, once it listens
listen() {
	local name=$1 before
	before=$(rings)
	shift
	start "$name" "$ROUTER" "$SHRIKE" "$@"
	wait_for rings_are $((before + 1))
}

# count_events NAME JQ-CONDITION: how many of its events fulfil it
count_events() {
	jq -s "[.[] | select($2)] | length" "$T/$1.out"
}

has_heard() {
	[ "$(count_events "$2" "$3")" = "$1" ]
}

test_monitor_tells_of_starts_ends_and_drops() {
	local family
	topology "$1"
	serve_all "$ROUTER" 8001
	serve_all "$PEER" 9001
	flow_policy
	run_shrike wt0 flows
	listen monitor monitor wt0 -j
	for family in 4 6; do
		use_family $family
		probe ok "$PEER" tcp $ROUTER_IP 8001
		probe ok "$PEER" udp $ROUTER_IP 8001
		probe ok "$ROUTER" tcp $PEER_IP 9001
		probe timeout "$PEER" tcp $ROUTER_IP 8003
		probe timeout "$PEER" udp $ROUTER_IP 8002
		pings ok "$PEER" $ROUTER_IP
		wait_for has_heard 1 monitor ".type == \"start\" and .protocol == \"tcp\" and
			.direction == \"ingress\" and .src == \"$PEER_IP\" and
			.dst == \"$ROUTER_IP\" and .dport == 8001 and .rule == \"web\""
		wait_for has_heard 1 monitor ".type == \"start\" and .protocol == \"udp\" and
			.src == \"$PEER_IP\" and .rule == \"dns\""
		wait_for has_heard 1 monitor ".type == \"start\" and .direction == \"egress\" and
			.src == \"$ROUTER_IP\" and .dst == \"$PEER_IP\" and .dport == 9001 and
			.rule == null"
		wait_for has_heard 1 monitor ".type == \"start\" and .protocol == \"icmp\" and
			.src == \"$PEER_IP\" and .icmp_id and .rule == \"ping\""
		for direction in ingress egress; do
			wait_for has_heard 1 monitor ".type == \"end\" and .protocol == \"tcp\" and
				.direction == \"$direction\" and
				([.src, .dst] | index(\"$PEER_IP\")) and
				(.cause == \"closed\" or .cause == \"reset\") and
				.opener.packets > 1 and .answerer.packets > 1 and
				.opener.bytes > 100 and .answerer.bytes > 100"
		done
		wait_for has_heard 1 monitor ".type == \"drop\" and .protocol == \"udp\" and
			.src == \"$PEER_IP\" and .dport == 8002 and
			.reason == \"peer_acl_default\" and .rule == null"
		[ "$(count_events monitor ".type == \"drop\" and .dport == 8003 and
			.src == \"$PEER_IP\" and .reason == \"peer_acl_denied\" and
			.rule == \"never\"")" -ge 1 ] || die "the denied packet was not reported"
	done
	# a connection has one id, and no other has it
	is "ids that start and end share" 4 "$(jq -s 'map(select(.protocol == "tcp" and
		.type != "drop")) | group_by(.flow) | map(select(length == 2 and
		([.[].type] | sort) == ["end", "start"])) | length' "$T/monitor.out")"
	stop monitor
	is "exit status" 0 $STATUS
	is "losses" "" "$(cat "$T/monitor.err")"
	rings_are 0 || die "the listener left its ring"
	counters_agree wt0
}

test_ends_are_told_after_a_timeout_and_after_a_revocation() {
	topology "$1"
	serve_all "$ROUTER" 8001
	flow_policy 1s
	run_shrike wt0 flows
	listen monitor monitor wt0 -j
	probe ok "$PEER" udp 100.64.0.1 8001
	wait_for -t 30 has_heard 1 monitor '.type == "end" and .protocol == "udp" and
		.cause == "timeout" and .rule == "dns" and .opener.packets == 1 and .answerer.packets == 1'
	session in "$PEER" tcp fd64::1 8001
	talk in ok
	policy none </dev/null
	expect 0 shrike policy apply wt0 "$T/none.yaml"
	talk in timeout
	wait_for has_heard 1 monitor '.type == "end" and .protocol == "tcp" and
		.src == "fd64::2" and .cause == "revoked"'
	# the listener has followed the change of policy
	wait_for has_heard 1 monitor '.type == "start" and .protocol == "tcp" and .rule == "web"'
	[ "$(count_events monitor '.type == "drop"')" -ge 1 ] || die "drops of the new policy are not reported"
	stop run-wt0
	await_end monitor
	is "exit status without an interface to watch" 1 $STATUS
	is_one_error_line "$(cat "$T/monitor.err")"
}

# A connection that is over stays known for 10 s, after which the sweep removes it.
test_a_connection_that_is_reset_ends_once() {
	topology "$1"
	serve_all "$ROUTER" 8001
	flow_policy 13s
	run_shrike wt0 flows
	listen monitor monitor wt0 -j
	expect 0 in_ns "$PEER" python3 -c 'import socket, struct
with socket.create_connection(("100.64.0.1", 8001)) as one:
    one.sendall(b"?")
    one.recv(1)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))'
	wait_for has_heard 1 monitor '.type == "end" and .protocol == "tcp" and .cause == "reset"'
	# it is swept later
	probe ok "$PEER" udp 100.64.0.1 8001
	wait_for -t 60 has_heard 1 monitor '.type == "end" and .protocol == "udp"'
	is "ends of the connection" 1 "$(count_events monitor '.type == "end" and .protocol == "tcp"')"
	stop monitor
}

test_several_listen_at_once_each_with_its_filter() {
	local name
	topology "$1"
	serve_all "$ROUTER" 8001
	flow_policy
	run_shrike wt0 flows
	listen all monitor wt0 -j
	listen watch conntrack watch wt0 -j
	listen udp conntrack watch wt0 -p udp -j
	listen two monitor wt0 --rule web -c 2
	expect 1 shrike monitor wt0
	is_one_error_line "$ERR" "shrike: wt0: .*listen.*"
	probe timeout "$PEER" udp 100.64.0.1 8002
	probe ok "$PEER" udp 100.64.0.1 8001
	probe ok "$PEER" tcp 100.64.0.1 8001
	await_end two
	is "exit status after the count" 0 $STATUS
	matches "its first line" "^[0-9T:.Z-]+ start ingress tcp  100\.64\.0\.2:[0-9]+ -> \
100\.64\.0\.1:8001 rule=web$" "$(head -n 1 "$T/two.out")"
	matches "its last line" "^[0-9T:.Z-]+ end   ingress tcp  .* rx=[0-9]+/[0-9]+ \
tx=[0-9]+/[0-9]+ cause=[a-z]+ rule=web$" "$(tail -n 1 "$T/two.out")"
	is "its lines" 2 "$(wc -l <"$T/two.out")"
	for name in all watch; do
		wait_for has_heard 1 $name '.type == "end" and .rule == "web"'
		wait_for has_heard 1 $name '.type == "start" and .rule == "dns"'
	done
	wait_for has_heard 1 udp '.type == "start" and .rule == "dns"'
	is "drops that monitor printed" 1 "$(count_events all '.type == "drop"')"
	is "drops that watch printed" 0 "$(count_events watch '.type == "drop"')"
	is "what the filter let through" 1 "$(count_events udp true)"
}

# ask_from PORTS: a datagram to a port where nobody answers, from each of so many ports
ask_from() {
	in_ns "$PEER" python3 -c 'import socket, sys
for port in range(20000, 20000 + int(sys.argv[1])):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("100.64.0.2", port))
        one.sendto(b"?", ("100.64.0.1", 8001))' "$1"
}

# enough_have_come: more than there are places, though the way drops some where the machine is busy
enough_have_come() {
	ask_from 6000
	[ "$(count_events watch '.type == "start"')" -gt 5000 ]
}

# ends_make_up_for_what_is_gone: who started and is not tracked any more has ended
ends_make_up_for_what_is_gone() {
	local started evicted # neither can be counted while a line is half written
	started=$(count_events watch '.type == "start"') && evicted=$(count_events watch '.cause == "evicted"') &&
		[ $((started - evicted)) = "$(shrike conntrack count wt0 -p udp)" ]
}

# The table of openings has 4,096 places at least, and the kernel displaces some from it unasked.
test_ends_without_a_word_of_the_kernel_are_told() {
	topology "$1"
	flow_policy 1h
	run_shrike wt0 flows
	listen watch conntrack watch wt0 -p udp -j
	wait_for enough_have_come
	wait_for -t 30 ends_make_up_for_what_is_gone
	[ "$(count_events watch '.cause == "evicted" and .rule == "dns" and .opener.packets == 1 and
		.src == "100.64.0.2" and .dport == 8001')" -gt 900 ] || die "too few have ended"
	is "ends of another cause" 0 "$(count_events watch '.type == "end" and .cause != "evicted"')"
	is "connections with two ends" 0 "$(jq -s 'map(select(.type == "end")) | group_by(.flow) |
		map(select(length > 1)) | length' "$T/watch.out")"
	expect 0 shrike conntrack flush wt0
	wait_for -t 30 ends_make_up_for_what_is_gone
	is "losses" "" "$(cat "$T/watch.err")"
}

# gate_is_shut: no events are made, as no listener has asked for any of late
gate_is_shut() {
	local until
	until=$(bpftool -j map dump pinned "$(pins)/wt0/flow_gate_v2" |
		jq '.[0].formatted.value.until_ns')
	[ "$until" -lt "$(python3 -c 'import time; print(time.monotonic_ns())')" ]
}

# named NAME: a policy that gives the peer this name
named() {
	policy "$1" <<-EOF
		names: {$1: [100.64.0.2, "fd64::2"]}
		peer_acl: [{id: dns, action: allow, source: [$1], protocol: udp}]
	EOF
}

# is_called NAME: a new connection of the peer is reported so
is_called() {
	probe ok "$PEER" udp 100.64.0.1 8001
	[ "$(count_events names ".src_name == \"$1\"")" -gt 0 ]
}

test_names_follow_a_change_of_the_policy() {
	topology "$1"
	serve_all "$ROUTER" 8001
	named anna
	named berta
	run_shrike wt0 anna
	listen names monitor wt0 --src anna -j
	wait_for is_called anna
	# the filter keeps to the addresses that it began with
	expect 0 shrike policy apply wt0 "$T/berta.yaml"
	wait_for is_called berta
	is "events of others" 0 "$(count_events names '.src != "100.64.0.2"')"
	stop names
}

test_a_listener_that_was_held_up_says_so() {
	topology "$1"
	serve_all "$ROUTER" 8001
	flow_policy
	run_shrike wt0 flows
	listen monitor monitor wt0 -j
	kill -STOP "${PROCESS[monitor]}"
	wait_for gate_is_shut
	probe ok "$PEER" udp 100.64.0.1 8001
	kill -CONT "${PROCESS[monitor]}"
	wait_for grep -qE '^shrike: the events of [0-9]+\.[0-9] s lost: .+' "$T/monitor.err"
	probe ok "$PEER" tcp 100.64.0.1 8001
	wait_for has_heard 1 monitor '.type == "start" and .rule == "web"'
	is "what was missed" 0 "$(count_events monitor '.rule == "dns"')"
	stop monitor
	is "lines about it" 1 "$(wc -l <"$T/monitor.err")"
}

test_a_killed_listener_leaves_nothing() {
	topology "$1"
	serve_all "$ROUTER" 8001
	flow_policy
	run_shrike wt0 flows
	listen monitor monitor wt0 -j
	is "rings" 1 "$(rings)"
	stop monitor KILL
	wait_for rings_are 0
	listen again monitor wt0 -j
	probe ok "$PEER" udp 100.64.0.1 8001
	wait_for has_heard 1 again '.type == "start" and .rule == "dns"'
}

test_a_listener_ends_with_its_reader() {
	topology "$1"
	flow_policy
	run_shrike wt0 flows
	mkfifo "$T/pipe"
	start monitor "$ROUTER" sh -c 'exec "$0" monitor wt0 >"$1"' "$SHRIKE" "$T/pipe"
	exec {reader}<"$T/pipe"
	wait_for rings_are 1
	# no event comes that it could fail to write
	exec {reader}<&-
	await_end monitor
	is "exit status" 0 $STATUS
	rings_are 0 || die "the listener left its ring"
}
