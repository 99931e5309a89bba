# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Policies that take each other's place under traffic from many sockets.  Both allow it, by another
# rule, and both know both rules, so hits carry over: their sum says how often a packet was judged.

alone "veth tun" \
	of_two_policies_each_packet_is_judged_by_exactly_one \
	a_connection_is_judged_once_by_each_policy

SOCKETS=16
APPLIES=8

# swap_policies STATEFUL: odd and even, which differ in the rule that comes first; and wrong ones
swap_policies() {
	local rule='action: allow, source: [any], protocol: udp, destination_ports: [7]'
	policy odd <<-EOF
		mode: {stateful: $1, routing: disabled}
		peer_acl: [{id: odd, $rule}, {id: even, $rule}]
	EOF
	policy even <<-EOF
		mode: {stateful: $1, routing: disabled}
		peer_acl: [{id: even, $rule}, {id: odd, $rule}]
	EOF
	policy wrong <<<"peer_acl: [{id: odd, action: perhaps}]"
	policy impossible <<-EOF
		mode: {hook: tc, routing: userspace, forwarder_input: af_xdp}
		peer_acl: [{id: odd, action: deny, source: [any]}]
	EOF
}

# storms: from the peer to this host, over both families
start_storms() {
	start echo4 "$ROUTER" "$TOOLS/peer" serve udp 0.0.0.0 7
	start echo6 "$ROUTER" "$TOOLS/peer" serve udp :: 7
	wait_for grep -q ready "$T/echo4.out"
	wait_for grep -q ready "$T/echo6.out"
	start storm4 "$PEER" "$TOOLS/storm" 100.64.0.1 7 $SOCKETS $((5000 * ${SLOWNESS:-1}))
	start storm6 "$PEER" "$TOOLS/storm" fd64::1 7 $SOCKETS $((5000 * ${SLOWNESS:-1}))
	wait_for grep -q ready "$T/storm4.out"
	wait_for grep -q ready "$T/storm6.out"
}

# stop_storms: nothing was lost; SENT4 and SENT6 say how much there was
stop_storms() {
	local family
	for family in 4 6; do
		stop storm$family
		is "exit status of storm$family" 0 $STATUS
		matches "storm$family" "sent=([0-9]+) answered=([0-9]+) lost=0 wrong=0" \
			"$(tail -n 1 "$T/storm$family.out")"
		is "answers" "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
		printf -v SENT$family %s "${BASH_REMATCH[1]}"
	done
}

# hits KEY: the sum over all rules
hits() {
	shrike policy show wt0 -j | jq "[.peer_acl[].hits.$1] | add"
}

hits_are() {
	[ "$(hits packets)" -eq "$1" ]
}

generation() {
	shrike policy show wt0 -j | jq .generation
}

# swap: APPLIES times, wrong ones in between
swap() {
	local i policy before
	for ((i = 1; i <= APPLIES; i++)); do
		policy=$([ $((i % 2)) = 1 ] && echo even || echo odd)
		expect 0 shrike policy apply wt0 "$T/$policy.yaml"
		is "first rule" "$policy" "$(shrike policy show wt0 -j | jq -r '.peer_acl[0].id')"
		if [ $i = 2 ]; then
			before=$(generation)
			expect 2 shrike policy apply wt0 "$T/wrong.yaml"
			expect 2 shrike policy apply wt0 "$T/impossible.yaml"
			is "generation" "$before" "$(generation)"
		fi
		"$@"
	done
}

test_of_two_policies_each_packet_is_judged_by_exactly_one() {
	topology "$1"
	swap_policies false
	run_shrike wt0 odd
	start_storms
	swap true
	stop_storms
	# without connections every packet asks the rules
	is "packets by all rules" $((SENT4 + SENT6)) "$(hits packets)"
	is "bytes by all rules" $((SENT4 * 36 + SENT6 * 56)) "$(hits bytes)"
	is "rules that were hit" 2 "$(shrike policy show wt0 -j |
		jq '[.peer_acl[] | select(.hits.packets > 0)] | length')"
	counters_agree wt0
}

test_a_connection_is_judged_once_by_each_policy() {
	local judged=0
	topology "$1"
	swap_policies true
	run_shrike wt0 odd
	start_storms
	next_judgement() {
		judged=$((judged + 2 * SOCKETS))
		wait_for hits_are $judged
	}
	next_judgement
	swap next_judgement
	stop_storms
	is "judgements" $((2 * SOCKETS * (APPLIES + 1))) "$(hits packets)"
	counters_agree wt0
}
