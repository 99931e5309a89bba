# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What trace says of packets that might come.

. "$SELFTESTS/lib/trace.sh"

tests "veth tun" \
	trace_reads_exactly_as_promised \
	a_trace_changes_nothing

tests tun \
	a_denial_explains_itself \
	bad_arguments_are_refused \
	every_flag_type_and_capture_can_be_traced

tests file \
	a_reset_that_fits_no_window_is_not_of_the_connection

# printed LINE...: what trace has printed is this text; its random port is written as PORT
printed() {
	is "the text" "$(printf '%s\n' "$@")" \
		"$(sed -E 's/((100\.64\.31\.206|\[fd64::5\]):)(49[2-9]|4915[2-9]|491[6-9]|[56])[0-9]+/\1PORT/' \
			"$T/expect.out")"
}

# forwards_to_proxy: `run` has its forwarder ready; the trace is left for printed
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
	printed "" "Packet trace 100.64.31.206:PORT -> 1.1.1.1:80 (TCP)" "" \
		"Received: Received TCP packet: 100.64.31.206:PORT -> 1.1.1.1:80" \
		"Connection Tracking: No existing connection found" \
		"Routing: Routing enabled, checking ACLs" \
		"Route ACL: Allowed by route ACLs (web)" \
		"Forwarding: Forwarding via native router" \
		"Completed: Processing completed" "" "Final disposition: ALLOWED"
	expect 0 shrike trace in fd64::5 self --dport 23
	printed "" "Packet trace [fd64::5]:PORT -> [fd64::1]:23 (TCP)" "" \
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
	printed "" "Packet trace 100.64.31.206:PORT -> 1.1.1.1:80 (TCP)" "" \
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

# everything: each map of the dataplane with its content, but for scratch memory of a CPU
everything() {
	local pin
	for pin in "$(pins)"/wt0/*_v[0-9]; do
		[[ $pin != */ct_scratch_v* ]] || continue
		echo "${pin##*/} $(bpftool -j map dump pinned "$pin" 2>&1 | jq -cS '[.[].formatted]')"
	done
	shrike conntrack list wt0 | sed -E 's/^([a-z]+ +[a-z_]+ +)[0-9]+/\1/'
	programs wt0
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
# that no trace has shown yet.
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
	expect 0 shrike trace in 100.64.0.2 self -p gre -j
	is "a protocol by its name" 47 "$(fields .packet.protocol)"
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

test_a_reset_that_fits_no_window_is_not_of_the_connection() {
	local ends="src: 100.64.0.2, dst: 100.64.0.1, protocol: tcp, sport: 4000, dport: 22"
	local answer="src: 100.64.0.1, dst: 100.64.0.2, protocol: tcp, sport: 22, dport: 4000"
	cat >"$T/reset.yaml" <<-EOF
		policy:
		  version: 1
		  peer_acl: [{id: ssh, action: allow, protocol: tcp, destination_ports: [22]}]
		interface: {addresses: [100.64.0.1/16], link: l3}
		packets:
		  - {direction: in, $ends, flags: [syn]}
		  - {direction: out, $answer, flags: [syn, ack]}
		  - {direction: in, $ends, flags: [ack]}
		  - {direction: in, $ends, flags: [rst], seq: 12345}
	EOF
	expect 0 "$SHRIKE" simulate "$T/reset.yaml" -j
	is "what conntrack said" \
		"Not part of the existing connection, checking ACLs (TCP Flags: SYN=false ACK=false RST=true FIN=false)" \
		"$(tail -n 1 <<<"$OUT" | jq -r '.stages[] | select(.stage == "Connection Tracking").message')"
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
	refused 2 in 100.64.0.2 self -p no-protocol
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
