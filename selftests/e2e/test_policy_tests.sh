# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The tests of a policy: one that fails one does not come into force.

tests "file" \
	check_runs_the_tests_of_a_policy \
	a_prefix_stands_for_every_address_that_rules_tell_apart \
	without_the_rights_check_says_that_tests_were_not_run
tests "veth tun" \
	a_policy_that_fails_its_tests_does_not_come_into_force

# tested TEST...: $T/tested.yaml, with these items of "tests"
tested() {
	{
		cat <<'END'
peer_acl:
  - {id: ssh, action: allow, source: [100.64.0.0/16, "fd64::/64"], protocol: tcp, destination_ports: [22]}
  - {id: hole, action: deny, source: [100.64.7.0/24], protocol: all}
  - {id: ping, action: allow, source: [any], protocol: icmp, icmp_types: [echo-request]}
route_acl:
  - {id: web, action: allow, source: [100.64.0.0/10], destination: [10.0.0.0/8], protocol: tcp,
     destination_ports: [80]}
tests:
END
		printf '  - {%s}\n' "$@"
	} | policy tested
}

# fails TEST TEXT: check says TEXT of the test
fails() {
	tested "$1"
	expect 2 "$SHRIKE" policy check "$T/tested.yaml"
	is_one_error_line "$ERR" "^$T/tested\.yaml:10:5: test failed: $2"
}

test_check_runs_the_tests_of_a_policy() {
	tested "from: 100.64.3.4, to: self, protocol: tcp, dport: 22, expect: allowed, rule: ssh" \
		"from: 100.64.7.4, to: self, protocol: tcp, dport: 22, expect: denied, rule: hole" \
		"from: 'fd64::2', to: self, protocol: tcp, sport: 1000, dport: 22, expect: allowed" \
		"from: 100.65.0.1, to: self, protocol: icmp, expect: allowed" \
		"from: 100.65.0.1, to: self, protocol: icmp, icmp_type: timestamp-request, expect: denied" \
		"from: 100.64.1.1, to: 10.1.2.3, protocol: tcp, dport: 80, expect: allowed, rule: web" \
		"from: self, to: 10.1.2.3, protocol: udp, dport: 53, expect: allowed" \
		"from: 100.64.1.1, to: self, protocol: 47, expect: denied"
	expect 0 "$SHRIKE" policy check "$T/tested.yaml"
	matches "said" "valid, 4 rules, .* 8 tests passed" "$OUT"
	expect 0 "$SHRIKE" policy check -j "$T/tested.yaml"
	is "as JSON" '{"run":8,"failed":0,"not_run":0}' "$(jq -c .tests <<<"$OUT")"
	fails "from: 100.64.3.4, to: self, protocol: tcp, dport: 23, expect: allowed" \
		"100.64.3.4 -> 192.0.2.1 tcp/23 is denied by no rule .peer_acl_default., expected allowed"
	fails "from: 100.64.3.4, to: self, protocol: tcp, dport: 22, expect: denied" \
		"100.64.3.4 -> 192.0.2.1 tcp/22 is allowed by rule ssh .peer_acl_allowed., expected denied"
	fails "from: 100.64.3.4, to: self, protocol: tcp, dport: 22, expect: allowed, rule: web" \
		"100.64.3.4 -> .* is allowed by rule ssh .*, expected allowed by rule web"
}

test_a_prefix_stands_for_every_address_that_rules_tell_apart() {
	tested "from: 100.64.0.0/21, to: self, protocol: tcp, dport: 22, expect: denied" # all but .7
	expect 2 "$SHRIKE" policy check "$T/tested.yaml"
	fails "from: 100.64.0.0/16, to: self, protocol: tcp, dport: 22, expect: allowed" \
		"100.64.7.0 -> .* is denied by rule hole"
	fails "from: 100.64.0.0/10, to: self, protocol: tcp, dport: 22, expect: allowed" \
		"100.64.7.0 -> .* is denied by rule hole"
	fails "from: 100.65.0.0/16, to: 10.0.0.0/7, protocol: tcp, dport: 80, expect: allowed" \
		"100.65.0.0 -> 11.0.0.0 tcp/80 is denied by no rule"
	tested "from: 100.64.8.0/21, to: self, protocol: tcp, dport: 22, expect: allowed" \
		"from: 100.64.0.0/10, to: 10.0.0.0/8, protocol: tcp, dport: 80, expect: allowed" \
		"from: any, to: 10.0.0.0/8, protocol: tcp, dport: 81, expect: denied" \
		"from: 128.0.0.0/1, to: self, protocol: icmp, expect: allowed"
	expect 0 "$SHRIKE" policy check "$T/tested.yaml"
}

test_without_the_rights_check_says_that_tests_were_not_run() {
	tested "from: 100.64.3.4, to: self, protocol: tcp, dport: 22, expect: allowed"
	chmod 755 "$T" && cp "$SHRIKE" "$T/shrike"
	expect 0 setpriv --reuid=65534 --clear-groups "$T/shrike" policy check "$T/tested.yaml"
	is "said" "shrike: $T/tested.yaml: 1 test not run: needs CAP_BPF" "$ERR"
	expect 1 setpriv --reuid=65534 --clear-groups "$T/shrike" policy check --require-tests \
		"$T/tested.yaml"
}

# generation_is N
generation_is() {
	[ "$(status_of wt0 .generation)" = "$1" ]
}

test_a_policy_that_fails_its_tests_does_not_come_into_force() {
	topology "$1"
	serve_all "$ROUTER" 22
	tested "from: 100.64.3.4, to: 100.64.0.1, protocol: tcp, dport: 22, expect: allowed"
	run_shrike wt0 tested
	wait_for generation_is 1
	probe ok "$PEER" tcp 100.64.0.1 22
	# "self" is what wt0 has here
	tested "from: 100.64.3.4, to: self, protocol: tcp, dport: 22, expect: denied"
	expect 2 shrike policy apply wt0 "$T/tested.yaml"
	is_one_error_line "$ERR" "^$T/tested\.yaml:10:5: test failed: 100.64.3.4 -> 100.64.0.1 tcp/22 "
	kill -HUP "${PROCESS[run-wt0]}"
	wait_for grep -q "test failed" "$T/run-wt0.err"
	is "generation" 1 "$(status_of wt0 .generation)"
	probe ok "$PEER" tcp 100.64.0.1 22
	tested "from: 100.64.3.4, to: self, protocol: tcp, dport: 22, expect: allowed" \
		"from: 100.64.3.4, to: self, protocol: tcp, dport: 23, expect: denied"
	expect 0 shrike policy apply wt0 "$T/tested.yaml"
	wait_for generation_is 2
	stop run-wt0
	tested "from: 100.64.3.4, to: self, protocol: tcp, dport: 22, expect: denied"
	expect 2 shrike run wt0 -c "$T/tested.yaml"
	expect 2 shrike attach wt0 -c "$T/tested.yaml"
	is_bare wt0 || die "attached: $(programs wt0)"
}
