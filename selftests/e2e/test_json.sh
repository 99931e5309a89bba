# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# One dialect of JSON: what all commands print is in shrike-json(5), and can be joined.

. "$SELFTESTS/lib/nat.sh"
. "$SELFTESTS/lib/netbird.sh"

tests veth \
	every_key_that_commands_print_is_in_the_manual_and_the_reverse \
	lists_events_and_traces_are_joined_by_the_id_of_a_connection
tests veth \
	the_form_before_is_there_for_those_who_ask

# record NAME ARGUMENT...: what the command prints, for json_keys.py
record() {
	local name=$1
	shift
	shrike "$@" -j >>"$T/json/$name" 2>/dev/null
}

# listen NAME ARGUMENT...: likewise, in the background
listen() {
	start "$1" "$ROUTER" "$SHRIKE" "${@:2}" -j
}

# Rules with every key, names, both kinds of translation of ports, and routing as it is asked for.
rich_policy() {
	policy "$1" <<-EOF
		mode: {routing: $2}
		names: {anna: [100.64.0.2, "fd64::2"], server: [192.168.77.2], uplink: [192.168.77.1]}
		nat: {port: [{protocol: tcp, port: 8080, to: 8001}]}
		peer_acl:
		  - {id: ssh, action: allow, source: [anna], destination: [100.64.0.1], protocol: tcp,
		     source_ports: [1024-65535], destination_ports: [22, 8001]}
		  - {id: ping, action: allow, source: [any], protocol: icmp, icmp_types: [8]}
		route_acl:
		  - {id: lan, action: allow, source: [anna, "set:some"], destination: [server, "fd77::/64"],
		     protocol: all}
		  - {id: deep, action: deny, source: [any], destination: [server], protocol: udp,
		     source_ports: [53], destination_ports: [53]}
		  - {id: ping6, action: allow, source: [any], destination: [any], protocol: icmp,
		     icmp_types: [8]}
		sets: {some: [100.64.9.0/24], other: [10.0.0.0/8]}
	EOF
}

# Connections of all kinds, and packets that are dropped.
traffic() {
	session held "$PEER" tcp 192.168.77.2 8080
	talk held ok
	session service "$PEER" tcp 100.64.0.1 8080
	talk service ok
	pings ok "$PEER" 192.168.77.2
	pings ok "$PEER" 100.64.0.1
	probe timeout "$PEER" udp 100.64.0.1 9999 -t 200
}

# Whether top, which shows a row, has had drops of two connections between two looks: tries once more.
drops_beyond_the_first_row() {
	probe timeout "$PEER" udp 100.64.0.1 9998 -t 20
	probe timeout "$PEER" udp 100.64.0.1 9999 -t 20
	jq -se 'any(.others.drop_reasons | length > 0)' "$T/top-flow.out" >/dev/null
}

record_connections() {
	record conntrack-list conntrack list wt0
	record top-dest top wt0 -i 0.05 -n 1 --by dest
	record top-rule top wt0 -i 0.05 -n 1 --by rule
	record top-flow top wt0 -i 0.05 -n 1 --by flow
	record conntrack-count conntrack count wt0
	record trace-in trace in anna 192.168.77.2 --dport 8080
	record trace-in trace in anna 192.168.77.2 -p icmp
	record trace-in trace in anna 100.64.0.1 --dport 81 -v
	record trace-in trace in fd64::2 fd77::1 --dport 81 -v
	record trace-out trace out self anna
	record status status wt0
	record policy-show policy show wt0
	record policy-show policy show wt0 --names
}

record_simulations() {
	cat >"$T/scenario.yaml" <<-EOF
		policy: nat.yaml
		interface: {addresses: [100.64.0.1/16], mtu: 1280}
		uplink: {name: eth0, addresses: [192.168.77.1/24], mtu: 1500, link: ethernet}
		packets:
		  - {direction: in, src: 100.64.0.2, dst: 192.168.77.2, protocol: icmp, icmp: {type: 8, id: 7},
		     expect: {verdict: drop}}
		  - {direction: in, src: 100.64.0.2, dst: 192.168.77.2, protocol: tcp, sport: 4000, dport: 80}
	EOF
	record simulate simulate "$T/scenario.yaml" "$SELFTESTS/scenarios/rules.yaml"
}

# Of nat: rules that come, go, change and move, another set, and another limit.
changed_policy() {
	policy "$1" <<-EOF
		mode: {routing: nat}
		peer_acl:
		  - {id: all, action: allow, source: [any], protocol: all}
		  - {id: ping, action: allow, source: [any], protocol: icmp}
		route_acl:
		  - {id: ping6, action: allow, source: [any], destination: [any], protocol: icmp}
		  - {id: lan, action: allow, source: [any], destination: [any], protocol: icmp}
		  - {id: rest, action: allow, source: [any], destination: [any], protocol: all}
		sets: {some: [100.64.9.0/24], other: [11.0.0.0/8]}
		limits: {tcp: 100}
	EOF
}

record_policies() {
	echo "peer_acl: 1" >"$T/bad.yaml"
	changed_policy other
	sed 's/allow, source: \[anna, "set/deny, source: [anna, "set/' "$T/nat.yaml" >"$T/cut.yaml"
	record policy-check policy check "$T/bad.yaml"
	record policy-check policy check "$T/nat.yaml"
	record policy-diff policy diff "$T/nat.yaml" "$T/other.yaml"
	record policy-diff policy diff wt0 "$T/cut.yaml"
	record policy-diff policy diff wt0 "$T/other.yaml"
	record policy-set policy set wt0 some add 100.64.10.0/24
	shrike policy apply wt0 "$T/bad.yaml" 2>/dev/null
	record status status wt0
	start confirm "$ROUTER" "$SHRIKE" policy apply wt0 "$T/cut.yaml" --confirm 60 -j
	wait_for grep -q generation "$T/confirm.out"
	record policy-diff policy diff wt0 "$T/nat.yaml"
	record policy-confirm policy confirm wt0
	wait_for grep -q confirmed "$T/confirm.out"
	cp "$T/confirm.out" "$T/json/policy-apply"
	record policy-apply policy apply wt0 "$T/other.yaml"
	record_parts
	record policy-export policy export wt0
	record policy-history policy history wt0
	record policy-history policy history wt0 2
	record policy-history policy history wt0 3
	record policy-history policy history wt0 4
	record policy-rollback policy rollback wt0 1
	record policy-set policy set wt0 some add 100.64.11.0/24 timeout 1h
	record policy-block policy block wt0 server --for 1h
	record policy-show policy show wt0
	record status status wt0
	record policy-unblock policy unblock wt0 server
}

# A policy in several files, whose rules are described.
record_parts() {
	policy part <<-EOF
		peer_acl:
		  - {id: part, description: of a part, action: allow, source: [anna], protocol: tcp}
		route_acl:
		  - {id: far, description: far away, action: allow, source: [any], destination: [any], protocol: udp}
	EOF
	policy whole <<-EOF
		mode: {routing: nat}
		names: {anna: [100.64.0.2]}
		include: part.yaml
		sets: {some: [100.64.9.0/24]}
	EOF
	record policy-apply policy apply wt0 "$T/whole.yaml"
	record policy-show policy show wt0
	record policy-set policy set wt0 some add 100.64.10.0/24
	record policy-set policy set wt0 --save
	record trace-in trace in 100.64.0.2 100.64.0.1 -p udp --dport 81 -v
	record_drops
}

# What no rule allows, what one of route_acl would allow, and what none can allow.
record_drops() {
	pings lost "$PEER" 100.64.0.1
	probe timeout "$PEER" udp 100.64.0.1 81 -t 200
	probe timeout "$PEER" udp 169.254.9.9 81 -t 200
	wait_for eval 'shrike why 100.64.0.2 169.254.9.9 -i wt0 | grep -q martian_destination'
	record why why -i wt0
	record policy-suggest policy suggest wt0
	record policy-suggest policy suggest wt0 --since 1h -n 1
}

# Questions, with a no for each kind of packet.
record_questions() {
	policy but <<-EOF
		peer_acl:
		  - {id: none, action: deny, source: [any], protocol: icmp, icmp_types: [8]}
		  - {id: rest, action: allow, source: [any], protocol: icmp}
	EOF
	record policy-reach policy reach wt0
	record policy-unused policy unused wt0
	record policy-unused policy unused wt0 --since 30d
	record policy-suggest policy suggest wt0
	record report report wt0 "$T/incident.tar.zst"
	record policy-reach policy reach "$T/nat.yaml"
	record policy-reach policy reach "$T/but.yaml"
	record policy-prove policy prove "$T/nat.yaml" "any can reach self tcp/80"
	record policy-prove policy prove "$T/nat.yaml" "any cannot reach self icmp"
	record policy-prove policy prove "$T/nat.yaml" "any can reach self tcp/22"
	record policy-prove policy prove "$T/nat.yaml" "any cannot reach 192.168.77.2 tcp/80"
	record policy-equal policy equal "$T/nat.yaml" "$T/nat.yaml"
	record policy-equal policy equal "$T/nat.yaml" "$T/cut.yaml"
}

# A path on which some packets arrive, and one kind does not.
record_path() {
	in_ns "$PEER" nft -f - <<-EOF
		table inet quiet {
			chain input { type filter hook input priority 0; tcp dport 443 drop; }
		}
	EOF
	record doctor doctor wt0 --path 100.64.0.2
	in_ns "$PEER" nft delete table inet quiet
}

# A path whose answers this host drops, at a stage of its own.
record_dropped_answers() {
	policy stateless <<-EOF
		mode: {routing: disabled, stateful: false}
		peer_acl: []
	EOF
	shrike attach wt0 -c "$T/stateless.yaml" 2>/dev/null
	record doctor doctor wt0 --path 100.64.0.2
}

test_every_key_that_commands_print_is_in_the_manual_and_the_reverse() {
	mkdir "$T/json"
	nat_topology "$1"
	serve_all "$ROUTER" 8001
	rich_policy nat nat
	network_map 7 "$(in_rule 100.64.0.2 tcp 8002)" -- "$(route_rule 100.64.0.2/32 10.9.0.0/16 tcp)"
	run_daemon
	run_following nat
	wait_for follows 7
	wait_for forwarder_runs
	listen monitor monitor wt0
	listen flowlog flowlog wt0 --drops 0
	listen live trace live -i wt0
	listen stats stats wt0 --interval 0.2
	listen why why -i wt0 --follow
	listen top-peer top wt0 -i 0.2
	listen top-flow top wt0 -i 0.2 --by flow --rows 1
	wait_for eval 'probe ok "$PEER" tcp 192.168.77.2 8080 && [ -s "$T/monitor.out" ]'
	wait_for eval '[ -s "$T/top-peer.out" ] && [ -s "$T/top-flow.out" ] && [ -s "$T/stats.out" ]'
	traffic
	record_connections
	wait_for drops_beyond_the_first_row
	stop top-peer
	stop top-flow
	stop stats
	stop held
	wait_for grep -q '"end"' "$T/monitor.out"
	wait_for grep -q '"drop"' "$T/monitor.out"
	session again "$PEER" tcp 192.168.77.2 8080
	talk again ok
	pings ok "$PEER" 192.168.77.2
	record_policies
	record_questions
	record_simulations
	record metrics metrics wt0
	record doctor doctor wt0
	record_path
	record status-check status wt0 --check
	record version version
	record conntrack-flush conntrack flush wt0
	stop live
	stop why
	wait_for grep -q '"loss"' "$T/flowlog.out"
	stop flowlog
	cp "$T/monitor.out" "$T/json/monitor"
	cp "$T/flowlog.out" "$T/json/flowlog"
	cp "$T/live.out" "$T/json/trace-live"
	cp "$T/stats.out" "$T/json/stats"
	cp "$T/why.out" "$T/json/why-follow"
	cp "$T"/top-*.out "$T/json"
	stop run-wt0
	record_dropped_answers
	record detach detach wt0
	record detach detach --stale
	expect 0 "$SELFTESTS/tools/json_keys.py" --all "$TREE/docs/man/shrike-json.5" "$T/json"
}

# ids FILE JQ-CONDITION: of connections
ids() {
	jq -rs "flatten | [.[] | select($2) | .flow] | unique | join(\" \")" "$1"
}

test_lists_events_and_traces_are_joined_by_the_id_of_a_connection() {
	local id
	nat_topology "$1"
	rich_policy nat nat
	run_shrike wt0 nat
	listen monitor monitor wt0
	wait_for eval 'probe ok "$PEER" tcp 192.168.77.2 8080 && [ -s "$T/monitor.out" ]'
	listen live trace live -i wt0
	session held "$PEER" tcp 192.168.77.2 8080 -s 100.64.0.2 -p 61007
	talk held ok
	wait_for eval 'talk held ok && grep -q 61007 "$T/live.out"'
	shrike conntrack list wt0 --sport 61007 -j >"$T/list"
	id=$(ids "$T/list" true)
	matches "the id" "^[0-9a-f]{16}$" "$id"
	is "of the event" "$id" "$(ids "$T/monitor.out" '.type == "start" and .sport == 61007')"
	shrike trace in 100.64.0.2 192.168.77.2 --sport 61007 --dport 8080 --ack -j >"$T/in"
	is "of a packet" "$id" "$(ids "$T/in" true)"
	shrike trace out 192.168.77.2 100.64.0.2 --sport 8080 --dport 61007 --ack -j >"$T/out"
	is "of an answer" "$id" "$(ids "$T/out" true)"
	wait_for eval '[[ "$(ids "$T/live.out" ".packet.sport == 61007 and .flow")" = '"$id"' ]]'
	is "of a packet that opens" null "$(shrike trace in 100.64.0.2 192.168.77.2 --dport 9 -j | jq .flow)"
	is "interfaces" wt0 "$(jq -rs 'flatten | [.[].interface] | unique | join(" ")' \
		"$T/list" "$T/in" "$T/out" "$T/monitor.out" "$T/live.out")"
}

# has KEYS ARGUMENT...: the first object that the command prints has them, in the form before
has() {
	local keys=$1
	shift
	expect 0 shrike "$@" --json=1
	is "keys of $*" "$keys" "$(jq -rs 'flatten | .[0] | keys | join(" ")' <<<"$OUT")"
}

test_the_form_before_is_there_for_those_who_ask() {
	topology "$1"
	policy plain <<-EOF
		mode: {routing: disabled}
		names: {anna: 100.64.0.2}
		peer_acl: [{id: ping, action: allow, source: [any], protocol: icmp}]
	EOF
	cp "$T/plain.yaml" "$T/same.yaml"
	shrike attach wt0 -c "$T/plain.yaml" >/dev/null
	start watch "$ROUTER" "$SHRIKE" conntrack watch wt0 --json=1
	wait_for eval 'pings ok "$PEER" 100.64.0.1 && [ -s "$T/watch.out" ]'
	has "bytes dst family flags generation id opened_by packets protocol reply_bytes reply_packets rule src src_name state timeout_s" \
		conntrack list wt0
	has "count" conntrack count wt0
	has "anna" policy show wt0 --names
	has "confirm_s generation mode names netbird path peer_acl route_acl rules sets" policy show wt0
	is "a rule" "action bytes id last_hit_s packets protocol source" \
		"$(jq -r '.peer_acl[0] | keys | join(" ")' <<<"$OUT")"
	has "connections cut generation interface moved opened policy rules sets settings" \
		policy diff wt0 "$T/same.yaml"
	has "before policy rules sets settings" policy diff "$T/plain.yaml" "$T/same.yaml"
	has "disposition packet reason rule stages verdict" trace in 100.64.0.2 self -p icmp
	has "checks works" doctor wt0
	has "version" version
	is "an event" "direction dst icmp_code icmp_id icmp_type id protocol rule rx_bytes rx_packets src src_name time tx_bytes tx_packets type" \
		"$(head -n 1 "$T/watch.out" | jq -r 'keys | join(" ")')"
	expect 2 shrike version --json=3
	is_one_error_line "$ERR" "^shrike: version: --json=3: 2, or 1 for the form before it; usage: "
}
