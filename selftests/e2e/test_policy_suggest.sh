# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Rules that would let in what was dropped: each lets in just that.

tests "veth tun" \
	each_suggested_rule_lets_in_what_was_dropped_and_nothing_beside_it
tests veth \
	what_no_rule_can_allow_is_said \
	suggestions_are_for_the_policy_in_force_and_change_nothing

suggest_topology() {
	local port
	topology "$1"
	kernel_forwards 1
	for port in 8001 8002 8003 8004; do
		serve_all "$ROUTER" $port
		serve_all "$LAN" $port
	done
	policy base <<-EOF
		mode: {routing: native}
		peer_acl:
		  - {id: web, action: allow, source: [any], protocol: tcp, destination_ports: [8001]}
		  - {id: not-this, action: deny, source: [100.64.0.3], protocol: udp, destination_ports: [8004]}
		  - {id: suggested-1, action: allow, source: [100.64.7.7], protocol: udp}
		route_acl:
		  - {id: web-behind, action: allow, source: [any], destination: [any], protocol: tcp,
		     destination_ports: [8001]}
	EOF
	run_shrike wt0 base
}

# suggestions FILTER: what jq makes of them
suggestions() {
	shrike policy suggest wt0 -j | jq -r "$1"
}

# is_recorded ADDR [--dport PORT]: a drop
is_recorded() {
	[ "$(shrike why any "$@" --verdict drop -i wt0 -j | jq '.kinds | length')" -gt 0 ]
}

# denied PROTOCOL ADDR PORT [SOURCE]: and it is recorded
denied() {
	probe timeout "$PEER" "$1" "$2" "$3" ${4:+-s "$4"}
	wait_for is_recorded "$2" --dport "$3"
}

# suggest: $T/suggested.yaml and .json; ids are by the number of packets, so they change
suggest() {
	shrike policy suggest wt0 >"$T/suggested.yaml" || die "nothing was suggested"
	shrike policy suggest wt0 -j >"$T/suggested.json"
}

# paste NAME FILTER: policy NAME, with the suggestion that it is true of below its list, as by a user
paste() {
	local id acl
	read -r id acl < <(jq -r ".suggestions[] | select($2) | \"\(.rule.id) \(.acl)\"" "$T/suggested.json")
	[ -n "$acl" ] || die "nothing is suggested for $2"
	awk -v id="  - id: $id" '/^  - /{on = $0 == id} /^  #|^[^ ]/{on = 0} on' "$T/suggested.yaml" >"$T/rule"
	sed "/^$acl:/r $T/rule" "$T/base.yaml" >"$T/$1.yaml"
	expect 0 shrike policy apply wt0 "$T/$1.yaml"
	cat "$T/rule"
}

test_each_suggested_rule_lets_in_what_was_dropped_and_nothing_beside_it() {
	local source port
	suggest_topology "$1"
	for source in 100.64.0.2 100.64.0.3; do
		for port in 8002 8003; do
			denied tcp 100.64.0.1 $port $source
		done
	done
	denied udp 100.64.0.1 8002
	denied tcp fd64::1 8002
	denied tcp 192.168.77.2 8002
	pings lost "$PEER" 100.64.0.1
	is "four kinds make a rule" \
		'{"acl":"peer_acl","rule":{"id":"suggested-2","action":"allow","source":["100.64.0.2/31"],"destination":["100.64.0.1"],"protocol":"tcp","destination_ports":["8002-8003"]},"kinds":4}' \
		"$(suggestions '.suggestions[] | select(.kinds == 4) | {acl, rule, kinds} | tojson')"
	is "rules" 5 "$(suggestions '[.suggestions[] | select(.rule.destination != ["multicast"])] | length')"

	suggest
	paste merged '.kinds == 4'
	for source in 100.64.0.2 100.64.0.3; do
		probe ok "$PEER" tcp 100.64.0.1 8002 -s $source
		probe ok "$PEER" tcp 100.64.0.1 8003 -s $source
		probe timeout "$PEER" tcp 100.64.0.1 8004 -s $source
	done
	probe timeout "$PEER" udp 100.64.0.1 8003
	probe timeout "$PEER" tcp 192.168.77.1 8002
	probe timeout "$PEER" tcp 192.168.77.2 8002
	probe timeout "$PEER" tcp fd64::1 8002
	pings lost "$PEER" 100.64.0.1

	paste udp '.rule.protocol == "udp"'
	probe ok "$PEER" udp 100.64.0.1 8002
	probe timeout "$PEER" udp 100.64.0.1 8002 -s 100.64.0.3
	probe timeout "$PEER" tcp 100.64.0.1 8002

	paste routed '.acl == "route_acl"'
	probe ok "$PEER" tcp 192.168.77.2 8002
	probe timeout "$PEER" tcp 192.168.77.2 8003
	probe timeout "$PEER" tcp 192.168.77.1 8002
	probe timeout "$PEER" udp 192.168.77.2 8002

	paste ping '.rule.icmp_types == ["8/0"]'
	pings ok "$PEER" 100.64.0.1
	pings lost "$PEER" 100.64.0.1 -I 100.64.0.3
	pings lost "$PEER" 192.168.77.1
	pings lost "$PEER" fd64::1

	paste ipv6 '.rule.source == ["fd64::2"]'
	probe ok "$PEER" tcp fd64::1 8002
	probe timeout "$PEER" tcp fd64::1 8003
	probe timeout "$PEER" tcp fd64::1 8002 -s fd64::3
}

test_what_no_rule_can_allow_is_said() {
	suggest_topology "$1"
	expect 0 shrike policy suggest wt0
	is "without drops" "# Nothing was dropped that a rule could allow." "$OUT"
	denied udp 100.64.0.1 8004 100.64.0.3
	denied udp 169.254.9.9 8004
	expect 0 shrike policy suggest wt0
	matches "what a rule denies" \
		"# [0-9]+ packets?, peer_acl_denied: denied by rule not-this, which comes first" "$OUT"
	matches "a martian" "# [0-9]+ packets?, martian_destination: destination address is never routed" "$OUT"
	is "of the first" not-this "$(suggestions '.no_rule[] | select(.reason == "peer_acl_denied").rule')"
	is "lines" "" "$(awk 'length > 80' <<<"$OUT")"
	# a group has a rule even where none names it so far
	in_ns "$PEER" ping -n -c 1 -W 1 -I p0 224.0.0.1 >/dev/null
	wait_for is_recorded 224.0.0.1
	is "multicast" '{"acl":"peer_acl","destination":["multicast"],"icmp_types":["8/0"]}' \
		"$(suggestions '.suggestions[] | select(.rule.destination == ["multicast"]) |
			{acl, destination: .rule.destination, icmp_types: .rule.icmp_types} | tojson')"
	expect 0 shrike policy suggest wt0 --since 30d
	expect 2 shrike policy suggest wt0 --since yesterday
	expect 2 shrike policy suggest wt0 -n 0
	expect 1 shrike policy suggest lo
}

test_suggestions_are_for_the_policy_in_force_and_change_nothing() {
	local generation
	suggest_topology "$1"
	denied tcp 100.64.0.1 8002
	denied tcp 100.64.0.1 8003
	denied tcp 100.64.0.1 8003
	generation=$(suggestions .generation)
	is "most packets first" 1 "$(shrike policy suggest wt0 -n 1 -j | jq '.suggestions | length')"
	is "nothing changes" "$generation" "$(suggestions .generation)"
	probe timeout "$PEER" tcp 100.64.0.1 8003
	is "of the last millisecond" 0 "$(shrike policy suggest wt0 --since 1ms -j | jq '.suggestions | length')"
	sed 's/\[8001\]}/[8001, 8003]}/' "$T/base.yaml" >"$T/more.yaml"
	expect 0 shrike policy apply wt0 "$T/more.yaml"
	is "what is left" '["8002"]' "$(suggestions '[.suggestions[].rule.destination_ports[] | tostring] | tojson')"
	expect 0 shrike policy suggest wt0
	matches "what is allowed by now" "# The policy in force would let in [0-9]+ dropped packets?" "$OUT"
	sed '$a limits: {recorder: 0}' "$T/base.yaml" >"$T/off.yaml"
	expect 0 shrike policy apply wt0 "$T/off.yaml"
	expect 1 shrike policy suggest wt0
	is "the error" "shrike: wt0: nothing is recorded: limits.recorder is 0" "$ERR"
}
