# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# How shrike comes and goes: attach and detach, run and its signals, and where it may run.

tests "veth tun" \
	attach_stays_without_a_process_and_detach_removes_all \
	run_leaves_nothing_when_it_is_asked_to_end \
	each_hook_that_a_policy_asks_for_works

tests "veth" \
	attach_refuses_userspace_routing \
	run_works_under_ip_netns_exec_and_attach_says_what_is_missing \
	a_hook_that_would_not_outlive_the_command_is_refused \
	a_policy_in_force_is_no_failure_for_want_of_a_pin \
	status_shows_a_policy_whatever_its_path \
	nothing_is_unprotected_to_who_looks_while_policies_change \
	an_ordinary_user_is_refused \
	the_command_line_is_checked

tcp_only() {
	policy tcp <<-EOF
		peer_acl: [{id: tcp, action: allow, source: [any], protocol: tcp}]
	EOF
}

test_attach_stays_without_a_process_and_detach_removes_all() {
	local round
	topology "$1"
	kernel_forwards 1
	serve_all "$ROUTER" 8001
	tcp_only
	for round in 1 2; do
		expect 0 shrike attach wt0 -c "$T/tcp.yaml"
		is_protected wt0 || die "nothing is attached"
		[ -e "$(pins)/wt0/$CT_TCP4" ] || die "nothing is pinned in $(pins)/wt0"
		is_attached wt0 || die "status does not say that it is attached"
		probe ok "$PEER" tcp 100.64.0.1 8001
		probe timeout "$PEER" udp fd64::1 8001
		session kept "$PEER" tcp fd64::1 8001
		talk kept ok
		is "rule in force" tcp "$(shrike policy show wt0 -j | jq -r "$RULE_IDS")"
		expect 0 shrike policy apply wt0 "$T/tcp.yaml"
		talk kept ok
		counters_agree wt0
		expect 0 shrike detach wt0
		is_bare wt0 || die "still there: $(programs wt0)"
		nothing_is_pinned
		[ ! -e "$(pins)/wt0" ] || die "$(pins)/wt0 is still there"
		probe ok "$PEER" udp fd64::1 8001
		talk kept ok
		stop kept
		rm "$T"/kept.*
	done
}

test_run_leaves_nothing_when_it_is_asked_to_end() {
	local signal
	topology "$1"
	serve_all "$ROUTER" 8001
	tcp_only
	for signal in TERM INT; do
		run_shrike wt0 tcp
		probe timeout "$PEER" udp 100.64.0.1 8001
		stop run-wt0 $signal
		is "exit status after SIG$signal" 0 $STATUS
		is_bare wt0 || die "still there: $(programs wt0)"
		nothing_is_pinned
		is "errors" "" "$(cat "$T/run-wt0.err")"
		probe ok "$PEER" udp 100.64.0.1 8001
	done
}

test_each_hook_that_a_policy_asks_for_works() {
	local hook expected
	topology "$1"
	kernel_forwards 1 # userspace routing has no choice of hook
	serve_all "$ROUTER" 8001
	for hook in xdp tc; do
		policy $hook <<-EOF
			mode: {hook: $hook}
			peer_acl: [{id: tcp, action: allow, source: [any], protocol: tcp}]
		EOF
		run_shrike wt0 $hook
		expected='ingress'
		[ $hook = xdp ] && expected='xdp'
		matches "programs" "$expected" "$(programs wt0 | head -n 1)"
		probe ok "$PEER" tcp 100.64.0.1 8001 -n 2000000
		probe ok "$PEER" tcp fd64::1 8001 -n 2000000
		probe timeout "$PEER" udp 100.64.0.1 8001
		counters_agree wt0
		stop run-wt0
		is "exit status" 0 $STATUS
	done
}

test_attach_refuses_userspace_routing() {
	topology "$1"
	policy userspace <<<"mode: {routing: userspace}"
	expect 1 shrike attach wt0 -c "$T/userspace.yaml"
	is_one_error_line "$ERR" "^shrike: .*userspace"
	is_bare wt0 || die "attached: $(programs wt0)"
	nothing_is_pinned
}

test_run_works_under_ip_netns_exec_and_attach_says_what_is_missing() {
	topology "$1"
	kernel_forwards 1
	serve_all "$ROUTER" 8001
	tcp_only
	expect 1 ip netns exec "$ROUTER" env -u SHRIKE_BPFFS "$SHRIKE" attach wt0 -c "$T/tcp.yaml"
	is_one_error_line "$ERR" "^shrike: .*mount"
	is_bare wt0 || die "attached: $(programs wt0)"
	start run-wt0 "$PEER" ip netns exec "$ROUTER" env -u SHRIKE_BPFFS \
		"$SHRIKE" run wt0 -c "$T/tcp.yaml"
	until_protected wt0
	probe ok "$PEER" tcp 100.64.0.1 8001
	probe timeout "$PEER" udp 100.64.0.1 8001
	stop run-wt0
	is "exit status" 0 $STATUS
	is_bare wt0 || die "still there: $(programs wt0)"
}

test_a_hook_that_would_not_outlive_the_command_is_refused() {
	local hook
	topology "$1"
	for hook in xdp tc; do
		policy $hook <<-EOF
			mode: {routing: disabled, hook: $hook}
			peer_acl: [{id: $hook, action: allow, source: [any], protocol: icmp}]
		EOF
	done
	start run-wt0 "$PEER" ip netns exec "$ROUTER" env -u SHRIKE_BPFFS \
		"$SHRIKE" run wt0 -c "$T/xdp.yaml"
	until_protected wt0
	expect 1 ip netns exec "$ROUTER" env -u SHRIKE_BPFFS \
		"$SHRIKE" policy apply wt0 "$T/tc.yaml"
	is_one_error_line "$ERR" "^shrike: wt0: the hook changes.*mount"
	is_protected wt0 || die "not protected any more: $(programs wt0)"
	rule_is_in_force wt0 xdp || die "the policy has changed"
	expect 0 shrike policy apply wt0 "$T/tc.yaml" # which has a bpffs
	matches "programs" "ingress" "$(programs wt0 | head -n 1)"
	rule_is_in_force wt0 tc || die "the policy has not changed"
	stop run-wt0
	is "exit status" 0 $STATUS
	is_bare wt0 || die "still there: $(programs wt0)"
}

test_a_policy_in_force_is_no_failure_for_want_of_a_pin() {
	topology "$1"
	kernel_forwards 1
	tcp_only
	policy icmp <<-EOF
		peer_acl: [{id: icmp, action: allow, source: [any], protocol: icmp}]
	EOF
	expect 0 shrike attach wt0 -c "$T/tcp.yaml"
	mkdir "$(pins)/wt0/in-the-way"
	expect 0 shrike policy apply wt0 "$T/icmp.yaml"
	is_one_error_line "$ERR" "^shrike: warning: wt0: the policy is in force, but.*in-the-way"
	rule_is_in_force wt0 icmp || die "the policy has not changed"
	rmdir "$(pins)/wt0/in-the-way"
	expect 0 shrike detach wt0
	nothing_is_pinned
}

test_status_shows_a_policy_whatever_its_path() {
	local file=$T/$'p\xff.yaml'
	topology "$1"
	kernel_forwards 1
	tcp_only
	cp "$T/tcp.yaml" "$file"
	expect 0 shrike attach wt0 -c "$file"
	is_attached wt0 || die "status does not say that it is attached"
	expect 0 shrike policy show wt0
	is "policies in force" "$T/p"$'\xef\xbf\xbd'.yaml "$(status_of wt0 .policy)"
	expect 0 shrike detach wt0
}

test_nothing_is_unprotected_to_who_looks_while_policies_change() {
	topology "$1"
	kernel_forwards 1
	tcp_only
	expect 0 shrike attach wt0 -c "$T/tcp.yaml"
	start changes "$ROUTER" bash -c "for i in 1 2 3 4 5 6; do
		'$SHRIKE' policy apply wt0 '$T/tcp.yaml' || exit 1
	done"
	while kill -0 "${PROCESS[changes]}" 2>/dev/null; do
		is_attached wt0 >/dev/null || die "status says: $(shrike status wt0 2>&1)"
	done
	await_end changes
	is "exit status of the changes" 0 $STATUS
	expect 0 shrike detach wt0
}

test_an_ordinary_user_is_refused() {
	topology "$1"
	tcp_only
	chmod 755 "$T" "$WORK"
	# a copy, for the tree may lie where others cannot look
	install -m 755 "$SHRIKE" "$T/shrike"
	for command in "run wt0" "attach wt0" "detach wt0" "policy show wt0" "conntrack list wt0"; do
		# shellcheck disable=SC2086
		expect 1 in_ns "$ROUTER" setpriv --reuid 65534 --regid 65534 --clear-groups \
			"$T/shrike" $command
		is_one_error_line "$ERR" "^shrike: .*root|^shrike: .*CAP_"
	done
	# judging a file takes no rights
	chmod 644 "$T/tcp.yaml"
	expect 0 in_ns "$ROUTER" setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$T/shrike" policy check "$T/tcp.yaml"
}

test_the_command_line_is_checked() {
	topology "$1"
	for command in "" "nonsense" "policy" "policy nonsense" "run wt0 --nonsense" "run wt0 wt1" \
		"conntrack" "conntrack list wt0 -p nonsense" "conntrack list wt0 --sport 99999" \
		"attach wt0/x" "status wt0/x" "conntrack list a:b" "policy apply" "run wt0 -c"; do
		# shellcheck disable=SC2086
		expect 2 shrike $command
		[ -n "$ERR" ] || die "no word about it"
	done
	for command in "" run attach detach status policy "policy check" "policy apply" \
		"policy show" conntrack "conntrack list" "conntrack count" "conntrack flush" doctor \
		version; do
		# shellcheck disable=SC2086
		expect 0 shrike $command --help
		[ -n "$OUT" ] || die "no help"
	done
	expect 0 shrike --version
	expect 0 shrike version
	expect 0 shrike version -j
	jq -e . <<<"$OUT" >/dev/null || die "not JSON: $OUT"
	expect 0 shrike doctor
	expect 0 shrike doctor -j
	jq -e . <<<"$OUT" >/dev/null || die "not JSON: $OUT"
}
