# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The flow log: what it writes, where to, and what becomes of it when its reader ends.

. "$SELFTESTS/lib/nat.sh"

tests "veth tun" \
	the_log_says_what_conntrack_says \
	a_killed_reader_loses_and_repeats_nothing
tests veth \
	nothing_is_made_before_the_first_log_and_after_the_last \
	a_second_reader_is_refused_by_name \
	files_are_rotated_by_size_and_reopened_by_a_signal \
	a_full_disk_leaves_whole_lines \
	drops_are_summed_up_and_those_not_sampled_counted \
	losses_are_counted_and_written \
	a_collector_gets_all_by_tcp_and_again_when_it_returns \
	nfcapd_stores_what_comes_by_udp \
	pmacct_counts_what_comes_by_udp \
	status_and_metrics_say_how_the_log_is_doing \
	tshark_reads_what_is_sent \
	what_uplinks_translate_is_exported \
	the_journal_gets_a_field_for_each_key \
	options_that_are_wrong_are_refused

IPFIX=$SELFTESTS/tools/ipfix.py

log_policy() {
	policy log <<-EOF
		timeouts: {udp: ${1:-30s}, icmp: ${1:-30s}}
		peer_acl:
		  - {id: web, action: allow, source: [any], protocol: tcp, destination_ports: [8001]}
		  - {id: dns, action: allow, source: [any], protocol: udp, destination_ports: [8001]}
		  - {id: ping, action: allow, source: [any], protocol: icmp}
		  - {id: never, action: deny, source: [any], protocol: udp, destination_ports: [8003]}
	EOF
}

# gate FIELD: of struct flow_log
gate() {
	bpftool -j map dump pinned "$(pins)/wt0/flow_gate_v2" | jq ".[0].formatted.value.log.$1"
}

is_logging() {
	[ "$(gate on)" = 1 ]
}

reads() {
	is_logging && [ "$(gate reader)" = "${PROCESS[$1]}" ]
}

# flowlog NAME [OPTION...]: reads the log in the background, once it does
flowlog() {
	local name=$1
	shift
	start "$name" "$ROUTER" "$SHRIKE" flowlog wt0 "$@"
	wait_for reads "$name"
}

# records FILE JQ-CONDITION: how many fulfil it
records() {
	jq -s "[.[] | select($2)] | length" "$1"
}

records_are() {
	[ "$(records "$2" "$3")" = "$1" ]
}

# ask PORT FIRST LAST: a datagram to PORT from each of the peer's ports FIRST to LAST
ask() {
	in_ns "$PEER" python3 -c 'import socket, sys
port, first, last = map(int, sys.argv[1:])
for source in range(first, last + 1):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("100.64.0.2", source))
        one.sendto(b"?", ("100.64.0.1", port))' "$@"
}

# what both call a connection, with its counters
TUPLE='[.src, .dst, .sport // .icmp_id, .dport]'

test_the_log_says_what_conntrack_says() {
	local family listed
	topology "$1"
	serve_all "$ROUTER" 8001
	serve_all "$PEER" 9001
	log_policy 5s
	run_shrike wt0 log
	flowlog log
	for family in 4 6; do
		use_family $family
		probe ok "$PEER" udp $ROUTER_IP 8001
		probe ok "$PEER" udp $ROUTER_IP 8001
		probe ok "$ROUTER" udp $PEER_IP 9001
		pings ok "$PEER" $ROUTER_IP
		probe ok "$PEER" tcp $ROUTER_IP 8001
	done
	expect 0 shrike conntrack list wt0 -j
	cp "$T/expect.out" "$T/listed"
	wait_for -t 60 records_are 8 "$T/log.out" '.type == "end" and .cause == "timeout"'
	wait_for records_are 2 "$T/log.out" '.type == "end" and .protocol == "tcp"'
	expect 0 "$SELFTESTS/tools/flows.py" same "$T/listed" "$T/log.out"
	echo "$OUT"
	is "records without what all have" 0 "$(records "$T/log.out" '.schema != 2 or
		.interface != "wt0" or (.flow | length) != 16 or
		(.time | test("^[0-9-]+T[0-9:]+\\.[0-9]{3}Z$") | not)')"
	is "ids that start and end share" 10 "$(jq -s 'map(select(.type != "drop")) | group_by(.flow) |
		map(select(map(.type) | sort == ["end", "start"])) | length' "$T/log.out")"
	is "rules" '["dns","ping","web",null]' "$(jq -cs 'map(.rule) | unique | sort_by(. == null)' "$T/log.out")"
	counters_agree wt0
	stop log
	is "exit status" 0 $STATUS
	is "what it complains about" "" "$(cat "$T/log.err")"
}

test_a_killed_reader_loses_and_repeats_nothing() {
	local round first=20000
	topology "$1"
	log_policy 1h
	run_shrike wt0 log
	for round in 1 2 3 4; do
		flowlog log -o "$T/log"
		ask 8001 $first $((first + 149))
		# before it has written, and after that
		[ $((round % 2)) = 1 ] || wait_for grep -qs ":$first," "$T/log"
		stop log KILL
		ask 8001 $((first + 150)) $((first + 249))
		first=$((first + 250))
	done
	# in the midst of a batch: the next write beyond this size kills it
	start log "$ROUTER" prlimit --fsize=$(($(stat -c %s "$T/log") + 20000)) "$SHRIKE" flowlog wt0 -o "$T/log"
	await_end log
	[ $STATUS -gt 128 ] || die "it was not killed: $STATUS"
	is "the line that it has not finished" 0 "$(tail -n 1 "$T/log" | wc -l)"
	flowlog log -o "$T/log"
	wait_for records_are 1000 "$T/log" '.type == "start"'
	stop log
	is "exit status" 0 $STATUS
	is "connections" 1000 "$(jq -s 'map(select(.type == "start") | .sport) | unique | length' "$T/log")"
	is "records of losses" 0 "$(records "$T/log" '.type == "loss"')"
	# a reader that has read no start of them
	flowlog log -o "$T/log"
	expect 0 shrike conntrack flush wt0
	wait_for records_are 1000 "$T/log" '.type == "end" and .cause == "evicted" and .opener.packets == 1'
	is "ids that start and end share" 1000 "$(jq -s 'group_by(.flow) |
		map(select(map(.type) == ["start", "end"])) | length' "$T/log")"
	stop log
}

test_nothing_is_made_before_the_first_log_and_after_the_last() {
	topology "$1"
	serve_all "$ROUTER" 8001
	log_policy
	run_shrike wt0 log
	is "a log before the first" 0 "$(gate on)"
	expect 0 shrike flowlog wt0 --off
	flowlog log
	probe ok "$PEER" udp 100.64.0.1 8001
	wait_for records_are 1 "$T/log.out" '.type == "start"'
	expect 1 shrike flowlog wt0 --off
	matches "while it is read" "wt0: process ${PROCESS[log]} reads its flow log" "$ERR"
	stop log
	is "a log without a reader" 1 "$(gate on)"
	# a change of the policy keeps it
	expect 0 shrike policy apply wt0 "$T/log.yaml"
	probe ok "$PEER" tcp 100.64.0.1 8001
	flowlog log
	wait_for records_are 1 "$T/log.out" '.type == "start" and .rule == "web"'
	stop log
	expect 0 shrike flowlog wt0 --off
	is "a log after the last" 0 "$(gate on)"
	is "rings" 0 "$(bpftool -j map dump pinned "$(pins)/wt0/flow_rings_v2" |
		jq '[.[] | select(.value | type == "array")] | length')"
	probe ok "$PEER" udp 100.64.0.1 8001
	start log "$ROUTER" "$SHRIKE" flowlog wt0
	stop run-wt0
	await_end log
	is "exit status without an interface to watch" 1 $STATUS
	is_one_error_line "$(cat "$T/log.err")"
}

test_a_second_reader_is_refused_by_name() {
	topology "$1"
	log_policy
	run_shrike wt0 log
	flowlog log
	expect 1 shrike flowlog wt0
	is_one_error_line "$ERR" "shrike: wt0: process ${PROCESS[log]} reads its flow log.*"
	# others who listen are no reader of the log
	start monitor "$ROUTER" "$SHRIKE" monitor wt0 -c 1
	wait_for eval 'pings ok "$PEER" 100.64.0.1 >/dev/null; [ -s "$T/monitor.out" ]'
	await_end monitor
	stop log
	expect 1 shrike flowlog lan0
	is_one_error_line "$ERR"
}

# files: the logs, and what they have in all
files() {
	echo "$(find "$T" -name 'log.nd*' | wc -l) $(cat "$T"/log.nd* | jq -s length)"
}

test_files_are_rotated_by_size_and_reopened_by_a_signal() {
	local file
	topology "$1"
	log_policy 1h
	run_shrike wt0 log
	flowlog log -o "$T/log.nd" --size 64K --keep 2
	for i in 1 2 3 4 5 6 7 8; do
		ask 8001 $((20000 + i * 200)) $((20000 + i * 200 + 199))
		wait_for grep -qs "\"sport\":$((20000 + i * 200 + 199))," "$T"/log.nd
	done
	is "files" "log.nd log.nd.1 log.nd.2" "$(cd "$T" && echo log.nd*)"
	for file in "$T"/log.nd*; do
		[ "$(stat -c %s "$file")" -le 65536 ] || die "$file is too large"
		is "mode" 640 "$(stat -c %a "$file")"
		expect 0 jq -e .schema "$file"
	done
	# as logrotate does
	mv "$T/log.nd" "$T/moved"
	kill -HUP "${PROCESS[log]}"
	ask 8001 30000 30000
	wait_for grep -qs '"sport":30000,' "$T/log.nd"
	is "what the file that was moved has of it" 0 "$(grep -c '"sport":30000,' "$T/moved")"
	ln -s /etc/passwd "$T/link"
	stop log
	expect 1 shrike flowlog wt0 -o "$T/link"
	expect 1 shrike flowlog wt0 -o "$T"
	expect 1 shrike flowlog wt0 -o "$T/none/log"
	is_one_error_line "$ERR"
}

test_a_full_disk_leaves_whole_lines() {
	topology "$1"
	log_policy 1h
	run_shrike wt0 log
	mkdir "$T/disk"
	mount -t tmpfs -o size=64k tmpfs "$T/disk"
	at_end 'umount "$T/disk"'
	head -c 40000 /dev/zero >"$T/disk/other"
	flowlog log -o "$T/disk/log"
	ask 8001 20000 20399
	wait_for grep -q "disk/log: No space left on device" "$T/log.err"
	is "lines that are none" "" "$(jq -c . "$T/disk/log" 2>&1 >/dev/null)"
	rm "$T/disk/other"
	mount -o remount,size=4m "$T/disk"
	wait_for records_are 400 "$T/disk/log" '.type == "start"'
	wait_for grep -q "is written again" "$T/log.err"
	is "connections" 400 "$(jq -s 'map(.sport) | unique | length' "$T/disk/log")"
	stop log
}

# all_is_accounted_for: drops in the log and beside it are those that the programs have counted
all_is_accounted_for() {
	local logged unsampled
	logged=$(jq -s 'map(select(.type == "drop") | .opener.packets) | add // 0' "$T/log.out")
	unsampled=$(jq -s 'map(select(.type == "loss") | .unsampled_drops) | add // 0' "$T/log.out")
	[ $((logged + unsampled)) = "$(dropped wt0 peer_acl_denied)" ]
}

test_drops_are_summed_up_and_those_not_sampled_counted() {
	topology "$1"
	log_policy
	run_shrike wt0 log
	flowlog log --drops 100
	ask 8003 20000 23999
	wait_for all_is_accounted_for
	[ "$(records "$T/log.out" '.type == "drop"')" -le 40 ] || die "they are not summed up"
	[ "$(records "$T/log.out" '.type == "loss" and .unsampled_drops > 0')" -ge 1 ] ||
		die "what was not sampled is not said"
	[ "$(records "$T/log.out" '.type == "drop" and .opener.packets >= 50 and .rule == "never" and
		.reason == "peer_acl_denied" and .dst == "100.64.0.1" and .dport == 8003 and
		(has("sport") | not) and .since <= .time')" -ge 1 ] || die "no sum"
	echo "$(dropped wt0 peer_acl_denied) drops, $(wc -l <"$T/log.out") lines"
	stop log
	counters_agree wt0
}

# The ring has room for some 37,000 events.
test_losses_are_counted_and_written() {
	topology "$1"
	policy flood <<-EOF
		limits: {udp: 200000}
		peer_acl: [{id: dns, action: allow, source: [any], protocol: udp}]
	EOF
	run_shrike wt0 flood
	flowlog log -o "$T/log"
	stop log
	# connections from 45,000 ports
	ask 8001 20000 64999
	flowlog log -o "$T/log"
	wait_for -t 60 records_are 1 "$T/log" '.type == "loss" and .lost_events > 0'
	ask 8001 19000 19000
	wait_for grep -q '"sport":19000,' "$T/log"
	is "connections in the log, and events that are lost" \
		"$(bpftool -j map dump pinned "$(pins)/wt0/flow_gate_v2" | jq '.[0].formatted.value.lost[4]')" \
		"$(jq -s 'map(select(.type == "loss") | .lost_events) | add' "$T/log")"
	stop log
	flowlog log
	stop log
	is "losses that are said twice" 0 "$(records "$T/log.out" '.type == "loss"')"
}

# collect KIND: a collector in the LAN
collect() {
	start collector "$LAN" "$IPFIX" "$1" "${2:-192.168.77.2}" 4739
	wait_for grep -q listens "$T/collector.out"
}

test_a_collector_gets_all_by_tcp_and_again_when_it_returns() {
	topology "$1"
	serve_all "$ROUTER" 8001
	log_policy 1s
	run_shrike wt0 log
	collect tcp
	flowlog log --ipfix tcp:192.168.77.2:4739
	for family in 4 6; do
		use_family $family
		probe ok "$PEER" udp $ROUTER_IP 8001
		probe timeout "$PEER" udp $ROUTER_IP 8003
		wait_for records_are 1 "$T/collector.out" ".firewallEvent == 2 and .flowEndReason == 1 and
			.sourceIPv${family}Address == \"$PEER_IP\" and .protocolIdentifier == 17 and
			.packetDeltaCount == 1 and .reversePacketDeltaCount == 1 and
			.octetDeltaCount > 28 and .octetDeltaCount == .reverseOctetDeltaCount and
			.flowEndMilliseconds > .flowStartMilliseconds and .biflowDirection == 1"
		wait_for records_are 1 "$T/collector.out" ".firewallEvent == 3 and
			.destinationIPv${family}Address == \"$ROUTER_IP\" and
			.droppedPacketDeltaCount >= 1 and .destinationTransportPort == 8003"
	done
	is "ids that start and end share" 2 "$(jq -s 'map(select(.flowId)) | group_by(.flowId) |
		map(select(map(.firewallEvent) == [1, 2])) | length' "$T/collector.out")"
	is "rules" '["dns","never"]' "$(jq -cs 'map(.selectorName // empty) | unique' "$T/collector.out")"
	[ "$(jq -s 'map(select(.selectorName == "dns"))[0].selectorId' "$T/collector.out")" = \
		"$(jq -s 'map(select(.firewallEvent == 2))[0].selectorId' "$T/collector.out")" ] || die "another rule"
	stop collector KILL
	is "what the collector complains about" "" "$(cat "$T/collector.err")"
	ask 8001 20000 20099
	wait_for grep -q "the collector 192.168.77.2 port 4739" "$T/log.err"
	collect tcp
	wait_for records_are 100 "$T/collector.out" '.firewallEvent == 1 and .sourceTransportPort >= 20000 and
		.sourceTransportPort < 20100'
	wait_for records_are 100 "$T/collector.out" '.firewallEvent == 2'
	stop collector
	is "what the collector complains about" "" "$(cat "$T/collector.err")"
	stop log
	is "exit status" 0 $STATUS
}

test_nfcapd_stores_what_comes_by_udp() {
	local nfcapd nfdump
	nfcapd=$("$SELFTESTS/unpacked" nfdump nfcapd) && nfdump=$("$SELFTESTS/unpacked" nfdump nfdump) ||
		skip "there is no nfcapd: selftests/unpacked --fetch nfdump nfcapd gets it"
	topology "$1"
	serve_all "$ROUTER" 8001
	log_policy 1s
	run_shrike wt0 log
	mkdir "$T/nf"
	start nfcapd "$LAN" "$nfcapd" -w "$T/nf" -p 4739 -t 3600
	wait_for eval 'in_ns "$LAN" ss -Hlun sport = :4739 | grep -q .'
	flowlog log --ipfix udp:192.168.77.2:4739
	# another listener, to know when the ends have come
	start seen "$ROUTER" "$SHRIKE" monitor wt0 -j
	wait_for eval 'pings ok "$PEER" fd64::1 >/dev/null && [ -s "$T/seen.out" ]'
	probe ok "$PEER" udp 100.64.0.1 8001
	probe ok "$PEER" tcp fd64::1 8001
	probe ok "$PEER" udp fd64::1 8001
	ask 8003 20000 20049
	wait_for records_are 2 "$T/seen.out" '.type == "end" and .protocol == "udp"'
	stop log
	wait_for eval 'in_ns "$LAN" ss -Hlun sport = :4739 | grep -q "^UNCONN *0 "'
	stop nfcapd
	expect 0 "$nfdump" -R "$T/nf" -o json
	cp "$T/expect.out" "$T/flows"
	is "UDP" 1 "$(jq '[.[] | select(.src4_addr == "100.64.0.2" and .dst4_addr == "100.64.0.1" and
		.proto == 17 and .dst_port == 8001 and .in_packets == 1 and .out_packets == 1)] |
		length' "$T/flows")"
	is "UDP over IPv6" 1 "$(jq '[.[] | select(.src6_addr == "fd64::2" and .dst6_addr == "fd64::1" and
		.proto == 17 and .dst_port == 8001 and .in_packets == 1 and .out_packets == 1)] |
		length' "$T/flows")"
	is "TCP over IPv6" 1 "$(jq '[.[] | select(.src6_addr == "fd64::2" and .proto == 6 and
		.dst_port == 8001 and .in_packets > 3 and .in_bytes > 100)] | length' "$T/flows")"
	# its count of sequence numbers leaves options out, against RFC 7011, 3.1
	matches "what nfcapd says" "Bad Packets: 0" "$(cat "$T/nfcapd.err" "$T/nfcapd.out")"
}

# Packets from ADDRESS to a port that pmacct has counted, and to its answers.
pmacct_counts() {
	[ -e "$T/pm" ] && [ "$(jq -s "map(select(.ip_src == \"$2\" and .ip_dst == \"$3\" and
		.ip_proto == \"$4\" and .port_dst == $5) | .packets) | add // 0" "$T/pm")" -ge "$1" ]
}

test_pmacct_counts_what_comes_by_udp() {
	local nfacctd
	nfacctd=$("$SELFTESTS/unpacked" pmacct nfacctd) ||
		skip "there is no nfacctd: make test gets it (package pmacct)"
	topology "$1"
	serve_all "$ROUTER" 8001
	log_policy 1s
	run_shrike wt0 log
	cat >"$T/nfacctd.conf" <<-EOF
		daemonize: false
		nfacctd_ip: 192.168.77.2
		nfacctd_port: 4739
		plugins: print
		aggregate: src_host, dst_host, src_port, dst_port, proto
		print_output: json
		print_output_file: $T/pm
		print_output_file_append: true
		print_refresh_time: 1
	EOF
	start nfacctd "$LAN" env LD_LIBRARY_PATH="$nfacctd.lib" "$nfacctd" -f "$T/nfacctd.conf"
	wait_for eval 'in_ns "$LAN" ss -Hlun sport = :4739 | grep -q .'
	flowlog log --ipfix udp:192.168.77.2:4739
	probe ok "$PEER" udp 100.64.0.1 8001
	probe ok "$PEER" tcp fd64::1 8001
	probe ok "$PEER" udp fd64::1 8001
	wait_for -t 60 pmacct_counts 1 100.64.0.2 100.64.0.1 udp 8001
	wait_for -t 60 pmacct_counts 1 fd64::2 fd64::1 udp 8001
	wait_for -t 60 pmacct_counts 4 fd64::2 fd64::1 tcp 8001
	stop log
	stop nfacctd INT
	is "what nfacctd complains about" "" "$(grep -E 'WARN|ERROR' "$T/nfacctd.out" "$T/nfacctd.err")"
}

# flow_log JQ: of what status says of the log
flow_log() {
	shrike status wt0 -j | jq -c ".[0].flow_log$1"
}

# figure NAME: of a metric of the log, in both formats
figure() {
	local text metrics
	text=$(shrike metrics wt0 | grep "^shrike_flowlog_$1{" | sed 's/.* //')
	metrics=$(shrike metrics wt0 --openmetrics | grep "^shrike_flowlog_$1{" | sed 's/.* //')
	[ "$text" = "$metrics" ] || die "the formats differ: $1 $text $metrics"
	echo "$text"
}

test_status_and_metrics_say_how_the_log_is_doing() {
	topology "$1"
	policy flood <<-EOF
		limits: {udp: 200000}
		peer_acl: [{id: dns, action: allow, source: [any], protocol: udp}]
	EOF
	run_shrike wt0 flood
	is "no log" null "$(flow_log "")"
	is "no figures" "" "$(figure reader)"
	[[ $(shrike status wt0) != *"flow log"* ]] || die "status tells of a log that there is not"
	flowlog log -o "$T/log"
	is "reader" "${PROCESS[log]}" "$(flow_log .reader)"
	is "reader as a figure" 1 "$(figure reader)"
	matches "status" "flow log: written by process ${PROCESS[log]}, its ring is 0% full" \
		"$(shrike status wt0)"
	stop log
	is "no reader" null "$(flow_log .reader)"
	is "no reader as a figure" 0 "$(figure reader)"
	ask 8001 20000 20999
	[ "$(flow_log .used_bytes)" -gt 100000 ] || die "nothing is in the ring: $(flow_log "")"
	is "fill as a figure" "$(flow_log .used_bytes)" "$(figure ring_used_bytes)"
	is "size as a figure" "$(flow_log .ring_bytes)" "$(figure ring_bytes)"
	matches "fill" "flow log: nobody writes it down, its ring is [1-9][0-9]?% full" "$(shrike status wt0)"
	ask 8001 21000 64999
	[ "$(flow_log .lost_events)" -gt 0 ] || die "nothing is lost: $(flow_log "")"
	is "losses as a figure" "$(flow_log .lost_events)" "$(figure lost_events_total)"
	matches "losses" "its ring is 100% full"$'\n'"    [0-9]+ events were lost, as it was full" \
		"$(shrike status wt0)"
	flowlog log -o "$T/log"
	wait_for eval '[ "$(flow_log .used_bytes)" = 0 ]'
	stop log
	expect 0 shrike flowlog wt0 --off
	is "after the end" null "$(flow_log "")"
}

test_tshark_reads_what_is_sent() {
	topology "$1"
	serve_all "$ROUTER" 8001
	log_policy 1s
	run_shrike wt0 log
	start capture "$LAN" tcpdump -i eth0 -U -w "$T/capture.pcap" tcp port 4739
	wait_for grep -q "listening on" "$T/capture.err"
	collect tcp
	flowlog log --ipfix tcp:192.168.77.2:4739
	probe ok "$PEER" udp 100.64.0.1 8001
	probe ok "$PEER" udp fd64::1 8001
	probe timeout "$PEER" udp 100.64.0.1 8003
	wait_for records_are 2 "$T/collector.out" '.firewallEvent == 2'
	stop log
	stop capture INT
	expect 0 tshark -r "$T/capture.pcap" -d tcp.port==4739,cflow -Y cflow -T fields \
		-E separator=, -e cflow.srcaddr -e cflow.srcaddrv6 -e cflow.firewall_event -e cflow.drop_packets
	matches "IPv4" "100.64.0.2" "$OUT"
	matches "IPv6" "fd64::2" "$OUT"
	expect 0 tshark -r "$T/capture.pcap" -d tcp.port==4739,cflow -Y "_ws.malformed || _ws.expert.severity >= 0x600000" \
		-T fields -e frame.number
	is "messages that are malformed" "" "$OUT"
}

test_what_uplinks_translate_is_exported() {
	nat_topology "$1"
	run_nat
	collect udp
	flowlog log --ipfix udp:192.168.77.2:4739
	session held "$PEER" tcp 192.168.77.2 8080 -s 100.64.0.2 -p 61007
	talk held ok
	wait_for records_are 1 "$T/collector.out" '.firewallEvent == 1 and .sourceTransportPort == 61007 and
		.postNATSourceIPv4Address == "192.168.77.1" and .postNAPTSourceTransportPort == 61007 and
		.ingressInterface > 0 and .egressInterface > 0 and .ingressInterface != .egressInterface'
	stop log
	stop collector
	flowlog log
	stop held
	wait_for records_are 1 "$T/log.out" '.type == "end" and .sport == 61007 and
		.nat == {"src": "192.168.77.1", "sport": 61007, "uplink": "lan0"}'
	stop log
	is "what the collector complains about" "" "$(cat "$T/collector.err")"
}

test_the_journal_gets_a_field_for_each_key() {
	local journald=/lib/systemd/systemd-journald
	[ -x $journald ] || skip "there is no journald"
	topology "$1"
	serve_all "$ROUTER" 8001
	log_policy
	run_shrike wt0 log
	start journal "$ROUTER" unshare --mount sh -c 'mount -t tmpfs tmpfs /run &&
		mkdir -p /run/systemd/journal /run/log/journal && echo 0123456789abcdef0123456789abcdef >/run/machine-id &&
		mount --bind /run/machine-id /etc/machine-id && exec "$0"' $journald
	wait_for in_journal test -S /run/systemd/journal/socket
	start log "$ROUTER" nsenter --mount="/proc/${PROCESS[journal]}/ns/mnt" "$SHRIKE" flowlog wt0 --journal
	wait_for is_logging
	probe ok "$PEER" udp 100.64.0.1 8001
	wait_for eval 'in_journal journalctl -o json SHRIKE_TYPE=start >"$T/entries" && [ -s "$T/entries" ]'
	is "its fields" "shrike-flowlog wt0 dns 100.64.0.2 8001 2 6" "$(jq -r '[.SYSLOG_IDENTIFIER, .SHRIKE_INTERFACE,
		.SHRIKE_RULE, .SHRIKE_SRC, .SHRIKE_DPORT, .SHRIKE_SCHEMA, .PRIORITY] | join(" ")' "$T/entries")"
	matches "its message" "start ingress udp  100.64.0.2:[0-9]+ -> 100.64.0.1:8001 rule=dns" \
		"$(jq -r .MESSAGE "$T/entries")"
	stop log
	stop journal
	expect 1 shrike flowlog wt0 --journal
	is_one_error_line "$ERR"
}

in_journal() {
	nsenter --mount="/proc/${PROCESS[journal]}/ns/mnt" -- "$@"
}

test_options_that_are_wrong_are_refused() {
	local options
	topology "$1"
	while read -r options; do
		# shellcheck disable=SC2086 # words
		expect 2 shrike flowlog wt0 $options
		is_one_error_line "${ERR%%$'\n'*}"
	done <<-EOF
		--ipfix 192.0.2.1:4739
		--ipfix udp:192.0.2.1
		--ipfix udp::4739
		--ipfix udp:192.0.2.1:0
		--ipfix udp:192.0.2.1:65536
		--ipfix tcp:fd00::1:4739
		--ipfix sctp:192.0.2.1:4739
		--size 1M
		--keep 2
		-o $T/log --size 1
		-o $T/log --size 1T
		-o $T/log --size M
		-o $T/log --size 99999999999G
		-o $T/log --keep 1001
		-o $T/log --keep -1
		-o $T/log --journal
		--journal --ipfix udp:192.0.2.1:4739
		--off --journal
		--drops 1000001
		--drops few
	EOF
	mkfifo "$T/pipe"
	expect 1 timeout -s KILL 20 nsenter --net="/run/netns/$ROUTER" -- "$SHRIKE" flowlog wt0 -o "$T/pipe"
	is_one_error_line "$ERR" "/pipe: not a regular file$"
}
