# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Floods that a rule allows, from addresses that are nobody's, at the highest rate that this machine
# makes, against 50,000 established connections.  They are routed to a blackhole, so that nobody
# answers them.  The parameter is what the flood consists of; `make soak` floods for longer.

alone "syn udp icmp fragment" \
	a_flood_displaces_no_established_connection

CONNECTIONS=50000
CPU_PERCENT_MAX=20 # of a core, for run
GROWTH_KB_MAX=8192 # of run: no more than buffers it did not need before
# A flood may be faster than the link, whose ring then drops packets of all senders alike, before
# any program sees them: a connection is made once its own get through, which TCP repeats.
PATIENCE_MS=60000

flood_topology() {
	topology veth
	kernel_forwards 1
	ip -n "$ROUTER" route add blackhole 10.99.0.0/16
	# the sources are nobody's, but they are in the overlay's prefix
	in_ns "$ROUTER" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.wt0.rp_filter=0
	serve_all "$ROUTER" 8001
	serve_all "$PEER" 9001
	policy open <<-EOF
		peer_acl:
		  - {id: web, action: allow, source: [any], protocol: tcp, destination_ports: [8001]}
		route_acl:
		  - {id: flood, action: allow, source: [any], destination: [10.99.0.0/16], protocol: all}
	EOF
	run_shrike wt0 open
}

# connect_all COMMAND: establish, or touch; each packet must arrive
connect_all() {
	expect 0 "$TOOLS/flood" "$1" $CONNECTIONS "$PEER" p0 "$ROUTER" wt0
	is "segments" arrived=$CONNECTIONS "$OUT"
}

established() {
	shrike conntrack count wt0 -p tcp --rule flood --state established
}

# counted: packets that the established connections have counted as theirs; no others, as a late
# segment of a connection that was made meanwhile would be in the interface's counters, too
counted() {
	shrike conntrack list wt0 -p tcp --rule flood --state established -j |
		jq -s 'flatten | map(.opener.packets + .answerer.packets) | add'
}

cpu_ticks() {
	awk '{ print $14 + $15 }' "/proc/${PROCESS[run-wt0]}/stat"
}

resident_kb() {
	awk '/^VmRSS:/ { print $2 }' "/proc/${PROCESS[run-wt0]}/status"
}

# lost_by_the_link: packets that its ring had no room for
lost_by_the_link() {
	ip -n "$PEER" -s -j link show p0 | jq '.[0].stats64.tx.dropped'
}

# flood KIND SECONDS: from all cores; RATE becomes packets a second that got through the link,
# LOST_PERCENT what it dropped of all, TRIED the connections that were made meanwhile, each of which
# must succeed
flood() {
	local n cores lost nice=10
	cores=$(nproc) lost=$(lost_by_the_link)
	[ -n "${SOAK:-}" ] && nice=0 # nothing else is tested meanwhile
	RATE=0 TRIED=0
	for ((n = 1; n <= cores; n++)); do
		start flood$n "$PEER" nice -n $nice "$TOOLS/flood" "$1" "$2" p0
	done
	while kill -0 "${PROCESS[flood1]}" 2>/dev/null; do
		probe ok "$PEER" tcp 100.64.0.1 8001 -t $PATIENCE_MS
		probe ok "$ROUTER" tcp 100.64.0.2 9001 -t $PATIENCE_MS
		TRIED=$((TRIED + 2))
	done
	for ((n = 1; n <= cores; n++)); do
		await_end flood$n
		matches "flood $n" "rate=([0-9]+)" "$(cat "$T/flood$n.out")"
		RATE=$((RATE + BASH_REMATCH[1]))
	done
	lost=$(($(lost_by_the_link) - lost))
	LOST_PERCENT=$((100 * lost / (RATE * $2 + lost)))
}

test_a_flood_displaces_no_established_connection() {
	local seconds rss ticks passed used
	seconds=$(rounds 3 30)
	flood_topology
	connect_all establish
	is "established" $CONNECTIONS "$(established)"
	rss=$(resident_kb) ticks=$(cpu_ticks)
	flood "$1" "$seconds"
	ticks=$(($(cpu_ticks) - ticks)) rss=$(($(resident_kb) - rss))
	used=$((100 * ticks / (seconds * $(getconf CLK_TCK))))
	is "established" $CONNECTIONS "$(established)"
	passed=$(counted)
	connect_all touch
	is "packets of established connections" $CONNECTIONS $(($(counted) - passed))
	echo "$1 flood: $RATE packets/s for $seconds s, the link dropped $LOST_PERCENT % of all," \
		"0 of $CONNECTIONS connections lost, $TRIED of $TRIED new ones made, run: $used % of a core, $rss KB more" |
		tee -a "${FLOOD_REPORT:-/dev/null}"
	[ $used -le $CPU_PERCENT_MAX ] || die "run has used $used % of a core"
	[ $rss -le $GROWTH_KB_MAX ] || die "run has grown by $rss KB"
	counters_agree wt0
}
