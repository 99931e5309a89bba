# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A peer that fills a table takes nothing from others.

tests "veth-udp-4 veth-icmp-4 veth-udp-6 tun-udp-4" \
	a_greedy_peer_displaces_no_other_one \
	without_run_a_full_table_has_room_for_other_peers
tests "veth-4 veth-6 tun-4" \
	a_flood_of_fragments_keeps_no_datagram_out

GREEDY_4=100.64.9.9 GREEDY_6=fd64::99
SMALL_4=100.64.0.7 SMALL_6=fd64::7

# shares_topology LINK FAMILY: nobody answers what goes to 10.99.0.1 or fd99::1
shares_topology() {
	topology "$1"
	kernel_forwards 1
	ip -n "$ROUTER" route add blackhole 10.99.0.0/16
	ip -n "$ROUTER" -6 route add blackhole fd99::/64
	in_ns "$ROUTER" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.wt0.rp_filter=0
	if [ "$2" = 4 ]; then GREEDY=$GREEDY_4 SMALL=$SMALL_4; else GREEDY=$GREEDY_6 SMALL=$SMALL_6; fi
}

# shares_policy NAME LIMIT: that is the number of connections and of fragments
shares_policy() {
	policy "$1" <<-EOF
		limits: {udp: $2, icmp: $2, fragments: $2}
		timeouts: {udp: 1h, icmp: 1h}
		peer_acl:
		  - {id: local, action: allow, source: [any], protocol: all}
		route_acl:
		  - {id: out, action: allow, source: [any], destination: [10.99.0.0/16, "fd99::/64"], protocol: all}
	EOF
}

# talkers KIND SOURCE N: both packets of a peer come in each flow
talkers() {
	expect 0 python3 "$SELFTESTS/tools/talkers.py" "$1" "$2" "$3" "$PEER" p0 "$ROUTER" wt0
	is "packets of $2" "came=$((2 * $3))" "$OUT"
}

# confirmed SOURCE KIND FAMILY: flows of a source in the confirmed table
confirmed() {
	shrike conntrack list wt0 -j | jq "[.[] | select(.src == \"$1\" and (.flags | index(\"confirmed\")))] | length"
}

# entries KIND FAMILY: of the confirmed table
entries() {
	bpftool -j map dump pinned "$(pins)/wt0/ct_$1$2_v2" | jq length
}

# has_room KIND FAMILY MAX
has_room() {
	[ "$(entries "$1" "$2")" -le "$3" ]
}

# The small one has been idle for longer than all of the other's flows.
test_a_greedy_peer_displaces_no_other_one() {
	local link kind family i
	IFS=- read -r link kind family <<<"$1"
	shares_topology "$link" "$family"
	shares_policy small 2048
	run_shrike wt0 small
	talkers "$kind" "$SMALL" 50
	for ((i = 1; i <= $(rounds 2 5); i++)); do
		talkers "$kind" "$GREEDY" $((4000 * i))
		is "flows of the small one" 50 "$(confirmed "$SMALL")"
		# 96 % of the limit; no more flows wait for it than that
		wait_for -t 3 has_room "$kind" "$family" 1966
		is "flows of the small one" 50 "$(confirmed "$SMALL")"
	done
	talkers "$kind" "$SMALL" 100
	is "flows of the small one" 100 "$(confirmed "$SMALL")"
	counters_agree wt0
}

test_without_run_a_full_table_has_room_for_other_peers() {
	local link kind family
	IFS=- read -r link kind family <<<"$1"
	shares_topology "$link" "$family"
	shares_policy tiny 512
	expect 0 shrike attach wt0 -c "$T/tiny.yaml"
	talkers "$kind" "$SMALL" 50
	talkers "$kind" "$GREEDY" 3000
	is "flows of the small one" 50 "$(confirmed "$SMALL")"
	[ "$(confirmed "$GREEDY")" -ge 384 ] || die "the greedy one has no more than $(confirmed "$GREEDY")"
	talkers "$kind" "$SMALL" 150
	talkers "$kind" "$SMALL" 150 # what found no room at first
	is "flows of the small one" 150 "$(confirmed "$SMALL")"
	expect 0 shrike detach wt0
}

test_a_flood_of_fragments_keeps_no_datagram_out() {
	local link family
	IFS=- read -r link family <<<"$1"
	shares_topology "$link" "$family"
	use_family "$family"
	# room for all that the router itself has to put together
	in_ns "$ROUTER" sysctl -qw net.ipv4.ipfrag_high_thresh=1000000000 net.ipv6.ip6frag_high_thresh=1000000000
	shares_policy small 2048
	run_shrike wt0 small
	python3 "$SELFTESTS/tools/talkers.py" first "$GREEDY" 3000 "$PEER" p0
	start flood "$PEER" python3 "$SELFTESTS/tools/talkers.py" first "$GREEDY" 1000000 "$PEER" p0
	for _ in 1 2 3 4 5; do
		expect 0 in_ns "$PEER" ping -n -q -c 10 -i 0.02 -W 2 -s 4000 "$ROUTER_IP"
		matches "pings of four fragments" "10 received" "$OUT"
	done
	stop flood
}
