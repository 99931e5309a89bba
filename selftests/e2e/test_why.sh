# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The flight recorder, and what `why` says of packets of the past.

tests "veth tun" \
	why_says_which_rules_came_near \
	why_answers_by_the_policy_that_was_in_force

tests "veth" \
	the_recorder_outlives_run_and_takes_no_space_where_it_is_off \
	why_writes_a_capture_and_follows \
	why_explains_by_what_the_rules_saw_of_a_translated_packet \
	why_tells_times_by_the_kernels_clock_in_a_time_namespace \
	why_refuses_what_it_does_not_know

alone "veth" \
	a_flood_leaves_what_was_recorded_before

why_topology() {
	topology "$1"
	serve_all "$ROUTER" 8001
	policy first <<-EOF
		mode: {routing: disabled}
		names: {anna: 100.64.0.2}
		peer_acl:
		  - {id: web, action: allow, source: [100.64.0.0/16], protocol: tcp, destination_ports: [8001]}
	EOF
	run_shrike wt0 first
}

# kinds FILTER...: of `why`, as one line of REASON/RULE/COUNT for each
kinds() {
	shrike why any -i wt0 -j "$@" | jq -r '.kinds[] | select(.rest | not) | "\(.reason)/\(.rule)/\(.count)"'
}

is_recorded() {
	[ -n "$(kinds "$@")" ]
}

test_why_says_which_rules_came_near() {
	why_topology "$1"
	probe ok "$PEER" tcp 100.64.0.1 8001
	probe timeout "$PEER" tcp 100.64.0.1 8002
	wait_for is_recorded --dport 8002
	is "the connection" peer_acl_allowed/web/1 "$(kinds --src 100.64.0.2 --dport 8001)"
	expect 2 shrike why nobody -i wt0
	is "no such name" "shrike: address: 'nobody' is neither an address nor a name of the policy in force" "$ERR"
	expect 0 shrike why anna 100.64.0.1 --dport 8002 --verdict drop -i wt0
	matches "the packet" "in TCP anna:[0-9]+ -> 100.64.0.1:8002: drop peer_acl_default" "$OUT"
	matches "the stage" "Peer ACL: Blocked by peer ACL rules" "$OUT"
	matches "the nearest rule" "web \\(line [0-9]+\\): destination port 8002 is not 8001" "$OUT"
	is "others" "" "$(kinds --src 100.64.0.9)"
	is "of rule web" peer_acl_allowed/web/1 "$(kinds --rule web -p tcp)"
	# established packets are not recorded, and what is older than asked for is not shown
	is "everything" 2 "$(shrike why any -i wt0 -j -p tcp | jq '.kinds | length')"
	is "of the last millisecond" "" "$(kinds -p tcp --since 1ms)"
}

test_why_answers_by_the_policy_that_was_in_force() {
	why_topology "$1"
	probe ok "$PEER" tcp 100.64.0.1 8001
	probe timeout "$PEER" tcp 100.64.0.1 8002
	policy second <<-EOF
		mode: {routing: disabled}
		peer_acl:
		  - {id: other, action: allow, source: [any], protocol: udp}
	EOF
	expect 0 shrike policy apply wt0 "$T/second.yaml"
	probe timeout "$PEER" tcp 100.64.0.1 8002
	wait_for is_recorded --dport 8002
	expect 0 shrike why -i wt0 -p tcp --dport 8002
	matches "the policy of then" "By policy 1 of the history, in force from .*web \\(line" "$OUT"
	matches "the one in force" "other \\(line 4\\): protocol tcp is not udp" "$OUT"
	is "both" "1 null" "$(shrike why any -i wt0 -j -p tcp --dport 8002 |
		jq -r '[.kinds[].policy.number] | map(tostring) | join(" ")')"
	# the rule is gone, and its number with it
	is "the rule of then" peer_acl_allowed/web/1 "$(kinds -p tcp --dport 8001)"
}

test_the_recorder_outlives_run_and_takes_no_space_where_it_is_off() {
	why_topology "$1"
	probe timeout "$PEER" tcp 100.64.0.1 8002
	wait_for is_recorded --dport 8002
	kill -9 "${PROCESS[run-wt0]}"
	wait_for is_gone "${PROCESS[run-wt0]}"
	is_recorded --dport 8002 || die "killed with run"
	run_shrike wt0 first
	is_recorded --dport 8002 || die "forgotten by the next run"
	sed '$a limits: {recorder: 0}' "$T/first.yaml" >"$T/off.yaml"
	expect 0 shrike policy apply wt0 "$T/off.yaml"
	expect 1 shrike why -i wt0
	is "the error" "shrike: wt0: nothing is recorded: limits.recorder is 0" "$ERR"
}

test_why_writes_a_capture_and_follows() {
	why_topology "$1"
	start why "$ROUTER" "$SHRIKE" why -i wt0 --follow -j --verdict drop
	probe timeout "$PEER" tcp 100.64.0.1 8002
	wait_for grep -q '"dport":8002' "$T/why.out"
	stop why
	expect 0 shrike why -i wt0 -w "$T/past.pcapng" --verdict drop -p tcp
	expect 0 tshark -r "$T/past.pcapng" -T fields -e tcp.dstport -e tcp.flags.syn -e frame.comment
	matches "the packet" "^8002.(1|True).verdict=drop reason=peer_acl_default count=" "$OUT"
}

test_why_explains_by_what_the_rules_saw_of_a_translated_packet() {
	why_topology "$1"
	sed '$a nat: {port: [{protocol: tcp, port: 8080, to: 8002}]}' "$T/first.yaml" >"$T/nat.yaml"
	expect 0 shrike policy apply wt0 "$T/nat.yaml"
	probe timeout "$PEER" tcp 100.64.0.1 8080
	wait_for is_recorded --dport 8080
	expect 0 shrike why -i wt0 --dport 8080
	matches "the packet" "-> 100.64.0.1:8080: drop peer_acl_default" "$OUT"
	matches "the nearest rule" "destination port 8002 is not 8001" "$OUT"
}

# ahead SECONDS COMMAND...: of shrike, in a time namespace whose clocks are so far ahead
ahead() {
	in_ns "$ROUTER" unshare --time --monotonic="$1" --boottime="$1" -- "$SHRIKE" "${@:2}"
}

test_why_tells_times_by_the_kernels_clock_in_a_time_namespace() {
	why_topology "$1"
	probe timeout "$PEER" tcp 100.64.0.1 8002
	wait_for is_recorded --dport 8002
	for seconds in 100000 -60; do
		is "of the last hour, $seconds s ahead" 1 \
			"$(ahead "$seconds" why -i wt0 --since 1h --dport 8002 -j | jq '.kinds | length')"
		expect 0 ahead "$seconds" policy suggest wt0 --since 1h
		matches "suggested" "destination_ports: .8002." "$OUT"
		expect 0 ahead "$seconds" report wt0 "$T/report$seconds.tar.zst"
		is "of the last hour of a report" 1 "$("$SHRIKE" why --from "$T/report$seconds.tar.zst" \
			--since 1h --dport 8002 -j | jq '.kinds | length')"
	done
	is "of the last millisecond" 0 "$(ahead -60 why -i wt0 --since 1ms --dport 8002 -j | jq '.kinds | length')"
}

test_why_refuses_what_it_does_not_know() {
	why_topology "$1"
	expect 2 shrike why -i wt0 nobody
	expect 0 shrike why -i wt0 --since 30d
	expect 2 shrike why -i wt0 --since 400d
	expect 2 shrike why -i wt0 --since yesterday
	expect 2 shrike why -i wt0 --state established
	expect 2 shrike why any -i wt0 -j -w "$T/x"
	expect 2 shrike why -i wt0 10.0.0.1 10.0.0.2 10.0.0.3
	expect 1 shrike why -i lo
}

test_a_flood_leaves_what_was_recorded_before() {
	local n rate=0
	why_topology "$1"
	probe ok "$PEER" tcp 100.64.0.1 8001
	for n in 8002 8003 8004; do
		probe timeout "$PEER" tcp 100.64.0.1 $n
		wait_for is_recorded --dport $n
	done
	for ((n = 1; n <= $(nproc); n++)); do
		start flood$n "$PEER" "$TOOLS/flood" udp 3 p0
	done
	for ((n = 1; n <= $(nproc); n++)); do
		await_end flood$n
		matches "flood $n" "rate=([0-9]+)" "$(cat "$T/flood$n.out")"
		rate=$((rate + BASH_REMATCH[1]))
	done
	for n in 8002 8003 8004; do
		is_recorded --dport $n || die "$n has gone"
	done
	is "the connection" peer_acl_allowed/web/1 "$(kinds --dport 8001)"
	echo "$rate packets/s, $(shrike why any -i wt0 -j --verdict drop | jq '[.kinds[].count] | add') drops counted"
	is "drops" "$(dropped wt0 routing_disabled)" \
		"$(shrike why any -i wt0 -j --reason routing_disabled | jq '[.kinds[].count] | add')"
}
