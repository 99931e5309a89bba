# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What users see of `routing: nat`.

. "$SELFTESTS/lib/nat.sh"
. "$SELFTESTS/lib/trace.sh"

tests "veth tun" \
	a_trace_says_uplink_address_and_port \
	a_live_trace_follows_the_host_and_loses_no_connection \
	a_live_trace_shows_what_uplinks_bring \
	conntrack_and_events_show_both_tuples \
	status_and_stats_say_what_left_by_which_uplink
tests veth \
	what_is_bypassed_is_named_and_ipsec_refuses \
	filters_of_others_at_uplinks_are_named \
	ipsec_policies_that_come_later_are_noticed

test_a_trace_says_uplink_address_and_port() {
	nat_topology "$1"
	run_nat
	expect 0 shrike trace in 100.64.0.2 192.168.77.2 --sport 61007 --dport 8080
	matches "a packet that would open a connection" \
		"Forwarding: Forwarding to nat \[192.168.77.1:61007 to 192.168.77.2:8080 via lan0\]" "$OUT"
	expect 0 shrike trace in 100.64.0.2 192.168.77.2 --sport 61007 --dport 8080 -j
	is "by" nat "$(fields .by)"
	is "what it becomes" '{"src":"192.168.77.1","sport":61007,"uplink":"lan0"}' \
		"$(fields '.nat | tojson')"
	is "connections after a trace" 0 "$(shrike conntrack count wt0 -j | jq '.total // .count')"
	# the port of a known connection, which another program has
	serve taken "$ROUTER" udp 0.0.0.0 61008
	expect 0 shrike trace in fd64::2 fd77::2 -p udp --sport 61007 --dport 8080
	matches "IPv6" "nat \[\[fd77::1\]:61007 to \[fd77::2\]:8080 via lan0\]" "$OUT"
	expect 0 shrike trace in 100.64.0.2 192.168.77.2 -p udp --sport 61008 --dport 8080 -j
	[ "$(fields .nat.sport)" != 61008 ] || die "a port that a program of this host has"
	session held "$PEER" tcp 192.168.77.2 8080 -s 100.64.0.2 -p 61009
	talk held ok
	expect 0 shrike trace in 100.64.0.2 192.168.77.2 --sport 61009 --dport 8080 --ack -j
	is "a known connection" '{"src":"192.168.77.1","sport":61009,"uplink":"lan0"}' \
		"$(fields '.nat | tojson')"
	expect 0 shrike trace in 100.64.0.2 192.168.77.2 -p icmp -j
	is "ping" nat "$(fields .by)"
	expect 0 shrike trace in 100.64.0.2 203.0.113.9 --dport 80
	matches "no route" "Forwarding: Not forwarded: no route leads to an uplink" "$OUT"
	expect 0 shrike trace in 100.64.0.2 192.168.77.2 -p gre -j
	is "a protocol without ports" '{"src":"192.168.77.1","uplink":"lan0"}' "$(fields '.nat | tojson')"
	expect 0 shrike trace in 100.64.0.2 192.168.77.2 -p 33 -j
	is "a protocol that is left to the forwarder" forwarder "$(fields .by)"
	talk held ok
	counters_agree wt0
}

# A live trace attaches programs of its own, which know the uplinks that there are and come to be.
test_a_live_trace_follows_the_host_and_loses_no_connection() {
	nat_topology "$1"
	run_nat
	session held "$PEER" tcp 192.168.77.2 8080
	talk held ok
	live -j
	talk held ok
	ip link add lan1 netns "$ROUTER" type veth peer name eth1 netns "$LAN"
	give "$ROUTER" lan1 192.168.78.1/24
	give "$LAN" eth1 192.168.78.2/24
	wait_for eval '[ "$(in_ns "$PEER" "$TOOLS/peer" ask tcp 192.168.78.2 8080 -t 1000)" = ok ]'
	stop live INT
	traced 0 '.verdict == "forward" and .by != "nat"' || die "not by NAT"
	matches "what was traced" '"sport":[0-9]*,"uplink":"lan1"' "$(cat "$T/live.out")"
	talk held ok
	probe ok "$PEER" tcp 192.168.78.2 8080
}

# of_answers N JQ-CONDITION: so many answers to the peer fulfil it, which an uplink has brought
of_answers() {
	traced "$1" '.direction == "uplink" and .packet.dst == "100.64.0.2" and ('"$2"')'
}

test_a_live_trace_shows_what_uplinks_bring() {
	local before
	nat_topology "$1"
	run_nat
	before=$(programs lan0)
	session held "$PEER" tcp 192.168.77.2 8080 -s 100.64.0.2 -p 61009
	talk held ok
	live -j
	talk held ok
	in_ns "$ROUTER" ping -c 1 -W 5 192.168.77.2 >/dev/null || die "the host's own ping"
	stop live INT
	of_answers 0 '.verdict != "forward" or .by != "nat" or .reason != "established"' ||
		die "answers that are not forwarded"
	of_answers 0 '.nat != {src: "192.168.77.1", sport: 61009, uplink: "lan0"}' ||
		die "answers to another port"
	of_answers 0 'true' && die "no answer is traced"
	traced 0 '.direction == "uplink" and .packet.dst != "100.64.0.2"' ||
		die "what is the host's own is traced"
	is "programs of the uplink after the trace" "$before" "$(programs lan0)"
	start text "$ROUTER" "$SHRIKE" trace live -i wt0 -v
	wait_for is_tracing
	talk held ok
	wait_for grep -q "by lan0" "$T/text.out"
	[ "$(uplink_tracers lan0)" -gt 0 ] || die "no program of the uplink writes records of a trace"
	stop text KILL
	matches "a line" "in TCP 192.168.77.2:8080 -> 100.64.0.2:61009: forward established( .*)? by lan0" \
		"$(cat "$T/text.out")"
	wait_for not is_tracing
	talk held ok
	is "programs of the uplink after a kill" 1 "$(programs lan0 | grep -c shrike_uplink)"
	is "of them, those that write records" 0 "$(uplink_tracers lan0)"
	counters_agree wt0
}

# uplink_tracers DEVICE: programs there with the filter of a live trace
uplink_tracers() {
	local id map n=0
	for id in $(programs "$1" | awk '/shrike_uplink/ {print $2}'); do
		for map in $(bpftool -j prog show id "$id" | jq '.map_ids[]'); do
			bpftool -j map show id "$map" | grep -q trace_filter || continue
			bpftool -j map dump id "$map" |
				jq -e '.[0].formatted.value.active? == 1' >/dev/null && n=$((n + 1))
		done
	done
	echo $n
}

# events_are N JQ-CONDITION: so many events of conntrack watch fulfil it
events_are() {
	[ "$(jq -s "[.[] | select($2)] | length" "$T/watch.out")" = "$1" ]
}

test_conntrack_and_events_show_both_tuples() {
	local nat='{"src":"192.168.77.1","sport":61007,"uplink":"lan0"}'
	nat_topology "$1"
	run_nat
	start watch "$ROUTER" "$SHRIKE" conntrack watch wt0 -j
	wait_for eval '[ "$(in_ns "$PEER" "$TOOLS/peer" ask tcp 192.168.77.2 8080 -t 1000)" = ok ] &&
		[ -s "$T/watch.out" ]'
	session held "$PEER" tcp 192.168.77.2 8080 -s 100.64.0.2 -p 61007
	talk held ok
	expect 0 shrike conntrack list wt0 --sport 61007 -p tcp
	matches "both ways" "^tcp +established .* src=100.64.0.2 dst=192.168.77.2 sport=61007 dport=8080 .* src=192.168.77.2 dst=192.168.77.1 sport=8080 dport=61007 .* uplink=lan0 " "$OUT"
	expect 0 shrike conntrack list wt0 --sport 61007 -p tcp -j
	is "translation" "$nat" "$(fields '.[0].nat | {src, sport, uplink} | tojson')"
	[ "$(fields '.[0].opener.bytes')" -gt 0 ] && [ "$(fields '.[0].answerer.bytes')" -gt 0 ] ||
		die "bytes of both ways: $OUT"
	is "connections to another port" 0 "$(shrike conntrack count wt0 --dport 8081)"
	is "connections from the port" 1 "$(shrike conntrack count wt0 --sport 61007 -p tcp)"
	wait_for events_are 1 '.type == "start" and .sport == 61007 and .nat.sport == 61007'
	use_family 6
	probe ok "$PEER" udp $LAN_IP 8080
	pings ok "$PEER" $LAN_IP
	wait_for events_are 1 '.type == "start" and .protocol == "udp" and .nat.src == "fd77::1"'
	wait_for events_are 1 '.type == "start" and (.nat.icmp_id // 0) > 0'
	expect 0 shrike conntrack list wt0 -6
	matches "ping" "src=fd77::2 dst=fd77::1 id=[0-9]+ " "$OUT"
	stop held
	wait_for events_are 1 '.type == "end" and .sport == 61007 and .nat.sport == 61007 and
		.opener.bytes > 100 and .answerer.bytes > 100 and .cause == "closed"'
	# no way: nothing has begun, so nothing ends
	probe timeout "$PEER" udp 2001:db8::9 8080
	wait_for eval '[ "$(dropped wt0 no_route)" -gt 0 ]'
	events_are 0 '.dst == "2001:db8::9"' || die "an event of what had no route"
	stop watch INT
}

# nat FIELD: what status says of it
nat() {
	status_of wt0 ".nat.$1"
}

test_status_and_stats_say_what_left_by_which_uplink() {
	nat_topology "$1"
	run_nat
	is "uplinks" '[{"addresses":["192.168.77.1","fd77::1"],"attached":true,"link":"ethernet","mtu":1500,"name":"lan0"}]' \
		"$(shrike status wt0 -j | jq -cS '.[0].nat.uplinks | map(del(.ifindex))')"
	[ "$(nat ports.count)" -gt 4096 ] || die "ports: $(nat ports)"
	session held "$PEER" tcp 192.168.77.2 8080 -s 100.64.0.2 -p 61007
	talk held ok
	probe ok "$PEER" udp fd77::2 8080
	probe refused "$PEER" udp fd77::2 8081
	is "translated over IPv4" 1 "$(nat answers.snat_in4_v1.entries)"
	is "translated over IPv6" 2 "$(nat answers.snat_in6_v1.entries)"
	[ "$(nat sent)" = "$(status_of wt0 .counters.ingress.translated.packets)" ] &&
		[ "$(nat sent)" -gt 3 ] || die "sent: $(nat sent)"
	[ "$(status_of wt0 .counters.uplink.forward.packets)" -gt 3 ] || die "nothing came in"
	counters_agree wt0
	expect 0 shrike status wt0
	matches "as text" "nat: [0-9]+ packets sent, ports 1024-" "$OUT"
	matches "uplink" "uplink lan0: 192.168.77.1, fd77::1, mtu 1500, link ethernet" "$OUT"
	matches "its counters" "uplink: [0-9]+ seen, 0 passed, [0-9]+ forwarded, 0 dropped, residue 0" "$OUT"
	expect 0 shrike stats wt0 -j --interval 0.01 -n 1
	is "rates of the uplink" number "$(fields '.uplink.seen.packets_per_s | type')"
	# without addresses there are no routes
	ip -n "$ROUTER" address flush dev lan0
	wait_for eval '[ "$(nat "uplinks | length")" = 0 ]'
	matches "without an uplink" "no uplink: no route leads anywhere" "$(shrike status wt0)"
	probe timeout "$PEER" udp fd77::2 8080
	[ "$(dropped wt0 uplink_down)" -gt 0 ] || [ "$(dropped wt0 no_route)" -gt 0 ] ||
		die "the drop has no name"
	counters_agree wt0
}

add_ipsec_policy() {
	in_ns "$ROUTER" ip xfrm policy add dst 10.99.0.0/16 dir out \
		tmpl src 192.168.77.1 dst 192.168.77.2 proto esp mode tunnel
}

# What is in force stays so, as an interface without protection is worse.
test_ipsec_policies_that_come_later_are_noticed() {
	nat_topology "$1"
	run_nat
	is "none" null "$(nat ipsec_bypassed)"
	add_ipsec_policy
	wait_for grep -q "IPsec policies (to 10.99.0.0/16) now" "$T/run-wt0.err"
	is "status -j" 10.99.0.0/16 "$(nat ipsec_bypassed)"
	matches "status" "IPsec policies \\(to 10.99.0.0/16\\) are bypassed" "$(shrike status wt0)"
	expect 1 shrike doctor wt0 -c "$T/nat.yaml" -j
	matches "doctor" "bad .*IPsec" "$(found choice)"
	probe ok "$PEER" tcp 192.168.77.2 8080
	in_ns "$ROUTER" ip xfrm policy flush
	wait_for grep -q "no IPsec policy is bypassed any more" "$T/run-wt0.out"
	is "lines about them" 1 "$(grep -c "IPsec policies" "$T/run-wt0.err")"
}

# found CHECK: details of a finding of doctor
found() {
	jq -r --arg check "$1" '.checks[] | select(.check == $check) | .result + " " + .detail' <<<"$OUT"
}

test_what_is_bypassed_is_named_and_ipsec_refuses() {
	local kind
	nat_topology "$1"
	expect 0 shrike doctor wt0 -c "$T/nat.yaml" -j
	matches "uplink" "ok lan0: 192.168.77.1, fd77::1, MTU 1500, Ethernet header" "$(found uplink)"
	matches "no chains" "^ok " "$(found netfilter)"
	in_ns "$ROUTER" nft -f - <<-EOF
		table inet mine {
			chain routed { type filter hook forward priority 0; counter; }
			chain empty { type filter hook output priority 0; }
			chain ours { type filter hook input priority 0; counter; }
		}
	EOF
	expect 0 shrike doctor wt0 -c "$T/nat.yaml" -j
	is "chains" "note these chains do not see what NAT carries: inet mine routed" \
		"$(found netfilter)"
	for kind in $([ -e /proc/net/ip_tables_names ] && echo rule drop empty); do
		in_ns "$ROUTER" python3 "$SELFTESTS/tools/legacy.py" $kind
		expect 0 shrike doctor wt0 -c "$T/nat.yaml" -j
		is "chains with those of iptables: $kind" "inet mine routed$([ $kind = empty ] ||
			echo ", ip filter FORWARD (iptables-legacy)")" "$(found netfilter | sed 's/.*: //')"
	done
	run_nat
	matches "run names them" "these chains do not see them: inet mine routed" "$(cat "$T"/run-wt0.*)"
	expect 0 shrike doctor wt0 -c "$T/nat.yaml" -j
	is "our own program" "" "$(found uplink-programs)"
	stop run-wt0
	add_ipsec_policy
	expect 1 shrike run wt0 -c "$T/nat.yaml"
	matches "run refuses" "would send in clear text what IPsec policies \\(to 10.99.0.0/16\\) encrypt" "$ERR"
	expect 1 shrike doctor wt0 -c "$T/nat.yaml" -j
	matches "doctor says so" "bad .*IPsec" "$(found choice)"
}

# pass_all PREFERENCE tc-filter-ARGUMENT...: a filter that passes everything, and has no name
pass_all() {
	in_ns "$ROUTER" tc filter add dev lan0 "${@:2}" pref "$1" protocol all \
		bpf bytecode "1,6 0 0 4294967295," classid 1:1 || die "cannot add a filter"
}

test_filters_of_others_at_uplinks_are_named() {
	nat_topology "$1"
	run_nat
	expect 0 shrike doctor wt0 -c "$T/nat.yaml" -j
	is "filters, with our own" "" "$(found uplink-filters)"
	in_ns "$ROUTER" tc qdisc replace dev lan0 clsact
	pass_all 7 ingress
	pass_all 9 egress
	in_ns "$ROUTER" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.lan0.rp_filter=1
	expect 0 shrike doctor wt0 -c "$T/nat.yaml" -j
	is "filters" "note lan0: ingress has a filter (bpf, preference 7), which does not see the answers that NAT takes
note lan0: egress has a filter (bpf, preference 9), which sees what NAT sends, and may change or drop it" \
		"$(found uplink-filters)"
	is "rp_filter of the uplink alone" \
		"ok net.ipv4.conf.lan0.rp_filter = 1 does not see what NAT carries" "$(found rp_filter)"
	use_family 4
	probe ok "$PEER" tcp $LAN_IP 8080
	in_ns "$ROUTER" tc qdisc del dev lan0 clsact
	in_ns "$ROUTER" tc qdisc add dev lan0 ingress
	pass_all 3 parent ffff:
	expect 0 shrike doctor wt0 -c "$T/nat.yaml" -j
	matches "a filter of an ingress qdisc" "lan0: ingress has a filter \(bpf, preference 3\)" \
		"$(found uplink-filters)"
}
