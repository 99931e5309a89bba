# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What trace says of packets that might come, and of those that do.

tests "veth tun" \
	trace_reads_exactly_as_promised \
	a_trace_changes_nothing \
	live_shows_packets_of_both_directions_and_loses_none \
	captures_of_live_are_read_by_others_and_by_trace

tests tun \
	a_denial_explains_itself \
	bad_arguments_are_refused \
	live_writes_into_a_pipe_what_is_asked_for \
	every_flag_type_and_capture_can_be_traced \
	live_filters_in_the_kernel \
	live_follows_the_policy_and_ends_with_it \
	a_killed_tracer_leaves_nothing

trace_policy() {
	policy trace <<-EOF
		mode: {routing: ${1:-auto}}
		peer_acl:
		  - {id: ssh, action: allow, source: [100.64.0.0/16, "fd64::/64"], protocol: tcp,
		     destination_ports: [22, 8001]}
		  - {id: ping, action: allow, source: [any], protocol: icmp}
		  - {id: never, action: deny, source: [100.64.0.0/16], protocol: tcp, destination_ports: [23]}
		route_acl:
		  - {id: web, action: allow, source: [100.64.0.0/10, "fd64::/64"], destination: [any],
		     protocol: tcp, destination_ports: [80]}
	EOF
}

# story LINE...: what trace has printed is this text; its random port is written as PORT
story() {
	is "the text" "$(printf '%s\n' "$@")" \
		"$(sed -E 's/((100\.64\.31\.206|\[fd64::5\]):)(49[2-9]|4915[2-9]|491[6-9]|[56])[0-9]+/\1PORT/' \
			"$T/expect.out")"
}

# forwards_to_proxy: `run` has its forwarder ready; the trace is left for story
forwards_to_proxy() {
	shrike trace in 100.64.31.206 1.1.1.1 -p tcp --dport 80 >"$T/expect.out" &&
		grep -q proxy-remote "$T/expect.out"
}

test_trace_reads_exactly_as_promised() {
	topology "$1"
	kernel_forwards 1
	trace_policy
	run_shrike wt0 trace
	expect 0 shrike trace in 100.64.31.206 1.1.1.1 -p tcp --dport 80
	story "" "Packet trace 100.64.31.206:PORT -> 1.1.1.1:80 (TCP)" "" \
		"Received: Received TCP packet: 100.64.31.206:PORT -> 1.1.1.1:80" \
		"Connection Tracking: No existing connection found" \
		"Routing: Routing enabled, checking ACLs" \
		"Route ACL: Allowed by route ACLs (web)" \
		"Forwarding: Forwarding via native router" \
		"Completed: Processing completed" "" "Final disposition: ALLOWED"
	expect 0 shrike trace in fd64::5 self --dport 23
	story "" "Packet trace [fd64::5]:PORT -> [fd64::1]:23 (TCP)" "" \
		"Received: Received TCP packet: [fd64::5]:PORT -> [fd64::1]:23" \
		"Connection Tracking: No existing connection found" \
		"Routing: Packet destined for local delivery" \
		"Peer ACL: Blocked by peer ACL rules (<no id>)" \
		"Completed: Packet dropped - ACL denied" "" "Final disposition: DENIED"
	expect 0 shrike trace in 100.64.0.2 self -p icmp --icmp-type 0 -j
	is "JSON of an ICMP type" '0 pass peer_acl_allowed ping ALLOWED' "$(jq -r \
		'"\(.packet.icmp.type) \(.verdict) \(.reason) \(.rule) \(.disposition)"' <<<"$OUT")"
	expect 0 shrike trace out self 100.64.0.2 -p udp --dport 53 -i wt0 -j
	is "JSON of a packet that leaves" "out pass outbound null" "$(jq -r \
		'"\(.packet.direction) \(.verdict) \(.reason) \(.rule)"' <<<"$OUT")"
	trace_policy userspace
	expect 0 shrike policy apply wt0 "$T/trace.yaml"
	wait_for forwards_to_proxy
	story "" "Packet trace 100.64.31.206:PORT -> 1.1.1.1:80 (TCP)" "" \
		"Received: Received TCP packet: 100.64.31.206:PORT -> 1.1.1.1:80" \
		"Connection Tracking: No existing connection found" \
		"Routing: Routing enabled, checking ACLs" \
		"Route ACL: Allowed by route ACLs (web)" \
		"Forwarding: Forwarding to proxy-remote [proxy-remote to 1.1.1.1:80]" \
		"Completed: Processing completed" "" "Final disposition: ALLOWED"
	policy off <<<"mode: {routing: disabled}"
	expect 0 shrike policy apply wt0 "$T/off.yaml"
	expect 0 shrike trace in 100.64.31.206 1.1.1.1 --dport 80 --sport 4242
	matches "the text" "Routing: Routing disabled.*Packet dropped - routing disabled.*DENIED" \
		"$OUT"
}

# mac NETNS DEVICE
mac() {
	ip -n "$1" -j link show dev "$2" | jq -r '.[0].address'
}

# know_each_other: on Ethernet, so that neither end asks for the other's address meanwhile
know_each_other() {
	ip -n "$ROUTER" neighbour replace 100.64.0.2 dev wt0 lladdr "$(mac "$PEER" p0)" \
		nud permanent
	ip -n "$PEER" neighbour replace 100.64.0.1 dev p0 lladdr "$(mac "$ROUTER" wt0)" \
		nud permanent
}

# everything: each map of the dataplane with its content, but for the clock of the gate
everything() {
	local pin
	for pin in "$(pins)"/wt0/*_v1; do
		echo "${pin##*/} $(bpftool -j map dump pinned "$pin" 2>&1 | jq -cS '[.[].formatted]')"
	done
	shrike conntrack list wt0 | sed -E 's/^([a-z]+ +[a-z_]+ +)[0-9]+/\1/'
	programs wt0
}

# traffic_of_wt0: what the device itself has counted, whatever the dataplane says
traffic_of_wt0() {
	ip -n "$ROUTER" -s -j link show dev wt0 |
		jq -c '.[0].stats64 | [.rx.packets, .tx.packets]'
}

# trace_all SPORT: packets that would open, use, end and not find connections
trace_all() {
	expect 0 shrike trace in 100.64.0.2 self --sport "$1" --dport 8001 --rst
	expect 0 shrike trace in 100.64.0.2 self --dport 22
	expect 0 shrike trace in 100.64.0.2 self --dport 23
	expect 0 shrike trace in fd64::2 2001:db8::1 --dport 80
	expect 0 shrike trace in 100.64.0.2 self -p udp --dport 9
	expect 0 shrike trace in 100.64.0.2 self -p icmp
	expect 0 shrike trace out self 100.64.0.2 --dport 443
	expect 0 shrike trace out self fd64::2 -p udp --dport 443
}

# The kernel of either end may say something at any time, such as which multicast groups it is in.
# A round in which a packet came by wt0 proves nothing, so it is made again, with another connection
# that no trace has told of yet.
test_a_trace_changes_nothing() {
	local round before after
	topology "$1"
	kernel_forwards 1
	[ "$1" = veth ] && know_each_other
	serve_all "$ROUTER" 8001
	trace_policy
	run_shrike wt0 trace
	for round in 1 2 3 4 5 6 7 8; do
		session in$round "$PEER" tcp 100.64.0.1 8001 -s 100.64.0.2 -p 4000$round
		talk in$round ok
		before=$(traffic_of_wt0)
		everything >"$T/before"
		trace_all 4000$round
		everything >"$T/after"
		after=$(traffic_of_wt0)
		[ "$before" = "$after" ] && break
		echo "round $round: packets came by, $before became $after"
	done
	is "packets that wt0 has counted meanwhile" "$before" "$after"
	is "what has changed" "" "$(diff "$T/before" "$T/after")"
	[ "$(wc -l <"$T/before")" -gt 20 ] || die "nothing was compared"
	talk in$round ok
}

# fields JQ-EXPRESSION: of what trace has just printed as JSON
fields() {
	jq -r "$1" <<<"$OUT"
}

test_every_flag_type_and_capture_can_be_traced() {
	local direction flag type
	topology "$1"
	kernel_forwards 1
	trace_policy
	run_shrike wt0 trace
	for flag in syn ack fin rst psh urg; do
		expect 0 shrike trace in 100.64.0.2 self --dport 22 --$flag -j
		is "flags" "[\"$flag\"]" "$(fields '.packet.flags | tojson')"
	done
	expect 0 shrike trace in 100.64.0.2 self --dport 22 -j
	is "flags without an option" '["syn"]' "$(fields '.packet.flags | tojson')"
	expect 0 shrike trace in 100.64.0.2 self --dport 22 --syn --ack --fin --rst --psh --urg -j
	is "flags" "6" "$(fields '.packet.flags | length')"
	for type in 0 3 8 255; do
		expect 0 shrike trace in 100.64.0.2 self -p icmp --icmp-type $type --icmp-code 1 -j
		is "type and code" "$type 1" "$(fields '"\(.packet.icmp.type) \(.packet.icmp.code)"')"
	done
	expect 0 shrike trace in fd64::2 self -p icmp -j
	is "the type of an IPv6 echo request" 128 "$(fields .packet.icmp.type)"
	for direction in in out; do
		live -w "$T/$direction.pcapng" --direction $direction -p icmp -c 1
		pings ok "$PEER" fd64::1
		await_end live
		expect 0 shrike trace $direction --pcap "$T/$direction.pcapng" -j
		is "direction of a captured packet" $direction "$(fields .packet.direction)"
		expect 0 tcpdump -r "$T/$direction.pcapng" -w "$T/$direction.pcap"
		expect 0 shrike trace $direction --pcap "$T/$direction.pcap" -j
		is "length of one in the old format" 104 "$(fields .packet.length)"
	done
	for _ in $(seq 20); do
		expect 0 shrike trace in 100.64.0.2 self -j >/dev/null
		fields .packet.sport
	done >"$T/ports"
	[ "$(sort -u "$T/ports" | wc -l)" -gt 10 ] || die "source ports are not random"
	is "source ports outside 49152-65535" "" "$(awk '$1 < 49152 || $1 > 65535' "$T/ports")"
}

test_a_denial_explains_itself() {
	topology "$1"
	kernel_forwards 1
	trace_policy
	run_shrike wt0 trace
	expect 0 shrike trace in 100.64.0.2 1.1.1.1 --dport 81 -v
	matches "the explanation" "Nearest rules:.  web \(line 9\): destination port 81 is not 80" \
		"$(tr '\n' . <<<"$OUT")"
	expect 0 shrike trace in 10.0.0.1 self -p tcp --dport 22 -v -j
	is "the nearest rule" "ssh source" \
		"$(jq -r '.nearest[0] | "\(.rule) \([.mismatches[].field] | join(","))"' <<<"$OUT")"
	expect 0 shrike trace in 100.64.0.2 self --dport 23 -v
	matches "the explanation" "Denied by rule never \(line 7\)" "$OUT"
	expect 0 shrike trace in 100.64.0.2 self --dport 22 -v
	is "lines behind an allowed packet" "Final disposition: ALLOWED" "$(tail -n 1 <<<"$OUT")"
}

# refused STATUS ARGUMENT...: with one line
refused() {
	expect "$1" shrike trace "${@:2}"
	is_one_error_line "$ERR"
}

test_bad_arguments_are_refused() {
	topology "$1"
	refused 1 in 100.64.0.2 self -i wt0
	trace_policy
	run_shrike wt0 trace
	refused 2 in 100.64.0.2
	refused 2 in 100.64.0.2 fd64::1
	refused 2 in 100.64.0.2 nowhere
	refused 2 in 100.64.0.2 self --dport 65536
	refused 2 in 100.64.0.2 self -p icmp --dport 80
	refused 2 in 100.64.0.2 self -p udp --syn
	refused 2 in 100.64.0.2 self -p all
	refused 2 in 100.64.0.2 self --icmp-type 8
	refused 2 in 100.64.0.2 self --pcap "$T/trace.yaml"
	refused 2 in --pcap "$T/trace.yaml"
	refused 1 in --pcap "$T/nowhere"
	refused 2 live --verdict maybe
	refused 2 live --rule nobody
	refused 2 live --host fd64::1 -4
	refused 2 live -c 0
	refused 1 live -w "$T/nowhere/file"
	is "programs that trace" "" "$(tracing)"
}

# tracing: non-empty while a live trace is in force
tracing() {
	local filters id
	filters=$(bpftool -j map list | jq '[.[] | select(.name == "trace_filter_v1") | .id]')
	programs wt0 | while read -r _ id _; do
		bpftool -j prog show id "$id" |
			jq --argjson filters "$filters" '.map_ids - (.map_ids - $filters) | .[]'
	done | sort -u | while read -r id; do
		bpftool -j map dump id "$id" | jq '.[] | select(.formatted.value.active == 1) | "on"'
	done
}

is_tracing() {
	[ -n "$(tracing)" ]
}

# live ARGUMENT...: a live trace in the background, process live, once it is in force
live() {
	start live "$ROUTER" "$SHRIKE" trace live -i wt0 "$@"
	wait_for is_tracing
}

# told N JQ-CONDITION: so many records of the live trace fulfil it
told() {
	[ "$(jq -s "[.[] | select($2)] | length" "$T/live.out")" = "$1" ]
}

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
	wait_for told 1 '.packet.sport == 40001 and .packet.flags == ["syn"] and
		.reason == "peer_acl_allowed" and .rule == "ssh" and .state == "syn_received"'
	wait_for told 1 '.packet.sport == 8001 and .packet.flags == ["syn", "ack"] and
		.packet.direction == "out" and .verdict == "pass"'
	wait_for told 1 '.packet.icmp.type == 128 and .rule == "ping" and
		.packet.direction == "in"'
	wait_for told 1 '.packet.icmp.type == 129 and .packet.direction == "out"'
	[ "$(jq -s '[.[] | select(.packet.dport == 8002 and .verdict == "drop" and
		.reason == "peer_acl_default" and .disposition == "DENIED")] | length' \
		"$T/live.out")" -ge 1 ] || die "the dropped packet was not told of"
	stop live
	is "exit status" 0 $STATUS
	matches "the summary" "^shrike: ([0-9]+) packets traced, [0-9]+ matched, 0 lost$" \
		"$(cat "$T/live.err")"
	is "packets told of" "${BASH_REMATCH[1]}" "$(wc -l <"$T/live.out")"
	is "the programs afterwards" "$before" "$(programs wt0)"
	counters_agree wt0
}

# has_tshark: as on every machine; the guests of the kernel tests are too small for it
has_tshark() {
	command -v tshark >/dev/null && return
	[ "${SLOWNESS:-1}" -gt 1 ] || die "tshark is not installed"
	return 1
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
	wait_for told 1 '.packet.protocol == "udp"'
	stop live
	is "packets told of" 1 "$(wc -l <"$T/live.out")"
	live --rule ssh -c 1 --direction in
	probe ok "$PEER" tcp 100.64.0.1 8001
	await_end live
	matches "the line" "^[0-9T:.Z-]+ in TCP 100\.64\.0\.2:[0-9]+ -> 100\.64\.0\.1:8001: pass \
peer_acl_allowed rule ssh state syn_received$" "$(cat "$T/live.out")"
	live --every 1000000 -v -c 1
	probe ok "$PEER" tcp 100.64.0.1 8001
	await_end live
	matches "the text" "^.Packet trace .*Received: .*Final disposition: ALLOWED" \
		"$(tr '\n' . <"$T/live.out")"
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
		die "packets under the new policy were not told of"
	wait_for is_bare wt0
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
