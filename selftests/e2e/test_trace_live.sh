# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What trace says of packets that do come, and what it leaves behind.

. "$SELFTESTS/lib/trace.sh"

tests veth live_says_what_it_has_lost

tests "veth tun" \
	live_shows_packets_of_both_directions_and_loses_none \
	live_tells_what_goes_to_the_forwarder \
	captures_of_live_are_read_by_others_and_by_trace

tests tun \
	live_filters_in_the_kernel \
	live_writes_into_a_pipe_what_is_asked_for \
	live_follows_the_policy_and_ends_with_it \
	live_ends_with_its_reader \
	a_killed_tracer_leaves_nothing

test_live_shows_packets_of_both_directions_and_loses_none() {
	local before
	topology "$1"
	serve_all "$ROUTER" 8001
	trace_policy
	run_shrike wt0 trace
	before=$(programs wt0)
	live -j
	probe ok "$PEER" tcp 100.64.0.1 8001 -s 100.64.0.2 -p 40001 -n 100000
	probe timeout "$PEER" tcp fd64::1 8002
	pings ok "$PEER" fd64::1
	wait_for traced 1 '.packet.sport == 40001 and .packet.flags == ["syn"] and
		.reason == "peer_acl_allowed" and .rule == "ssh" and .state == "syn_received"'
	wait_for traced 1 '.packet.sport == 8001 and .packet.flags == ["syn", "ack"] and
		.packet.direction == "out" and .verdict == "pass"'
	wait_for traced 1 '.packet.icmp.type == 128 and .rule == "ping" and
		.packet.direction == "in"'
	wait_for traced 1 '.packet.icmp.type == 129 and .packet.direction == "out"'
	[ "$(jq -s '[.[] | select(.packet.dport == 8002 and .verdict == "drop" and
		.reason == "peer_acl_default" and .disposition == "DENIED")] | length' \
		"$T/live.out")" -ge 1 ] || die "the dropped packet was not traced"
	stop live
	is "exit status" 0 $STATUS
	matches "the summary" "^shrike: ([0-9]+) packets traced, [0-9]+ matched, 0 lost$" \
		"$(cat "$T/live.err")"
	is "packets traced" "${BASH_REMATCH[1]}" "$(wc -l <"$T/live.out")"
	is "the programs afterwards" "$before" "$(programs wt0)"
	counters_agree wt0
}

# tshark_sees_comments ENCAPSULATION: in six packets of a connection to port 8001
tshark_sees_comments() {
	expect 0 tshark -r "$T/live.pcapng" -T fields -E separator=, -e frame.comment \
		-e frame.interface_name -e frame.encap_type -e frame.packet_flags_direction
	is "comments, interfaces, link types and directions that tshark sees" 6 "$(grep -cE \
		"^verdict=pass reason=[a-z_]+( rule=ssh)? state=[a-z_]+,wt0,$1,0x0+[12]\$" \
		<<<"$OUT")"
	is "the first" "verdict=pass reason=peer_acl_allowed rule=ssh state=syn_received" \
		"$(head -n 1 <<<"$OUT" | cut -d, -f1)"
}

test_captures_of_live_are_read_by_others_and_by_trace() {
	local link=EN10MB encapsulation=1
	topology "$1"
	[ "$1" = tun ] && link=RAW encapsulation=7
	serve_all "$ROUTER" 8001
	trace_policy
	run_shrike wt0 trace
	live -w "$T/live.pcapng" --port 8001 -c 6
	probe ok "$PEER" tcp 100.64.0.1 8001 -s 100.64.0.2 -p 40001
	await_end live
	is "exit status" 0 $STATUS
	expect 0 tcpdump -nr "$T/live.pcapng"
	matches "the link type that tcpdump sees" "link-type $link " "$ERR"
	is "packets that tcpdump sees" 6 "$(wc -l <<<"$OUT")"
	matches "the first" "IP 100\.64\.0\.2\.40001 > 100\.64\.0\.1\.8001: Flags \[S\]" "$OUT"
	matches "its comment" "verdict=pass reason=peer_acl_allowed rule=ssh state=syn_received" \
		"$(grep -a -o 'verdict=.*syn_received' "$T/live.pcapng" | head -n 1)"
	if has_tshark; then
		tshark_sees_comments $encapsulation
	fi
	policy closed </dev/null
	expect 0 shrike simulate --pcap "$T/live.pcapng" -c "$T/trace.yaml" \
		--address 100.64.0.1/16 --address fd64::1/64 -j
	is "verdicts of the same policy" "in pass ssh,out pass null" "$(jq -rs \
		'[.[:2][] | "\(if .packet[24:32] == "64400002" then "in" else "out" end) \(
		.verdict) \(.rule)"] | join(",")' <<<"$OUT")"
	is "its connection at the end" established "$(jq -rs '.[-1].state' <<<"$OUT")"
	expect 0 shrike simulate --pcap "$T/live.pcapng" -c "$T/closed.yaml" \
		--address 100.64.0.1/16 -j
	is "verdict of another policy" "drop peer_acl_default" \
		"$(head -n 1 <<<"$OUT" | jq -r '"\(.verdict) \(.reason)"')"
	expect 0 shrike trace in --pcap "$T/live.pcapng" -j
	is "packets that trace reads" 6 "$(wc -l <<<"$OUT")"
	is "the first" "40001 8001 syn" "$(head -n 1 <<<"$OUT" |
		jq -r '.packet | "\(.sport) \(.dport) \(.flags[0])"')"
}

# captured COLUMN: what tshark says of each packet of the live trace
captured() {
	tshark -r "$T/live.out" -T fields -e "$1" 2>/dev/null
}

# has_captured N: so many packets at least
has_captured() {
	[ "$(captured frame.number | wc -l)" -ge "$1" ]
}

test_live_writes_into_a_pipe_what_is_asked_for() {
	local n
	has_tshark || skip "tshark is not in the guest"
	topology "$1"
	serve_all "$ROUTER" 8001
	trace_policy
	run_shrike wt0 trace
	live -w - --snaplen 40 -v -p tcp --port 8001 --host fd64::2
	probe ok "$PEER" tcp 100.64.0.1 8001
	probe ok "$PEER" tcp fd64::1 8001
	wait_for has_captured 8
	stop live
	is "exit status" 0 $STATUS
	is "bytes of each packet, and its source or destination" 40 \
		"$(captured frame.cap_len | sort -u)"
	[ "$(captured frame.len | sort -nu | head -n 1)" -ge 60 ] || die "the lengths are not the packets'"
	matches "stages in the comment" "verdict=pass .*Received: Received TCP packet: \[fd64::2\]:\
[0-9]+ -> \[fd64::1\]:8001.*Peer ACL: Allowed by peer ACL rules \(ssh\)" \
		"$(captured frame.comment | head -n 1)"
	n=$(captured frame.number | wc -l)
	is "the summary" "shrike: $n packets traced, $n matched, 0 lost" "$(cat "$T/live.err")"
}

# has_lost: some record of the live trace has found no room
has_lost() {
	local id
	for id in $(maps_in_force trace_stats_v1); do
		bpftool -j map dump id "$id" | jq -e '[.. | .lost? // empty] | add > 0' && return
	done
	return 1
} >/dev/null

test_live_says_what_it_has_lost() {
	has_tshark || skip "capinfos, which comes with tshark, is not in the guest"
	topology "$1"
	know_each_other
	policy none </dev/null
	run_shrike wt0 none
	live -w "$T/live.pcapng"
	kill -STOP "${PROCESS[live]}"
	until has_lost; do
		in_ns "$PEER" "$TOOLS/flood" udp 1 p0 >/dev/null || die "the flood failed"
	done
	kill -CONT "${PROCESS[live]}"
	wait_for grep -qE '^shrike: [0-9]+ packets lost: .+' "$T/live.err"
	stop live
	is "exit status" 0 $STATUS
	matches "the summary" "([0-9]+) packets traced, ([0-9]+) matched, ([0-9]+) lost$" \
		"$(tail -n 1 "$T/live.err")"
	[ "${BASH_REMATCH[3]}" -gt 0 ] || die "nothing was lost"
	is "packets written or lost" "${BASH_REMATCH[2]}" $((BASH_REMATCH[1] + BASH_REMATCH[3]))
	is "packets in the capture" "${BASH_REMATCH[1]}" \
		"$(capinfos -rTMc "$T/live.pcapng" 2>/dev/null | cut -f2)"
}

test_live_tells_what_goes_to_the_forwarder() {
	local ip
	topology "$1"
	serve_all "$LAN" 80
	policy forwarded <<-EOF
		mode: {routing: userspace}
		route_acl:
		  - {id: web, action: allow, source: [any], destination: [any], protocol: tcp,
		     destination_ports: [80]}
	EOF
	run_shrike wt0 forwarded
	wait_for grep -q "forwarder is ready" "$T/run-wt0.out"
	live -j -p tcp --port 80
	probe ok "$PEER" tcp 192.168.77.2 80
	probe ok "$PEER" tcp fd77::2 80
	for ip in 192.168.77.2 fd77::2; do
		wait_for traced 1 ".packet.dst == \"$ip\" and .verdict == \"forward\" and
			.packet.flags == [\"syn\"] and .rule == \"web\" and
			.reason == \"route_acl_allowed\""
		wait_for traced 1 ".packet.src == \"$ip\" and .packet.direction == \"out\" and
			.packet.flags == [\"syn\", \"ack\"]"
	done
	stop live
	is "exit status" 0 $STATUS
	counters_agree wt0
}

test_live_filters_in_the_kernel() {
	topology "$1"
	serve_all "$ROUTER" 8001
	trace_policy
	run_shrike wt0 trace
	live -j --verdict drop --host 100.64.0.2 --dport 8002 --reason peer_acl_default
	probe ok "$PEER" tcp 100.64.0.1 8001
	probe timeout "$PEER" tcp fd64::1 8002
	probe timeout "$PEER" udp 100.64.0.1 8003
	probe timeout "$PEER" udp 100.64.0.1 8002
	wait_for traced 1 '.packet.protocol == "udp"'
	stop live
	is "packets traced" 1 "$(wc -l <"$T/live.out")"
	live --rule ssh -c 1 --direction in
	probe ok "$PEER" tcp 100.64.0.1 8001
	await_end live
	matches "the line" "^[0-9T:.Z-]+ in TCP 100\.64\.0\.2:[0-9]+ -> 100\.64\.0\.1:8001: pass \
peer_acl_allowed rule ssh state syn_received flags syn length [0-9]+$" "$(cat "$T/live.out")"
	live --every 1000000 -v -c 1
	probe ok "$PEER" tcp 100.64.0.1 8001
	await_end live
	matches "the text" "^[0-9T:.Z-]+ in TCP .*: pass peer_acl_allowed rule ssh [a-z_ ]+[0-9]+;    Received: .*;\
    Peer ACL: .*;    Completed: Processing completed" "$(tr '\n' ';' <"$T/live.out")"
	expect 0 shrike trace live --duration 1ms
}

test_live_follows_the_policy_and_ends_with_it() {
	topology "$1"
	serve_all "$ROUTER" 8001
	trace_policy
	run_shrike wt0 trace
	live -j
	policy none </dev/null
	expect 0 shrike policy apply wt0 "$T/none.yaml"
	wait_for is_tracing
	probe timeout "$PEER" tcp 100.64.0.1 8001
	expect 1 shrike trace live
	is_one_error_line "$ERR" "shrike: wt0: another live trace"
	stop run-wt0
	await_end live
	is "exit status without programs to trace" 1 $STATUS
	[ "$(jq -s '[.[] | select(.packet.dport == 8001 and
		.reason == "peer_acl_default")] | length' "$T/live.out")" -ge 1 ] ||
		die "packets under the new policy were not traced"
	wait_for is_bare wt0
}

test_live_ends_with_its_reader() {
	local before
	topology "$1"
	policy none </dev/null
	run_shrike wt0 none
	before=$(programs wt0)
	mkfifo "$T/pipe"
	start live "$ROUTER" sh -c 'exec "$0" trace live -i wt0 --port 1 -w - >"$1"' "$SHRIKE" \
		"$T/pipe"
	exec {reader}<"$T/pipe"
	wait_for is_tracing
	# no packet comes that it could fail to write
	exec {reader}<&-
	await_end live
	is "exit status" 0 $STATUS
	is "the programs afterwards" "$before" "$(programs wt0)"
}

test_a_killed_tracer_leaves_nothing() {
	topology "$1"
	serve_all "$ROUTER" 8001
	trace_policy native
	run_shrike wt0 trace
	session in "$PEER" tcp 100.64.0.1 8001
	live
	stop live KILL
	is_tracing || die "the trace went with its process: this test proves nothing"
	wait_for not is_tracing
	talk in ok
	stop run-wt0
	expect 0 shrike attach wt0 -c "$T/trace.yaml"
	live
	stop live KILL
	is_tracing || die "the trace went with its process: this test proves nothing"
	expect 0 shrike conntrack count wt0
	is "programs that trace after the next command" "" "$(tracing)"
	probe ok "$PEER" tcp 100.64.0.1 8001
	is "the pinned program" "$(programs wt0 | sed -n 's|.*ingress \([0-9]*\).*|\1|p')" \
		"$(bpftool -j prog show pinned "$(pins)/wt0/prog_ingress" | jq .id)"
	counters_agree wt0
	expect 0 shrike detach wt0
}
