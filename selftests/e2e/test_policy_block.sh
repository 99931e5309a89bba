# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Peers that are cut off whatever the policy says; the parameter is the device, who stays with it, or
# who forwards.

. "$SELFTESTS/lib/forward.sh"

tests "veth tun" \
	a_peer_that_is_blocked_is_cut_off_at_once_in_both_directions

tests "native nat userspace" \
	what_is_forwarded_for_a_peer_is_cut_at_once_whoever_opened_it

tests "run attach" \
	a_block_ends_by_itself_with_run_and_without

tests "veth" \
	a_block_survives_whatever_happens_to_the_policy \
	who_is_blocked_is_shown_everywhere \
	what_cannot_be_blocked_is_refused \
	what_is_not_understood_does_not_go_to_a_blocked_peer \
	a_block_does_not_wait_for_a_policy_to_be_confirmed

protect() {
	topology "$1"
	policy all <<-EOF
		mode: {routing: disabled}
		peer_acl: [{id: all, action: allow, source: [any], protocol: all}]
		sets: {friends: []}
		names: {laptop: [100.64.0.2, "fd64::2"], other: [100.64.0.3]}
	EOF
}

# blocked: who is
blocked() {
	shrike policy show wt0 -j | jq -r '[.blocked[].prefix] | join(" ")'
}

test_a_peer_that_is_blocked_is_cut_off_at_once_in_both_directions() {
	local family
	protect "$1"
	serve_all "$ROUTER" 8001
	serve_all "$PEER" 8002
	run_shrike wt0 all
	for family in 4 6; do
		use_family $family
		session in-tcp$family "$PEER" tcp $ROUTER_IP 8001
		session in-udp$family "$PEER" udp $ROUTER_IP 8001
		session out-tcp$family "$ROUTER" tcp $PEER_IP 8002
		session out-udp$family "$ROUTER" udp $PEER_IP 8002
		talk in-udp$family ok
		talk out-udp$family ok
		expect 0 shrike policy block wt0 $PEER_IP
		is "said" "wt0: $PEER_IP is blocked, 4 connections cut" "$OUT"
		talk in-tcp$family timeout
		talk in-udp$family timeout
		talk out-tcp$family timeout
		talk out-udp$family timeout
		probe timeout "$ROUTER" tcp $PEER_IP 8002
		probe timeout "$PEER" udp $ROUTER_IP 8001
		is "connections" 0 "$(shrike conntrack count wt0 --src $PEER_IP)"
		is "connections" 0 "$(shrike conntrack count wt0 --dst $PEER_IP)"
		probe ok "$PEER" udp $ROUTER_IP 8001 -s $PEER_OTHER_IP
		expect 0 shrike policy unblock wt0 $PEER_IP
		probe ok "$ROUTER" tcp $PEER_IP 8002
		probe ok "$PEER" udp $ROUTER_IP 8001
	done
	is "dropped both ways" "true true" "$(shrike status wt0 -j | jq -r \
		'.[0].counters | [.ingress, .egress | .drop_reasons.blocked.packets > 0] | join(" ")')"
	counters_agree wt0
}

test_what_is_forwarded_for_a_peer_is_cut_at_once_whoever_opened_it() {
	local family
	ROUTING=$1
	topology veth
	kernel_forwards "$([ "$1" = native ] && echo 1 || echo 0)"
	forward_policy forward
	serve_all "$LAN" 8080
	serve_all "$PEER" 8002
	run_shrike wt0 forward
	[ "$1" = native ] || wait_for forwarder_runs
	is "routing" "$1" "$(routing wt0)"
	for family in 4 6; do
		use_family $family
		open_both_ways "$1"
		expect 0 shrike policy block wt0 $PEER_IP
		# a forwarder ends what it has at the LAN; elsewhere the hosts there do not hear of it
		[ "$1" != userspace ] || wait_for lan_has_no_connection
		all_sessions timeout
		probe timeout "$PEER" udp $LAN_IP 8080
		is "connections" 0 "$(shrike conntrack count wt0 --src $PEER_IP)"
		is "connections" 0 "$(shrike conntrack count wt0 --dst $PEER_IP)"
		[ "$1" != nat ] || wait_for nothing_is_translated
		probe ok "$PEER" udp $LAN_IP 8080 -s $PEER_OTHER_IP
		expect 0 shrike policy unblock wt0 $PEER_IP
		probe ok "$PEER" udp $LAN_IP 8080
		probe ok "$PEER" tcp $LAN_IP 8080
	done
	counters_agree wt0
}

# open_both_ways ROUTING: what the peer opens to the LAN and what is opened to it; names go to SESSIONS
open_both_ways() {
	local protocol
	SESSIONS=()
	for protocol in tcp udp; do
		session in-$protocol$FAMILY "$PEER" $protocol $LAN_IP 8080 -s $PEER_IP
		session own-$protocol$FAMILY "$ROUTER" $protocol $PEER_IP 8002
		SESSIONS+=(in-$protocol$FAMILY own-$protocol$FAMILY)
		[ "$1" = native ] || continue
		session lan-$protocol$FAMILY "$LAN" $protocol $PEER_IP 8002
		SESSIONS+=(lan-$protocol$FAMILY)
	done
	all_sessions ok
}

# all_sessions OUTCOME: of each
all_sessions() {
	local name
	for name in "${SESSIONS[@]}"; do
		talk "$name" "$1"
	done
}

lan_has_no_connection() {
	[ -z "$(in_ns "$LAN" ss -Htn state established)" ]
}

nothing_is_translated() {
	[ "$(status_of wt0 ".nat.answers.snat_in${FAMILY}_v1.entries")" = 0 ]
}

test_a_block_survives_whatever_happens_to_the_policy() {
	protect "$1"
	policy next <<<"peer_acl: [{id: next, action: allow, source: [any], protocol: all}]"
	serve_all "$ROUTER" 8001
	run_shrike wt0 all
	expect 0 shrike policy block wt0 100.64.0.2
	expect 0 shrike policy block wt0 10.0.0.0/8 --for 1h
	expect 0 shrike policy set wt0 friends add 100.64.0.2
	is "after set" "100.64.0.2 10.0.0.0/8" "$(blocked)"
	expect 0 shrike policy apply wt0 "$T/next.yaml"
	is "after apply" "100.64.0.2 10.0.0.0/8" "$(blocked)"
	kill -HUP "${PROCESS[run-wt0]}"
	wait_for rule_is_in_force wt0 all
	is "after reload" "100.64.0.2 10.0.0.0/8" "$(blocked)"
	kill -KILL "${PROCESS[run-wt0]}"
	await_end run-wt0
	run_shrike wt0 next
	wait_for rule_is_in_force wt0 next
	is "after run" "100.64.0.2 10.0.0.0/8" "$(blocked)"
	remove_overlay veth 0
	wait_for grep -q "is gone" "$T/run-wt0.err"
	add_overlay veth 0 "$PEER" 1420
	wait_for is_protected wt0
	is "after another device" "100.64.0.2 10.0.0.0/8" "$(blocked)"
	expect 0 shrike policy rollback wt0 1
	is "after rollback" "100.64.0.2 10.0.0.0/8" "$(blocked)"
	probe timeout "$PEER" udp 100.64.0.1 8001
	expect 0 shrike policy unblock wt0 100.64.0.2
	is "after unblock" "10.0.0.0/8" "$(blocked)"
	probe ok "$PEER" udp 100.64.0.1 8001
}

test_a_block_ends_by_itself_with_run_and_without() {
	protect veth
	serve_all "$ROUTER" 8001
	if [ "$1" = run ]; then
		run_shrike wt0 all
	else
		expect 0 shrike attach wt0 -c "$T/all.yaml"
	fi
	# the time begins with the command, which takes some of it
	expect 0 shrike policy block wt0 laptop --for $((20 * ${SLOWNESS:-1}))s
	probe timeout "$PEER" udp 100.64.0.1 8001
	wait_for -t $((30 * ${SLOWNESS:-1})) is_free
	probe ok "$PEER" udp 100.64.0.1 8001
}

is_free() {
	[ -z "$(blocked)" ]
}

test_who_is_blocked_is_shown_everywhere() {
	protect "$1"
	run_shrike wt0 all
	expect 0 shrike policy block wt0 laptop --for 10m -j
	is "JSON" '2 wt0 laptop 100.64.0.2 fd64::2 true 0' "$(jq -r '[.schema, .interface, .peer,
		.prefixes[], .blocked, .cut] | map(tostring) | join(" ")' <<<"$OUT")"
	expect 0 shrike policy block wt0 10.0.0.0/8
	expect 0 shrike policy show wt0
	grep -Eq '^blocked: 100\.64\.0\.2 \(laptop\), (10m0|9m[0-9]+)s left$' <<<"$OUT" || die "$OUT"
	grep -q '^blocked: 10\.0\.0\.0/8$' <<<"$OUT" || die "$OUT"
	expect 0 shrike policy show wt0 --numeric
	grep -q '^blocked: 100\.64\.0\.2, ' <<<"$OUT" || die "$OUT"
	expect 0 shrike status wt0
	grep -q '^  blocked: fd64::2 (laptop), ' <<<"$OUT" || die "$OUT"
	is "status" "laptop laptop -" \
		"$(shrike status wt0 -j | jq -r '[.[0].blocked[] | .name // "-"] | join(" ")')"
	expect 0 shrike trace in laptop self -p tcp --dport 22
	grep -q "^Peer ACL: Blocked by 'shrike policy block'" <<<"$OUT" || die "$OUT"
	grep -q "^Final disposition: DENIED" <<<"$OUT" || die "$OUT"
	is "trace in" "drop blocked" "$(shrike trace in 100.64.0.2 self -p udp --dport 22 -j |
		jq -r '"\(.verdict) \(.reason)"')"
	is "trace out" "drop blocked" "$(shrike trace out self 100.64.0.2 -p udp --dport 22 -j |
		jq -r '"\(.verdict) \(.reason)"')"
	is "trace in of another" "pass" \
		"$(shrike trace in 100.64.0.3 self -p udp --dport 22 -j | jq -r .verdict)"
	expect 0 shrike policy unblock wt0 laptop -j
	is "JSON" "false null" "$(jq -r '"\(.blocked) \(.until)"' <<<"$OUT")"
	is "history" "start|policy block laptop --for 10m0s|policy block 10.0.0.0/8|policy unblock laptop" \
		"$(shrike policy history wt0 -j | jq -r '[.policies[].cause] | join("|")')"
	is "cause" "policy unblock" "$(shrike status wt0 -j | jq -r '.[0].change.cause')"
}

test_what_cannot_be_blocked_is_refused() {
	local before
	protect "$1"
	run_shrike wt0 all
	before=$(shrike policy show wt0 -j)
	expect 2 shrike policy block
	is_one_error_line "$ERR" "a peer is needed"
	expect 2 shrike policy block wt0
	is_one_error_line "$ERR" "^shrike: wt0: neither an address or prefix nor a name"
	expect 2 shrike policy block wt0 any
	is_one_error_line "$ERR" "cannot block everybody"
	expect 2 shrike policy block wt0 ::/0
	is_one_error_line "$ERR" "cannot block everybody"
	expect 2 shrike policy block wt0 100.64.0.1
	is_one_error_line "$ERR" "^shrike: 100.64.0.1: is this host itself$"
	expect 2 shrike policy block wt0 192.168.77.1
	is_one_error_line "$ERR" "is this host itself$"
	expect 2 shrike policy block wt0 nobody
	is_one_error_line "$ERR" "neither an address or prefix nor a name"
	expect 2 shrike policy block wt0 100.64.0.2/16
	is_one_error_line "$ERR" "host bits"
	expect 2 shrike policy block wt0 laptop --for 0s
	is_one_error_line "$ERR" "--for: .*less than a second"
	expect 2 shrike policy block wt0 laptop --for 400d
	is_one_error_line "$ERR" "--for: "
	expect 1 shrike policy unblock wt0 laptop
	is_one_error_line "$ERR" "^shrike: laptop: is not blocked$"
	is "policy" "$before" "$(shrike policy show wt0 -j)"
	expect 0 shrike policy block wt0 100.64.0.0/24
	expect 1 shrike policy unblock wt0 100.64.0.2
	is_one_error_line "$ERR" "is not blocked itself, but with 100.64.0.0/24$"
	stop run-wt0
	expect 1 shrike policy block wt0 100.64.0.2
	is_one_error_line "$ERR" "^shrike: wt0: shrike is not attached"
}

# send_with_options ADDRESS: UDP behind destination options, which the programs do not walk over
send_with_options() {
	in_ns "$ROUTER" python3 - "$1" <<-EOF
		import socket, sys
		s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
		s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_DSTOPTS, bytes([0, 0, 1, 4, 0, 0, 0, 0]))
		s.sendto(b"x", (sys.argv[1], 9))
	EOF
}

# sent REASONS: packets to peers, by one of pass_reasons or drop_reasons
sent() {
	status_of wt0 ".counters.egress.$1.packets // 0"
}

test_what_is_not_understood_does_not_go_to_a_blocked_peer() {
	protect "$1"
	run_shrike wt0 all
	send_with_options fd64::2
	is "not understood" 1 "$(sent pass_reasons.outbound_unparsed)"
	expect 0 shrike policy block wt0 fd64::2
	send_with_options fd64::2
	is "not understood" 1 "$(sent pass_reasons.outbound_unparsed)"
	[ "$(sent drop_reasons.blocked)" -ge 1 ] || die "the packet has not been dropped"
	counters_agree wt0
}

test_a_block_does_not_wait_for_a_policy_to_be_confirmed() {
	protect "$1"
	policy next <<<"peer_acl: [{id: next, action: allow, source: [any], protocol: all}]"
	run_shrike wt0 all
	start apply "$ROUTER" "$SHRIKE" policy apply wt0 "$T/next.yaml" --confirm 60
	wait_for rule_is_in_force wt0 next
	wait_for grep -q "to keep it" "$T/apply.out"
	expect 0 shrike policy block wt0 100.64.0.2
	rule_is_in_force wt0 next || die "the policy has gone"
	expect 0 shrike policy confirm wt0
	await_end apply
	is "exit status of apply" 0 $STATUS
	is "blocked" "100.64.0.2" "$(blocked)"
}
