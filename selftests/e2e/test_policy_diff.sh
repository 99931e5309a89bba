# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What `policy diff` foretells, and what then happens.

. "$SELFTESTS/lib/forward.sh"

tests "veth tun" \
	the_connections_that_diff_names_are_those_that_apply_cuts

tests "tun" \
	diff_follows_translation_both_ways

tests "veth" \
	diff_names_connections_that_a_policy_would_open_again \
	diff_sees_a_change_of_mode \
	diff_knows_whether_a_forwarder_comes \
	diff_cuts_by_a_timeout_only_what_needs_its_entry \
	diff_names_connections_for_which_there_is_no_room \
	diff_leaves_out_martians \
	diff_names_rules_sets_and_settings_that_differ \
	diff_changes_nothing

# Sessions of the peer to ports 8001 and 8002 of this host, and one of this host to the peer.
open_sessions() {
	local port family
	for port in 8001 8002; do
		serve_all "$ROUTER" $port
	done
	serve_all "$PEER" 9001
	policy both <<-EOF
		peer_acl:
		  - {id: tcp-1, action: allow, source: [any], protocol: tcp, destination_ports: [8001]}
		  - {id: udp-1, action: allow, source: [any], protocol: udp, destination_ports: [8001]}
		  - {id: tcp-2, action: allow, source: [any], protocol: tcp, destination_ports: [8002]}
		  - {id: udp-2, action: allow, source: [any], protocol: udp, destination_ports: [8002]}
	EOF
	policy two <<-EOF
		peer_acl:
		  - {id: udp-2, action: allow, source: [any], protocol: udp, destination_ports: [8002]}
		  - {id: tcp-two, action: allow, source: [any], protocol: tcp}
		  - {id: not-1, action: deny, source: [any], protocol: tcp, destination_ports: [8001]}
	EOF
	run_shrike wt0 both
	for family in 4 6; do
		use_family $family
		for port in 8001 8002; do
			session tcp$family-$port "$PEER" tcp $ROUTER_IP $port
			session udp$family-$port "$PEER" udp $ROUTER_IP $port
			talk tcp$family-$port ok
			talk udp$family-$port ok
		done
		session own$family "$ROUTER" tcp $PEER_IP 9001
		talk own$family ok
	done
}

# foretold KIND: what `policy diff` says of the connections in $T/diff.json
foretold() {
	jq -r --arg kind "$1" '.[$kind] | sort_by(.family, .protocol, .dport) | map([.protocol,
		.family, (.dport | tostring), (.before.rule // .before.why),
		(.after.rule // .after.why)] | join(" ")) | join("; ")' "$T/diff.json"
}

diff_of() {
	shrike policy diff wt0 "$T/$1.yaml" -j >"$T/diff.json" || die "exit status $?"
}

test_the_connections_that_diff_names_are_those_that_apply_cuts() {
	local family
	topology "$1"
	open_sessions
	diff_of two
	is "cut" "tcp ipv4 8001 tcp-1 not-1; udp ipv4 8001 udp-1 no rule of peer_acl; $(:
		)tcp ipv6 8001 tcp-1 not-1; udp ipv6 8001 udp-1 no rule of peer_acl" "$(foretold cut)"
	is "opened" "" "$(foretold opened)"
	is "moved" "tcp ipv4 8002 tcp-2 tcp-two; tcp ipv6 8002 tcp-2 tcp-two" "$(foretold moved)"
	is "connections" 10 "$(jq .tracked "$T/diff.json")"
	expect 0 shrike policy diff wt0 "$T/two.yaml"
	matches "the sum" "connections: 10, of which 4 would be cut, 0 opened, 2 would go on" "$OUT"
	matches "a group" "would be cut by rule not-1, now allowed by rule tcp-1: 2
  tcp 100.64.0.2:[0-9]+ -> 100.64.0.1:8001 established
  tcp \[fd64::2\]:[0-9]+ -> \[fd64::1\]:8001 established" "$OUT"
	matches "a group of no rule" "would be cut \(no rule of peer_acl\), now allowed by rule udp-1: 2" "$OUT"
	# all of it comes true
	expect 0 shrike policy apply wt0 "$T/two.yaml"
	for family in 4 6; do
		talk tcp$family-8001 timeout
		talk udp$family-8001 timeout
		talk tcp$family-8002 ok
		talk udp$family-8002 ok
		talk own$family ok
	done
}

test_diff_names_connections_that_a_policy_would_open_again() {
	topology "$1"
	open_sessions
	expect 0 shrike policy apply wt0 "$T/two.yaml"
	# not a packet has come since: they would go with the next one
	diff_of both
	is "cut" "" "$(foretold cut)"
	is "opened" "tcp ipv4 8001 not-1 tcp-1; udp ipv4 8001 no rule of peer_acl udp-1; $(:
		)tcp ipv6 8001 not-1 tcp-1; udp ipv6 8001 no rule of peer_acl udp-1" \
		"$(foretold opened)"
	expect 0 shrike policy apply wt0 "$T/both.yaml"
	talk tcp4-8001 ok
	talk udp6-8001 ok
}

test_diff_sees_a_change_of_mode() {
	topology "$1"
	kernel_forwards 1
	serve_all "$LAN" 8080
	serve_all "$PEER" 9001
	policy native <<-EOF
		mode: {routing: native}
		route_acl: [{id: lan, action: allow, source: [any], destination: [any], protocol: all}]
	EOF
	policy disabled <<-EOF
		mode: {routing: disabled}
		route_acl: [{id: lan, action: allow, source: [any], destination: [any], protocol: all}]
	EOF
	policy skip <<<"mode: {routing: native, native_acl: skip}"
	policy stateless <<-EOF
		mode: {routing: native, stateful: false}
		route_acl: [{id: lan, action: allow, source: [any], destination: [any], protocol: all}]
	EOF
	run_shrike wt0 native
	session routed "$PEER" tcp 192.168.77.2 8080
	talk routed ok
	session own "$ROUTER" tcp 100.64.0.2 9001
	talk own ok
	diff_of disabled
	is "cut" "tcp ipv4 8080 lan routing disabled" "$(foretold cut)"
	diff_of skip
	is "moved" "tcp ipv4 8080 lan native routing without ACL" "$(foretold moved)"
	diff_of stateless
	is "cut" "tcp ipv4 9001 connection tracking no rule of peer_acl" "$(foretold cut)"
	expect 0 shrike policy apply wt0 "$T/stateless.yaml"
	talk own timeout
	talk routed ok
	expect 0 shrike policy apply wt0 "$T/disabled.yaml"
	talk routed timeout
}

# A forwarder is started by `run` alone.
test_diff_knows_whether_a_forwarder_comes() {
	topology "$1"
	kernel_forwards 1
	serve_all "$LAN" 8080
	policy native <<-EOF
		mode: {routing: native}
		route_acl: [{id: lan, action: allow, source: [any], destination: [any], protocol: all}]
	EOF
	sed 's/native/userspace/' "$T/native.yaml" >"$T/userspace.yaml"
	expect 0 shrike attach wt0 -c "$T/native.yaml"
	session tcp "$PEER" tcp 192.168.77.2 8080
	session udp "$PEER" udp 192.168.77.2 8080
	talk udp ok
	diff_of userspace
	is "cut" "tcp ipv4 8080 lan lack of a userspace forwarder; $(:
		)udp ipv4 8080 lan lack of a userspace forwarder" "$(foretold cut)"
	start run-wt0 "$ROUTER" "$SHRIKE" run wt0 -c "$T/native.yaml"
	wait_for is_running wt0
	diff_of userspace
	is "cut" "tcp ipv4 8080 lan change between kernel and forwarder" "$(foretold cut)"
	is "moved" "" "$(foretold moved)"
	expect 0 shrike policy apply wt0 "$T/userspace.yaml"
	wait_for forwarder_runs
	talk udp ok
	talk tcp reset
}

is_running() {
	[ "$(shrike status "$1" -j | jq '.[0].running')" = true ]
}

test_diff_follows_translation_both_ways() {
	topology "$1"
	serve_all "$ROUTER" 8001
	serve_all "$PEER" 9001
	policy plain <<-EOF
		mode: {routing: disabled}
		timeouts: {udp: 1h}
		peer_acl: [{id: all, action: allow, source: [any]}]
	EOF
	policy replies <<-EOF
		$(sed 1d "$T/plain.yaml")
		nat: {one_to_one: [{original: 100.64.0.2, translated: 100.64.0.9}]}
	EOF
	policy own <<-EOF
		$(sed 1d "$T/plain.yaml")
		nat: {port: [{protocol: udp, port: 40000, to: 40001}]}
	EOF
	policy both <<-EOF
		$(sed 1d "$T/plain.yaml")
		nat:
		  one_to_one: [{original: 100.64.7.7, translated: 100.64.0.3}]
		  port: [{protocol: tcp, port: 8080, to: 8001}]
	EOF
	sed 's/id: all/id: other/' "$T/both.yaml" >"$T/moved.yaml"
	run_shrike wt0 plain
	session in "$PEER" tcp 100.64.0.1 8001
	session out "$ROUTER" udp 100.64.0.2 9001 -p 40000
	talk out ok
	diff_of own
	is "cut by a port, of which this host's own connections know nothing" "" "$(foretold cut)"
	diff_of replies
	is "cut by an address" "tcp ipv4 8001 all address or port translation; $(:
		)udp ipv4 9001 connection tracking address or port translation" "$(foretold cut)"
	expect 0 shrike policy apply wt0 "$T/own.yaml"
	talk out ok
	talk in ok
	expect 0 shrike policy apply wt0 "$T/replies.yaml"
	talk in timeout
	# and those that a policy translates stay theirs as long as it is translated so
	expect 0 shrike policy apply wt0 "$T/both.yaml"
	expect 0 shrike conntrack flush wt0
	session translated "$PEER" tcp 100.64.0.1 8080 -s 100.64.0.3
	diff_of moved
	is "moved" "tcp ipv4 8001 all other" "$(foretold moved)"
	is "cut" "" "$(foretold cut)"
	diff_of plain
	is "cut" "tcp ipv4 8001 all address or port translation" "$(foretold cut)"
	expect 0 shrike policy apply wt0 "$T/moved.yaml"
	talk translated ok
	expect 0 shrike policy apply wt0 "$T/plain.yaml"
	talk translated reset # nobody listens on port 8080
}

# A peer's packets need no entry if a rule allows them; those to a connection of this host do.
test_diff_cuts_by_a_timeout_only_what_needs_its_entry() {
	topology "$1"
	serve_all "$ROUTER" 8001
	serve_all "$PEER" 9001
	policy patient <<-EOF
		peer_acl: [{id: web, action: allow, source: [any], destination_ports: [8001], protocol: tcp}]
	EOF
	policy impatient <<-EOF
		timeouts: {tcp_established: 1s}
		$(sed 1d "$T/patient.yaml")
	EOF
	run_shrike wt0 patient
	session in "$PEER" tcp 100.64.0.1 8001
	session out "$ROUTER" tcp 100.64.0.2 9001
	wait_for is_foretold impatient "tcp ipv4 9001 connection tracking timeout"
	expect 0 shrike policy apply wt0 "$T/impatient.yaml"
	talk out timeout
	talk in ok
}

is_foretold() {
	diff_of "$1"
	[ "$(foretold cut)" = "$2" ]
}

test_diff_names_connections_for_which_there_is_no_room() {
	local i ports
	topology "$1"
	policy roomy <<<"peer_acl: [{id: none, action: deny, source: [any]}]"
	policy narrow <<-EOF
		limits: {tcp: 3}
		peer_acl: [{id: none, action: deny, source: [any]}]
	EOF
	run_shrike wt0 roomy
	for i in 1 2 3 4 5; do
		serve peer-900$i "$PEER" tcp 0.0.0.0 900$i
		session out900$i "$ROUTER" tcp 100.64.0.2 900$i
		talk out900$i ok
	done
	diff_of narrow
	is "connections that are cut" 2 "$(jq '.cut | length' "$T/diff.json")"
	is "why" "no room in the connection table" \
		"$(jq -r '[.cut[].after.why] | unique | join(" ")' "$T/diff.json")"
	ports=$(jq -r '.cut[].dport' "$T/diff.json")
	expect 0 shrike policy apply wt0 "$T/narrow.yaml"
	for i in $ports; do
		talk out$i timeout
	done
}

# The address of a peer becomes this host's own: what still comes from it is dropped already.
test_diff_leaves_out_martians() {
	topology "$1"
	serve_all "$ROUTER" 8001
	policy old <<<"peer_acl: [{id: all, action: allow, source: [any]}]"
	policy new <<<"peer_acl: [{id: none, action: deny, source: [any]}]"
	run_shrike wt0 old
	session in "$PEER" tcp 100.64.0.1 8001 -s 100.64.0.3
	talk in ok
	ip -n "$ROUTER" address add 100.64.0.3/32 dev wt0
	wait_for is_dropped 100.64.0.3
	diff_of new
	is "connections" 1 "$(jq .tracked "$T/diff.json")"
	is "cut" "" "$(foretold cut)"
	ip -n "$ROUTER" address del 100.64.0.3/32 dev wt0
	wait_for not is_dropped 100.64.0.3
	diff_of new
	is "cut" "tcp ipv4 8001 all none" "$(foretold cut)"
}

# is_dropped ADDR: as a source
is_dropped() {
	[ "$(shrike trace in "$1" self --dport 8001 -i wt0 -j | jq -r .reason)" = martian_source ]
}

test_diff_names_rules_sets_and_settings_that_differ() {
	topology "$1"
	policy old <<-EOF
		mode: {routing: disabled}
		peer_acl:
		  - {id: gone, action: deny, source: [10.0.0.1]}
		  - {id: ports, action: allow, source: [any], protocol: tcp, destination_ports: [80, 90]}
		  - {id: same, action: allow, source: [10.0.0.1, "set:s"]}
		sets: {s: [10.0.0.0/8, 10.0.0.1], t: [10.0.0.1]}
	EOF
	policy new <<-EOF
		mode: {routing: disabled}
		peer_acl:
		  - {id: same, action: allow, source: ["set:s", 10.0.0.1]}
		  - {id: ports, action: allow, source: [any], protocol: tcp, destination_ports: [80, 100-200]}
		  - {id: come, action: allow, source: [any], protocol: icmp}
		sets: {s: [10.0.0.1, 10.1.0.0/16]}
		timeouts: {udp: 60s}
	EOF
	run_shrike wt0 old
	expect 0 shrike policy diff wt0 "$T/new.yaml"
	is "what it says" "- peer_acl gone: action deny source 10.0.0.1 protocol all
+ peer_acl come: action allow source any protocol icmp
~ peer_acl ports: destination_ports +100-200 -90
~ peer_acl: rules are in another order, first ports
~ set s: +10.1.0.0/16 -10.0.0.0/8
- set t: 10.0.0.1
~ timeouts.udp: 30 s -> 60 s" "$(grep '^[-+~] ' <<<"$OUT" | grep -v '^[-+][-+]')"
	expect 0 shrike policy diff "$T/old.yaml"
	matches "no difference" "the policies say the same" "$OUT"
}

policy_in_force() {
	shrike policy show wt0 -j | jq 'del(.peer_acl[].last_hit, .peer_acl[].last_hit_s)'
}

# A sum over all that programs write down, and the addresses that they take for this host's.
state_of_programs() {
	local map pins
	pins=$(echo "$SHRIKE_BPFFS"/shrike/*/wt0)
	for map in ct_icmp4_v2 ct_icmp4_new_v2 counters_v3 rule_hits_v1 local_addr_v1 ct_epoch_v1; do
		bpftool map dump pinned "$pins/$map" || die "cannot dump $map"
	done | sort | sha256sum
}

# The kernel of either end may say something at any time; a round with packets proves nothing.
test_diff_changes_nothing() {
	local before state after traffic round
	topology "$1"
	policy old <<<"peer_acl: [{id: old, action: allow, source: [any]}]"
	run_shrike wt0 old
	pings ok "$PEER" 100.64.0.1
	echo "version: 1; nonsense" >"$T/bad.yaml"
	expect 2 shrike policy diff wt0 "$T/bad.yaml"
	is_one_error_line "$ERR" "^$T/bad.yaml:"
	expect 2 shrike policy diff wt0 "$T/nothing.yaml"
	policy new <<<"peer_acl: [{id: new, action: deny, source: [any]}]"
	# an address that the programs do not know yet: nor does this
	stop run-wt0 KILL
	before=$(policy_in_force)
	ip -n "$ROUTER" address add 10.77.0.1/32 dev lo
	for round in 1 2 3 4 5 6 7 8; do
		traffic=$(traffic_of_wt0)
		state=$(state_of_programs)
		expect 0 shrike policy diff wt0 "$T/new.yaml"
		matches "a connection" "1 would be cut" "$OUT"
		after=$(state_of_programs)
		[ "$traffic" = "$(traffic_of_wt0)" ] && break
		echo "round $round: packets came by"
	done
	is "state" "$state" "$after"
	is "policy" "$before" "$(policy_in_force)"
}
