# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What `policy diff` foretells, and what then happens.

tests "veth tun" \
	the_connections_that_diff_names_are_those_that_apply_cuts

tests "veth" \
	diff_names_connections_that_a_policy_would_open_again \
	diff_sees_a_change_of_mode \
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
	is "connections" 10 "$(jq .connections "$T/diff.json")"
	expect 0 shrike policy diff wt0 "$T/two.yaml"
	matches "the sum" "connections: 10, of which 4 would be cut, 0 opened, 2 would go on" "$OUT"
	matches "a group" "would be cut by rule not-1, now allowed by rule tcp-1: 2
  tcp 100.64.0.2:[0-9]+ -> 100.64.0.1:8001 established
  tcp \[fd64::2\]:[0-9]+ -> \[fd64::1\]:8001 established" "$OUT"
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

test_diff_changes_nothing() {
	local before
	topology "$1"
	policy old <<<"peer_acl: [{id: old, action: allow, source: [any]}]"
	run_shrike wt0 old
	before=$(shrike policy show wt0 -j)
	echo "version: 1; nonsense" >"$T/bad.yaml"
	expect 2 shrike policy diff wt0 "$T/bad.yaml"
	is_one_error_line "$ERR" "^$T/bad.yaml:"
	expect 2 shrike policy diff wt0 "$T/nothing.yaml"
	policy new <<<"peer_acl: [{id: new, action: deny, source: [any]}]"
	expect 0 shrike policy diff wt0 "$T/new.yaml"
	is "policy" "$before" "$(shrike policy show wt0 -j)"
}
