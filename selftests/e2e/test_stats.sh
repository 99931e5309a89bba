# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Rates: what `stats` prints of packets per second.

tests "veth tun" \
	rates_are_those_of_the_packets_that_were_sent

tests tun \
	rates_go_on_when_the_policy_changes \
	stats_says_when_there_is_nothing_to_count_any_more \
	stats_ends_when_nobody_reads_it_or_it_is_told_to

# sum NAME JQ-PATH: over all intervals, of rate times length, which is what was counted
sum() {
	jq -s "map(.seconds * ($2 // 0)) | add | round" "$T/$1.out"
}

sum_is() {
	[ "$(sum "$2" "$3")" = "$1" ]
}

# for what leaves: this host's kernel sends packets of its own besides
sum_is_at_least() {
	[ "$(sum "$2" "$3")" -ge "$1" ]
}

has_told() {
	[ "$(jq -s length "$T/$1.out")" -ge "$2" ]
}

ping_policy() {
	policy "$1" <<<"peer_acl: [{id: ping, action: allow, source: [100.64.0.2], protocol: icmp}]"
}

test_rates_are_those_of_the_packets_that_were_sent() {
	local i
	topology "$1"
	ping_policy ping
	run_shrike wt0 ping
	# the sums need the same beginning
	start stats "$ROUTER" "$SHRIKE" stats wt0 --interval 0.1 -j
	wait_for has_told stats 1
	for i in 1 2 3; do
		pings ok "$PEER" 100.64.0.1 -s 72
	done
	pings lost "$PEER" 100.64.0.1 -s 72 -I 100.64.0.3
	pings lost "$PEER" 100.64.0.1 -s 72 -I 100.64.0.3
	wait_for sum_is 3 stats .ingress.pass_reasons.peer_acl_allowed.packets_per_s
	wait_for sum_is 300 stats .ingress.pass_reasons.peer_acl_allowed.bytes_per_s
	wait_for sum_is 2 stats .ingress.drop_reasons.peer_acl_default.packets_per_s
	wait_for sum_is 200 stats .ingress.drop_reasons.peer_acl_default.bytes_per_s
	# the peer's kernel may say something of its own, which is dropped for other reasons
	is "drops are the sum of their reasons" true "$(jq -s 'map(.ingress |
		.drop.packets_per_s - ([.drop_reasons[]?.packets_per_s] | add // 0) | fabs) |
		max < 0.001' "$T/stats.out")"
	wait_for sum_is_at_least 3 stats .egress.pass_reasons.outbound.packets_per_s
	is "intervals are never shorter than asked on average" true \
		"$(jq -s '(map(.seconds) | add) >= length * 0.1' "$T/stats.out")"
	is "what else each prints" '["wt0",true]' \
		"$(head -n 1 "$T/stats.out" | jq -c '[.interface, (.time | endswith("Z"))]')"
	stop stats
	is "exit status" 0 $STATUS
	expect 0 shrike stats --interval 0.05 -n 2
	is "lines for people: 8 per interval" 16 "$(wc -l <<<"$OUT")"
	matches "no title, but on a terminal" "^[0-9-]+T[0-9:.]+Z +ingress +seen " "$(head -n 1 <<<"$OUT")"
}

test_rates_go_on_when_the_policy_changes() {
	topology "$1"
	ping_policy ping
	policy none </dev/null
	run_shrike wt0 none
	start stats "$ROUTER" "$SHRIKE" stats wt0 --interval 0.1 -j
	wait_for has_told stats 1
	pings lost "$PEER" 100.64.0.1
	expect 0 shrike policy apply wt0 "$T/ping.yaml"
	pings ok "$PEER" 100.64.0.1
	wait_for sum_is 1 stats .ingress.drop_reasons.peer_acl_default.packets_per_s
	wait_for sum_is 1 stats .ingress.pass_reasons.peer_acl_allowed.packets_per_s
	is "generations" 2 "$(jq -s 'map(.generation) | unique | length' "$T/stats.out")"
}

test_stats_says_when_there_is_nothing_to_count_any_more() {
	topology "$1"
	expect 1 shrike stats wt0
	is_one_error_line "$ERR" "^shrike: wt0: .*not attached"
	expect 1 shrike stats nosuch0
	is_one_error_line "$ERR" "^shrike: nosuch0: no such interface"
	policy none </dev/null
	run_shrike wt0 none
	start stats "$ROUTER" "$SHRIKE" stats wt0 --interval 0.05 -j
	wait_for has_told stats 1
	stop run-wt0
	await_end stats
	is "exit status after the end of protection" 1 $STATUS
	is_one_error_line "$(cat "$T/stats.err")" "^shrike: wt0: .*not attached"
	run_shrike wt0 none
	start stats "$ROUTER" "$SHRIKE" stats wt0 --interval 0.05 -j
	wait_for has_told stats 1
	remove_overlay "$1" 0
	await_end stats
	is "exit status after the end of the interface" 1 $STATUS
	is_one_error_line "$(cat "$T/stats.err")" "^shrike: wt0: the interface is gone"
}

test_stats_ends_when_nobody_reads_it_or_it_is_told_to() {
	local word
	topology "$1"
	policy none </dev/null
	run_shrike wt0 none
	# an interval of a day: it has to notice the end of its reader by itself
	mkfifo "$T/pipe"
	start stats "$ROUTER" sh -c 'exec "$0" stats wt0 --interval 86400 >"$1"' "$SHRIKE" "$T/pipe"
	head -c 0 <"$T/pipe"
	await_end stats
	is "exit status without a reader" 0 $STATUS
	is "what it says" "" "$(cat "$T/stats.err")"
	for word in 0 0.001 -1 nan inf 86401 soon ""; do
		expect 2 shrike stats wt0 --interval "$word"
		is_one_error_line "$ERR"
	done
	for word in 0 -1 many 1x; do
		expect 2 shrike stats wt0 -n "$word"
		is_one_error_line "$ERR"
	done
	expect 2 shrike stats wt0 wt1
	is_one_error_line "$ERR"
	expect 0 shrike stats --help
	matches "help" "^usage: shrike stats \[IFACE\]" "$OUT"
}
