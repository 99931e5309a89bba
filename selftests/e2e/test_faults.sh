# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What goes wrong around shrike, under traffic: nothing allowed may be lost, nothing refused let in.
# `make soak` repeats each fault more often (rounds).

alone "veth tun" \
	run_may_be_killed_at_any_moment \
	the_device_may_vanish_and_return_again_and_again \
	an_address_may_go_and_come_back \
	a_bpffs_that_is_unmounted_is_no_loss \
	what_a_policy_let_in_that_was_withdrawn_at_once_is_judged_by_the_next

PORT_8001='{id: web, action: allow, source: [any], protocol: tcp, destination_ports: [8001]}'

# fault_policies: web is in force, other the same on the other hook
fault_policies() {
	local echo='{id: echo, action: allow, source: [any], protocol: udp, destination_ports: [7]}'
	local rules="[$PORT_8001, $echo]"
	policy web <<<"peer_acl: $rules"
	policy other <<-EOF
		mode: {hook: $([ "$1" = veth ] && echo tc || echo xdp)}
		peer_acl: $rules
	EOF
}

# begin_traffic: connections of both ends, datagrams without a pause, and pings that are refused
begin_traffic() {
	serve_all "$ROUTER" 8001
	serve_all "$PEER" 9001
	serve echo "$ROUTER" udp 0.0.0.0 7
	session in "$PEER" tcp 100.64.0.1 8001
	session out "$ROUTER" tcp fd64::2 9001
	start storm "$PEER" "$TOOLS/storm" 100.64.0.1 7 16
	wait_for grep -q ready "$T/storm.out"
	start refused "$PEER" ping -n -q -i 0.01 -W 1 100.64.0.1
}

# end_traffic: all that was allowed has arrived, and nothing else
end_traffic() {
	talk in ok
	talk out ok
	stop storm
	matches "datagrams" "sent=[0-9]+ answered=[0-9]+ lost=0 wrong=0" \
		"$(tail -n 1 "$T/storm.out")"
	stop refused INT
	matches "pings that are refused" " 0 received" "$(tr '\n' ' ' <"$T/refused.out")"
	counters_agree wt0
}

is_in_charge() {
	grep -q "in force" "$T/run-wt0.out"
}

end_run() {
	stop run-wt0
	is "exit status" 0 $STATUS
	is_bare wt0 || die "still there: $(programs wt0)"
	nothing_is_pinned
}

test_run_may_be_killed_at_any_moment() {
	local i policy=web
	topology "$1"
	kernel_forwards 1
	fault_policies "$1"
	run_shrike wt0 web
	begin_traffic
	for ((i = 1; i <= $(rounds 10 100); i++)); do
		# from its first instruction to the sweeping that follows, whichever it meets
		sleep "$(printf '0.%03d' $((RANDOM % 700)))"
		stop run-wt0 KILL
		is_protected wt0 || die "round $i: not protected: $(programs wt0)"
		[ $((i % 3)) = 0 ] && policy=$([ $policy = web ] && echo other || echo web)
		start run-wt0 "$ROUTER" "$SHRIKE" run wt0 -c "$T/$policy.yaml"
	done
	wait_for is_in_charge
	is "programs" 2 "$(programs wt0 | wc -l)"
	end_traffic
	end_run
}

test_the_device_may_vanish_and_return_again_and_again() {
	local i
	topology "$1"
	kernel_forwards 1
	fault_policies "$1"
	run_shrike wt0 web
	serve_all "$ROUTER" 8001
	serve_all "$ROUTER" 8002
	serve_all "$PEER" 9001
	session in "$PEER" tcp 100.64.0.1 8001
	session out "$ROUTER" tcp 100.64.0.2 9001 # which no rule allows: the reply needs its flow
	for ((i = 1; i <= $(rounds 3 30); i++)); do
		remove_overlay "$1" 0
		add_overlay "$1" 0 "$PEER" 1420
		until_protected wt0
		talk in ok
		talk out ok
		probe timeout "$PEER" tcp 100.64.0.1 8002
	done
	is "connections" 2 "$(shrike conntrack count wt0 -p tcp --state established)"
	counters_agree wt0
	end_run
}

# The sockets stay, as the kernel does not ask whose address a connection has once had.  What comes in
# between is for nobody that may be reached, and ends no connection.
test_an_address_may_go_and_come_back() {
	local i
	topology "$1"
	kernel_forwards 1
	fault_policies "$1"
	run_shrike wt0 web
	serve_all "$ROUTER" 8001
	serve_all "$PEER" 9001
	give "$ROUTER" wt0 100.64.5.5/16
	serve echo "$ROUTER" udp 100.64.5.5 7
	session in "$PEER" tcp 100.64.5.5 8001
	session datagrams "$PEER" udp 100.64.5.5 7
	session out "$ROUTER" tcp 100.64.0.2 9001 -s 100.64.5.5
	for ((i = 1; i <= $(rounds 3 30); i++)); do
		ip -n "$ROUTER" address del 100.64.5.5/16 dev wt0
		wait_for not in_ns "$PEER" "$TOOLS/peer" ask tcp 100.64.5.5 8001 -t 300
		talk in timeout
		talk datagrams timeout
		give "$ROUTER" wt0 100.64.5.5/16
		talk in ok
		talk out ok
		talk datagrams ok
		probe ok "$PEER" tcp 100.64.5.5 8001
	done
	is "connections" 2 "$(shrike conntrack count wt0 -p tcp --state established)"
	counters_agree wt0
	end_run
}

# pins_are_back: with a link that survives its process
pins_are_back() {
	[ -e "$(pins)/wt0/prog_ingress" ] && [ -e "$(pins)/wt0/$CT_TCP4" ] &&
		{ ! has_tcx || [ -e "$(pins)/wt0/link_egress" ]; }
}

test_a_bpffs_that_is_unmounted_is_no_loss() {
	topology "$1"
	kernel_forwards 1
	fault_policies "$1"
	run_shrike wt0 web
	begin_traffic
	wait_for pins_are_back
	umount "$SHRIKE_BPFFS" || die "cannot unmount the bpffs"
	expect 0 shrike policy apply wt0 "$T/web.yaml"
	is_protected wt0 || die "not protected: $(programs wt0)"
	wait_for -t 3 grep -q "wt0: not pinned" "$T/run-wt0.err"
	mount -t bpf "$ID" "$SHRIKE_BPFFS"
	wait_for -t 3 pins_are_back
	# so it may be killed again
	stop run-wt0 KILL
	is_protected wt0 || die "not protected: $(programs wt0)"
	run_shrike wt0 web
	wait_for is_in_charge
	end_traffic
	end_run
}

# The bpffs can be written no more when the programs are in their place: they are withdrawn, but have
# judged what came meanwhile.
test_what_a_policy_let_in_that_was_withdrawn_at_once_is_judged_by_the_next() {
	local generation
	[ "$1" = veth ] || has_tcx || skip "there is no link to be pinned"
	topology "$1"
	kernel_forwards 1
	policy web <<<"peer_acl: [$PORT_8001]"
	policy nine <<<"peer_acl: [$PORT_8001, $(udp_rule nine 9)]"
	policy ten <<<"peer_acl: [$PORT_8001, $(udp_rule ten 10)]"
	expect 0 shrike attach wt0 -c "$T/web.yaml"
	generation=$(status_of wt0 .generation)
	is "openings" 0 "$(connections wt0)"
	mount -o remount,ro "$SHRIKE_BPFFS" || die "cannot mount the bpffs read-only"
	until_something_is_let_in "$1"
	mount -o remount,rw "$SHRIKE_BPFFS"
	rule_is_in_force wt0 nine && die "the policy is in force"
	is "generation" "$generation" "$(status_of wt0 .generation)"
	expect 0 shrike policy apply wt0 "$T/ten.yaml"
	[ "$(status_of wt0 .generation)" -gt $((generation + 1)) ] || die "a generation's number came twice"
	shrike conntrack list wt0 -j >"$T/flows"
	is "connections by a rule that let none in" 0 "$(jq -s '[.[] | .. | .rule? | select(. == "ten")] |
		length' "$T/flows")"
	no_source_is_let_in_again "$1"
	counters_agree wt0
}

# udp_rule ID PORT
udp_rule() {
	echo "{id: $1, action: allow, source: [any], protocol: udp, destination_ports: [$2]}"
}

# until_something_is_let_in LINK: by the policy "nine", in the moment when it is in force; each source
# sends once.  On a TUN that moment may be too short.
until_something_is_let_in() {
	local tries
	for ((tries = 0; tries < 5; tries++)); do
		start flood "$PEER" python3 "$SELFTESTS/tools/once.py" flood 100.64.0.1 9
		wait_for grep -q ready "$T/flood.out"
		expect 1 shrike policy apply wt0 "$T/nine.yaml"
		matches "the error" "cannot pin .*Read-only" "$ERR"
		stop flood
		[ "$(connections wt0)" = 0 ] || return 0
	done
	[ "$1" = tun ] || die "no packet came in the moment"
}

# no_source_is_let_in_again LINK: of those of $T/flows
no_source_is_let_in_again() {
	local before sources
	mapfile -t sources < <(jq -rs '.[] | .. | objects | select(.dport? == 9) | "\(.src):\(.sport)"' \
		"$T/flows" | head -n 50)
	[ ${#sources[@]} -gt 0 ] || [ "$1" = tun ] || die "no connection is left"
	before=$(dropped wt0 peer_acl_default)
	expect 0 in_ns "$PEER" python3 "$SELFTESTS/tools/once.py" again 100.64.0.1 9 "${sources[@]}"
	wait_for drops_are $((before + ${#sources[@]}))
}

# drops_are N
drops_are() {
	[ "$(dropped wt0 peer_acl_default)" = "$1" ]
}
