# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The table of connections: what the commands show of it, and what it survives.

tests "veth tun" \
	conntrack_lists_counts_and_flushes \
	connections_survive_the_death_of_run \
	bpftool_shows_connections_and_rules_by_name

open_policy() {
	policy open <<-EOF
		# none may expire while a slow machine takes its time
		timeouts: {udp: 1h, icmp: 1h}
		peer_acl:
		  - {id: web, action: allow, source: [any], protocol: tcp, destination_ports: [8001]}
		  - {id: dns, action: allow, source: [any], protocol: udp, destination_ports: [8001]}
		  - {id: ping, action: allow, source: [any], protocol: icmp}
	EOF
}

# flows JQ-CONDITION: how many of the listed connections fulfil it
flows() {
	shrike conntrack list wt0 -j | jq "[.[] | select($1)] | length"
}

test_conntrack_lists_counts_and_flushes() {
	local family
	topology "$1"
	serve_all "$ROUTER" 8001
	serve_all "$PEER" 9001
	open_policy
	run_shrike wt0 open
	is "connections" 0 "$(connections wt0)"
	for family in 4 6; do
		use_family $family
		session in$family "$PEER" tcp $ROUTER_IP 8001
		session out$family "$ROUTER" tcp $PEER_IP 9001
		talk in$family ok
		talk out$family ok
		probe ok "$PEER" udp $ROUTER_IP 8001
		pings ok "$PEER" $ROUTER_IP
		is "the peer's connection" 1 "$(flows ".protocol == \"tcp\" and
			.state == \"established\" and .direction == \"ingress\" and .rule == \"web\" and
			.src == \"$PEER_IP\" and .dst == \"$ROUTER_IP\" and .dport == 8001")"
		is "this host's connection" 1 "$(flows ".protocol == \"tcp\" and
			.state == \"established\" and .direction == \"egress\" and .rule == null and
			.src == \"$ROUTER_IP\" and .dst == \"$PEER_IP\" and .dport == 9001")"
		is "the datagrams" 1 "$(flows ".family == \"ipv$family\" and .protocol == \"udp\" and
			.rule == \"dns\" and .opener.packets == 1 and .answerer.packets == 1")"
		is "the ping" 1 "$(flows ".family == \"ipv$family\" and .state == \"icmp\"")"
	done
	is "connections" 8 "$(connections wt0)"
	expect 0 shrike conntrack list wt0
	is "lines" 8 "$(wc -l <<<"$OUT")"
	expect 0 shrike conntrack count wt0 -p tcp -6
	is "TCP over IPv6" 2 "$OUT"
	# the answers to this host's connections had nothing but their entries
	expect 0 shrike conntrack flush wt0 -p tcp --dport 9001
	talk out4 timeout
	talk out6 timeout
	talk in4 ok
	talk in6 ok
	policy none </dev/null
	expect 0 shrike policy apply wt0 "$T/none.yaml"
	expect 0 shrike conntrack flush wt0
	is "connections" 0 "$(connections wt0)"
	talk in4 timeout
	talk in6 timeout
	counters_agree wt0
}

test_connections_survive_the_death_of_run() {
	local count programs
	topology "$1"
	serve_all "$ROUTER" 8001
	serve_all "$ROUTER" 8002
	serve_all "$PEER" 9001
	open_policy
	run_shrike wt0 open
	session in "$PEER" tcp 100.64.0.1 8001
	session out "$ROUTER" tcp fd64::2 9001
	talk in ok
	talk out ok
	stop run-wt0 KILL
	is_protected wt0 || die "the protection went with the process"
	talk in ok
	talk out ok
	probe ok "$PEER" tcp fd64::1 8001
	probe timeout "$PEER" tcp 100.64.0.1 8002
	expect 0 shrike status wt0
	count=$(connections wt0)
	[ "$count" -ge 3 ] || die "connections: expected at least 3, got $count"
	programs=$(programs wt0)
	run_shrike wt0 open
	wait_for not programs_are wt0 "$programs"
	[ "$(connections wt0)" -ge "$count" ] || die "the new run forgot connections"
	talk in ok
	talk out ok
	probe timeout "$PEER" tcp 100.64.0.1 8002
	probe ok "$PEER" tcp 100.64.0.1 8001
	counters_agree wt0
	stop run-wt0
	is "exit status" 0 $STATUS
	wait_for is_bare wt0
}

# field_names PIN: of keys and values of the first element
field_names() {
	bpftool -j map dump pinned "$(pins)/wt0/$1" |
		jq -r '.[0].formatted | [.. | objects | keys[]] | unique | join(" ")'
}

test_bpftool_shows_connections_and_rules_by_name() {
	topology "$1"
	serve_all "$ROUTER" 8001
	open_policy
	run_shrike wt0 open
	session in "$PEER" tcp 100.64.0.1 8001
	talk in ok
	matches "fields of a connection" "addr.* packets.* port.* state" "$(field_names $CT_TCP4)"
	is "confirmed connections" 1 "$(bpftool -j map dump pinned "$(pins)/wt0/$CT_TCP4" |
		jq length)"
	is "rules" "dns ping web" "$(bpftool -j map dump pinned "$(pins)/wt0/rules_v1" |
		jq -r '[.[].formatted.value.id | if type == "array" then
			map(select(. != "\u0000" and . != 0) | if type == "number" then [.] | implode
			else . end) | join("") else . end | select(. != "")] | sort | join(" ")')"
	if has_tcx; then # clsact filters are no links
		[ -n "$(find "$(pins)/wt0" -name 'link_*')" ] || die "no pinned link"
	fi
	[ -n "$(find "$(pins)/wt0" -name 'prog_*')" ] || die "no pinned program"
}
