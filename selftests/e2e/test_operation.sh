# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What whoever operates shrike sees and asks: the log of run, what has changed and who did it, whether
# all is well, and exit statuses for scripts.

tests "veth" \
	status_check_says_in_one_line_whether_all_is_well \
	a_policy_that_could_not_be_applied_shows_until_one_is \
	each_change_is_logged_once_with_cause_and_figures \
	run_waits_for_an_interface_that_is_not_there_yet \
	the_log_has_levels_and_a_journal_gets_priorities \
	run_without_a_policy_warns_and_keeps_its_default \
	trace_exits_by_what_was_expected \
	policies_are_compared_for_scripts \
	names_of_services_are_ports

# a_and_b: policies that let TCP in, by rules of these names, and one that is invalid
a_and_b() {
	local name
	for name in a b; do
		policy $name <<-EOF
			mode: {routing: disabled}
			peer_acl: [{id: $name, action: allow, source: [any], protocol: tcp,
				    destination_ports: [$([ $name = a ] && echo 8001 || echo 8002)]}]
		EOF
	done
	policy bad <<<"mode: {routing: disabld}"
}

# is_well
is_well() {
	shrike status wt0 --check
}

# is_not_well TEXT: the line of --check
is_not_well() {
	shrike status wt0 --check >"$T/check"
	[ $? = 3 ] && grep -q "^wt0: not healthy: .*$1" "$T/check"
}

test_status_check_says_in_one_line_whether_all_is_well() {
	topology "$1"
	a_and_b
	expect 3 shrike status wt0 --check
	is "nothing" "wt0: not healthy: shrike is not attached; shrike run is not active" "$OUT"
	expect 0 shrike status wt0
	expect 3 shrike status nosuch0 --check
	expect 1 shrike status nosuch0
	expect 0 shrike attach wt0 -c "$T/a.yaml"
	expect 3 shrike status --check
	is "attached alone" "wt0: not healthy: shrike run is not active" "$OUT"
	expect 0 shrike detach wt0
	run_shrike wt0 a
	wait_for is_well
	expect 0 shrike status --check
	is "well" "wt0: ok: generation 1, 1 rule, routing disabled, shrike run pid ${PROCESS[run-wt0]}" \
		"$OUT"
	expect 0 shrike status --check -j
	is "as JSON" '[{"schema":2,"interface":"wt0","healthy":true,"problems":[]}]' "$OUT"

	kill -STOP "${PROCESS[run-wt0]}"
	wait_for is_not_well "shrike run (pid ${PROCESS[run-wt0]}) hangs"
	expect 0 shrike status wt0
	matches "status" "shrike run \\(pid ${PROCESS[run-wt0]}\\) hangs" "$OUT"
	kill -CONT "${PROCESS[run-wt0]}"
	wait_for is_well

	ip -n "$ROUTER" link del wt0
	wait_for is_not_well "shrike run (pid ${PROCESS[run-wt0]}) waits"
	expect 0 shrike status wt0
	matches "status" "^wt0: no such interface; shrike run \\(pid ${PROCESS[run-wt0]}\\) is waiting" "$OUT"
	is "as JSON" "false true" "$(status_of wt0 '"\(.attached) \(.run.waiting)"')"
	stop run-wt0
	is "exit status" 0 $STATUS
}

test_a_policy_that_could_not_be_applied_shows_until_one_is() {
	topology "$1"
	a_and_b
	run_shrike wt0 a
	wait_for is_well
	expect 2 shrike policy apply wt0 "$T/bad.yaml"
	is_not_well "the last reload failed: .*bad.yaml:2:" || die "check says: $(cat "$T/check")"
	expect 0 shrike status wt0
	matches "status" "the last reload failed \\(policy apply, .*, the old policy stays: .*bad.yaml:2:" \
		"$OUT"
	is "as JSON" "policy apply 0" "$(status_of wt0 '.last_failure | "\(.cause) \(.uid)"')"
	wait_for grep -q "the old policy stays (policy apply, uid 0): .*bad.yaml:2:" "$T/run-wt0.err"
	# a change of another kind makes nothing good
	ip -n "$ROUTER" link set wt0 mtu 1300
	wait_for grep -q "generation 2 in force (interface or host changed)" "$T/run-wt0.out"
	is_not_well "the last reload failed" || die "check says: $(cat "$T/check")"
	expect 0 shrike policy apply wt0 "$T/b.yaml"
	wait_for is_well
	is "last failure" null "$(status_of wt0 .last_failure)"

	cp "$T/bad.yaml" "$T/a.yaml"
	kill -HUP "${PROCESS[run-wt0]}"
	wait_for is_not_well "the last reload failed: .*a.yaml:2:"
	wait_for grep -q "the old policy stays (SIGHUP, uid 0): .*a.yaml:2:" "$T/run-wt0.err"
	rule_is_in_force wt0 b || die "the policy has gone"
	cp "$T/b.yaml" "$T/a.yaml"
	kill -HUP "${PROCESS[run-wt0]}"
	wait_for is_well
	stop run-wt0

	# it is noted in the kernel, so that it needs no run
	expect 0 shrike attach wt0 -c "$T/b.yaml"
	expect 2 shrike policy apply wt0 "$T/nosuch.yaml"
	is "last failure" "policy apply" "$(status_of wt0 .last_failure.cause)"
	expect 0 shrike detach wt0
}

test_each_change_is_logged_once_with_cause_and_figures() {
	local line
	topology "$1"
	serve_all "$ROUTER" 8001
	a_and_b
	run_shrike wt0 a
	wait_for grep -q "^wt0: generation 1 in force (start): +1 -0 rules" "$T/run-wt0.out"
	session one "$PEER" tcp 100.64.0.1 8001
	session two "$PEER" tcp fd64::1 8001
	expect 0 shrike policy apply wt0 "$T/b.yaml"
	line="wt0: generation 2 in force (policy apply, uid 0): +1 -1 rules, 2 connections cut"
	is "said" "$line" "$OUT"
	wait_for grep -qF "$line; 1 rule, " "$T/run-wt0.out"
	is "in status" "policy apply 0 1 1 2" \
		"$(status_of wt0 '.change | "\(.cause) \(.uid) \(.added) \(.removed) \(.cut)"')"
	expect 0 shrike policy apply wt0 "$T/b.yaml" -j
	is "as JSON" "wt0 3 1 0 0 0" \
		"$(jq -r '"\(.interface) \(.generation) \(.rules) \(.added) \(.removed) \(.cut)"' <<<"$OUT")"
	kill -HUP "${PROCESS[run-wt0]}"
	wait_for grep -q "^wt0: generation 4 in force (SIGHUP, uid 0): +1 -1 rules, 0 connections cut; " \
		"$T/run-wt0.out"
	is "lines" 4 "$(grep -c "in force" "$T/run-wt0.out")"
	stop run-wt0
	expect 0 shrike attach wt0 -c "$T/a.yaml" -j
	is "as JSON" "wt0 1 0" "$(jq -r '"\(.interface) \(.added) \(.removed)"' <<<"$OUT")"
	expect 0 shrike detach wt0
}

test_run_waits_for_an_interface_that_is_not_there_yet() {
	topology "$1"
	a_and_b
	serve_all "$ROUTER" 8001
	ip -n "$ROUTER" link set wt0 down
	ip -n "$ROUTER" link set wt0 name later0
	expect 1 shrike run wt0 -c "$T/a.yaml"
	is_one_error_line "$ERR" "^shrike: wt0: no such interface.*--wait"
	expect 2 shrike run wt0 -c "$T/bad.yaml" --wait
	matches "said" "bad.yaml:2:" "$ERR"
	start run-wt0 "$ROUTER" "$SHRIKE" run wt0 -c "$T/a.yaml" --wait
	wait_for grep -q "there is no such interface yet; waiting for it" "$T/run-wt0.err"
	expect 0 shrike status wt0
	matches "status" "is waiting for it" "$OUT"
	kill -HUP "${PROCESS[run-wt0]}"
	ip -n "$ROUTER" link set later0 name wt0
	ip -n "$ROUTER" link set wt0 up
	until_protected wt0
	probe ok "$PEER" tcp 100.64.0.1 8001
	is "lines" 1 "$(wc -l <"$T/run-wt0.err")"
	stop run-wt0
	is "exit status" 0 $STATUS
	ip -n "$ROUTER" link set wt0 name later0
	start run-wt0 "$ROUTER" "$SHRIKE" run wt0 -c "$T/a.yaml" --wait
	wait_for grep -q "waiting for it" "$T/run-wt0.err"
	stop run-wt0
	is "exit status" 0 $STATUS
}

test_the_log_has_levels_and_a_journal_gets_priorities() {
	topology "$1"
	a_and_b
	expect 2 shrike run wt0 --log-level loud
	start run-wt0 "$ROUTER" "$SHRIKE" run wt0 -c "$T/a.yaml" --log-level warning
	until_protected wt0
	expect 2 shrike policy apply wt0 "$T/bad.yaml"
	wait_for grep -q "^shrike: wt0: the old policy stays" "$T/run-wt0.err"
	stop run-wt0
	is "lines of level info" "" "$(cat "$T/run-wt0.out")"

	# a journal is a file here; what makes it one is its number in JOURNAL_STREAM
	start run-wt0 "$ROUTER" bash -c 'exec 2>&1; JOURNAL_STREAM=$(stat -Lc %d:%i /dev/fd/2) exec "$@"' \
		journal "$SHRIKE" run wt0 -c "$T/a.yaml"
	until_protected wt0
	wait_for grep -q "^<6>wt0: generation 1 in force (start)" "$T/run-wt0.out"
	expect 2 shrike policy apply wt0 "$T/bad.yaml"
	wait_for grep -q "^<3>wt0: the old policy stays (policy apply, uid 0)" "$T/run-wt0.out"
	stop run-wt0
	is "lines without a priority" "" "$(grep -v '^<[0-7]>' "$T/run-wt0.out")"
	start run-wt0 "$ROUTER" bash -c 'exec 2>&1; JOURNAL_STREAM=$(stat -Lc %d:%i /dev/fd/2) exec "$@"' \
		journal "$SHRIKE" run wt0 -c "$T/bad.yaml"
	await_end run-wt0
	is "exit status" 2 $STATUS
	matches "its last words" "^<3>.*bad.yaml:2:" "$(cat "$T/run-wt0.out")"
}

test_run_without_a_policy_warns_and_keeps_its_default() {
	topology "$1"
	start run-wt0 "$ROUTER" "$SHRIKE" run wt0
	until_protected wt0
	wait_for grep -q "^shrike: wt0: no policy is given: everything inbound drops" "$T/run-wt0.err"
	ip -n "$ROUTER" link set wt0 mtu 1300 # has the policy in force built anew
	wait_for grep -q "generation 2 in force" "$T/run-wt0.out"
	kill -HUP "${PROCESS[run-wt0]}"
	wait_for grep -q "generation 3 in force" "$T/run-wt0.out"
	stop run-wt0
	is "exit status" 0 $STATUS
}

test_trace_exits_by_what_was_expected() {
	topology "$1"
	a_and_b
	expect 0 shrike attach wt0 -c "$T/a.yaml"
	expect 0 shrike trace in 100.64.0.2 self --dport 8001 --expect allowed
	expect 0 shrike trace in 100.64.0.2 self --dport 8002 -e denied -j
	expect 1 shrike trace in 100.64.0.2 self --dport 8002 --expect allowed
	matches "trace" "Final disposition: DENIED" "$OUT"
	is_one_error_line "$ERR" "^shrike: .*not ALLOWED"
	expect 2 shrike trace in 100.64.0.2 self --expect maybe
	expect 0 shrike trace in 100.64.0.2 self --dport 8002
	[[ $OUT != *$'\e'* ]] || die "colour without a terminal"
	matches "on a terminal" $'Final disposition: \e\\[31mDENIED\e\\[0m' "$(in_ns "$ROUTER" \
		script -qec "$SHRIKE trace in 100.64.0.2 self --dport 8002" /dev/null)"
	expect 0 shrike detach wt0
	expect 1 shrike trace in 100.64.0.2 self
	is_one_error_line "$ERR" "shrike is not attached; 'shrike run wt0 -c POLICY' attaches"
}

test_policies_are_compared_for_scripts() {
	topology "$1"
	a_and_b
	expect 0 shrike policy diff "$T/a.yaml" "$T/b.yaml"
	matches "differences" "- peer_acl a.*"$'\n'".*\\+ peer_acl b" "$OUT"
	expect 4 shrike policy diff "$T/a.yaml" "$T/b.yaml" --exit-code -j
	is "as JSON" "a b" "$(jq -r '"\(.changes.rules.removed[].id) \(.changes.rules.added[].id)"' <<<"$OUT")"
	expect 0 shrike policy diff "$T/a.yaml" "$T/a.yaml" --exit-code
	expect 2 shrike policy diff "$T/a.yaml" "$T/bad.yaml" --exit-code
	expect 2 shrike policy diff "$T/nosuch.yaml" "$T/a.yaml" --exit-code
	expect 2 shrike policy diff wt0
	is_one_error_line "$ERR" "'wt0' is no policy file"
	expect 0 shrike attach wt0 -c "$T/a.yaml"
	expect 0 shrike policy diff wt0 "$T/a.yaml" --exit-code
	expect 4 shrike policy diff wt0 "$T/b.yaml" --exit-code
	expect 0 shrike policy diff wt0 "$T/b.yaml"
	expect 0 shrike detach wt0
}

test_names_of_services_are_ports() {
	topology "$1"
	policy names <<-EOF
		mode: {routing: disabled}
		peer_acl:
		  - {id: ssh, action: allow, source: [any], protocol: tcp, destination_ports: [ssh, 8000-8010]}
		  - {id: sctp, action: allow, source: [any], protocol: sctp}
	EOF
	expect 0 shrike attach wt0 -c "$T/names.yaml"
	is "ports" '[22,"8000-8010"]' "$(shrike policy show wt0 -j | jq -c '.peer_acl[0].destination_ports')"
	expect 0 shrike trace in 100.64.0.2 self --dport ssh -e allowed
	expect 0 shrike trace in 100.64.0.2 self --dport http -e denied
	expect 0 shrike trace in 100.64.0.2 self -p sctp -e allowed
	expect 0 shrike conntrack list wt0 --dport ssh
	expect 2 shrike conntrack list wt0 --dport no-such
	expect 2 shrike trace in 100.64.0.2 self --dport no-such
	expect 0 shrike detach wt0
}
