# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Policies that go again unless somebody confirms them; the parameter is who stays with the
# interface: `shrike run`, or nobody.

tests "run attach" \
	a_policy_that_is_confirmed_stays \
	a_policy_that_nobody_confirms_goes_again_with_what_it_allowed \
	a_signal_to_the_waiting_command_takes_the_policy_back_at_once \
	while_a_policy_waits_no_other_takes_its_place \
	a_policy_whose_command_was_killed_goes_again_all_the_same

tests "run" \
	a_reload_leaves_a_policy_waiting

protect() {
	topology veth
	serve_all "$ROUTER" 8001
	policy old <<-EOF
		mode: {routing: disabled}
		peer_acl: [{id: old, action: allow, source: [100.64.0.2], protocol: all}]
	EOF
	policy new <<-EOF
		mode: {routing: disabled}
		peer_acl: [{id: new, action: allow, source: [100.64.0.3], protocol: all}]
	EOF
	if [ "$1" = run ]; then
		run_shrike wt0 old
	else
		expect 0 shrike attach wt0 -c "$T/old.yaml"
	fi
}

# try_policy SECONDS: applies `new` in the background
try_policy() {
	start apply "$ROUTER" "$SHRIKE" policy apply wt0 "$T/new.yaml" --confirm "$1"
	wait_for rule_is_in_force wt0 new
	wait_for grep -q "to keep it" "$T/apply.out"
}

test_a_policy_that_is_confirmed_stays() {
	protect "$1"
	expect 1 shrike policy confirm wt0
	is_one_error_line "$ERR" "no policy waits"
	try_policy 60
	expect 0 shrike policy confirm wt0
	is "confirm said" "wt0: the policy stays" "$OUT"
	await_end apply
	is "exit status of apply" 0 $STATUS
	is "it said" "wt0: confirmed" "$(tail -n 1 "$T/apply.out")"
	rule_is_in_force wt0 new || die "the policy has gone"
	expect 1 shrike policy confirm wt0
	expect 0 shrike policy apply wt0 "$T/old.yaml"
	rule_is_in_force wt0 old || die "the policy stayed"
}

test_a_policy_that_nobody_confirms_goes_again_with_what_it_allowed() {
	protect "$1"
	session tcp "$PEER" tcp 100.64.0.1 8001
	talk tcp ok
	try_policy 2
	talk tcp timeout
	probe ok "$PEER" udp 100.64.0.1 8001 -s 100.64.0.3
	await_end apply
	is "exit status of apply" 1 $STATUS
	is_one_error_line "$(cat "$T/apply.err")" "^shrike: wt0: not confirmed in time: back to $T/old.yaml$"
	rule_is_in_force wt0 old || die "the old policy is not back"
	talk tcp ok
	probe timeout "$PEER" udp 100.64.0.1 8001 -s 100.64.0.3
	expect 1 shrike policy confirm wt0
	counters_agree wt0
}

test_a_signal_to_the_waiting_command_takes_the_policy_back_at_once() {
	local signal
	protect "$1"
	for signal in INT TERM HUP; do
		try_policy 1000
		stop apply $signal
		is "exit status of apply" 1 $STATUS
		rule_is_in_force wt0 old || die "the old policy is not back after SIG$signal"
	done
}

test_while_a_policy_waits_no_other_takes_its_place() {
	protect "$1"
	try_policy 1000
	expect 1 shrike policy apply wt0 "$T/old.yaml"
	is_one_error_line "$ERR" "^shrike: wt0: the policy in force waits to be confirmed"
	expect 1 shrike policy apply wt0 "$T/old.yaml" --confirm 5
	expect 2 shrike policy apply wt0 "$T/old.yaml" --confirm 0
	expect 2 shrike policy apply wt0 "$T/old.yaml" --confirm soon
	rule_is_in_force wt0 new || die "the policy has gone"
	expect 0 shrike policy show wt0
	matches "policy show" "waits to be confirmed" "$OUT"
	expect 0 shrike policy confirm wt0
	await_end apply
	expect 0 shrike policy apply wt0 "$T/old.yaml"
}

# run looks by itself; without it the next command does.
test_a_policy_whose_command_was_killed_goes_again_all_the_same() {
	protect "$1"
	try_policy 1
	stop apply KILL
	if [ "$1" = run ]; then
		wait_for grep -q "nobody confirmed the policy in time: back to $T/old.yaml" \
			"$T/run-wt0.err"
	fi
	wait_for rule_is_in_force wt0 old
	probe ok "$PEER" udp 100.64.0.1 8001
	expect 1 shrike policy confirm wt0
	is_one_error_line "$ERR" "no policy waits"
	expect 0 shrike policy apply wt0 "$T/new.yaml"
}

test_a_reload_leaves_a_policy_waiting() {
	protect "$1"
	try_policy 1000
	kill -HUP "${PROCESS[run-wt0]}"
	wait_for rule_is_in_force wt0 old
	expect 0 shrike policy show wt0
	matches "policy show" "waits to be confirmed" "$OUT"
	ip -n "$ROUTER" link set wt0 mtu 1300
	wait_for grep -q "generation 4 in force" "$T/run-wt0.out"
	stop apply TERM
	is "exit status of apply" 1 $STATUS
	rule_is_in_force wt0 old || die "the old policy is not back"
	expect 1 shrike policy confirm wt0
}
