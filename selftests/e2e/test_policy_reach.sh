# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Questions about policies: what can reach what, is a sentence true, are two policies the same.

tests "file" \
	reach_lists_what_each_rule_lets_in \
	a_sentence_is_true_or_a_packet_shows_that_it_is_not \
	equal_policies_let_in_the_same_packets \
	a_policy_that_breaks_its_assertion_is_refused_without_rights
tests "veth" \
	questions_about_an_interface_are_about_the_policy_in_force

# asked [TEXT]: $T/asked.yaml, and TEXT behind it
asked() {
	{
		cat <<'END'
mode: {routing: native}
names: {anna: [100.64.40.7]}
sets: {corp: [172.20.0.0/16]}
peer_acl:
  - {id: ssh, action: allow, source: [100.64.40.0/24], protocol: tcp, destination_ports: [22]}
  - {id: lab, action: deny, source: [100.64.7.0/24], protocol: all}
  - {id: ping, action: allow, source: [any], protocol: icmp, icmp_types: [echo-request]}
route_acl:
  - {id: vault, action: deny, source: [any], destination: [10.0.9.0/24], protocol: all}
  - {id: web, action: allow, source: [100.64.0.0/10], destination: [10.0.0.0/8], protocol: tcp,
     destination_ports: [80, 443]}
  - {id: corp, action: allow, source: [anna], destination: [set:corp], protocol: all}
END
		printf '%s\n' "$@"
	} | policy asked
}

test_reach_lists_what_each_rule_lets_in() {
	asked
	expect 0 "$SHRIKE" policy reach "$T/asked.yaml"
	is "all" "ssh: 100.64.40.0/24 -> this host tcp/22
ping: any but 100.64.7.0/24 -> this host icmp/echo-request
web: 100.64.0.0/10 -> 10.0.0.0/8 but 10.0.9.0/24 tcp/80,443
corp: 100.64.40.7 -> 172.20.0.0/16 all" "$OUT"
	expect 0 "$SHRIKE" policy reach "$T/asked.yaml" --from anna --to set:corp,10.0.9.0/24 -p tcp --dport 22
	is "some" "corp: 100.64.40.7 -> 172.20.0.0/16 tcp/22" "$OUT"
	expect 0 "$SHRIKE" policy reach "$T/asked.yaml" --to 10.0.9.0/24
	is "none" "nothing" "$OUT"
	expect 0 "$SHRIKE" policy reach -j "$T/asked.yaml" --to 10.0.0.0/8
	is "as JSON" '{"from":["100.64.0.0/10"],"to":["10.0.0.0/8"],"to_except":["10.0.9.0/24"],"protocols":["tcp"],"destination_ports":["80","443"]}' \
		"$(jq -c '.rules[0].boxes[0]' <<<"$OUT")"
	is "schema" 2 "$(jq .schema <<<"$OUT")"
	expect 2 "$SHRIKE" policy reach "$T/asked.yaml" -p icmp --dport 22
	expect 2 "$SHRIKE" policy reach "$T/asked.yaml" --from nobody
	is_one_error_line "$ERR" "^shrike: --from: 'nobody' is not "
}

test_a_sentence_is_true_or_a_packet_shows_that_it_is_not() {
	asked
	expect 0 "$SHRIKE" policy prove "$T/asked.yaml" "any cannot reach 10.0.9.0/24"
	is "answer" yes "$OUT"
	expect 0 "$SHRIKE" policy prove "$T/asked.yaml" "100.64.40.0/24 can reach self tcp/22"
	expect 1 "$SHRIKE" policy prove "$T/asked.yaml" "100.64.0.0/10 can reach 10.0.0.0/8 tcp/80"
	matches "packet" "no: 100.64.0.0 -> 10.0.9.0 tcp/80 is denied by rule vault" "$OUT"
	matches "trace" "Route ACL: Blocked by route ACLs .vault." "$OUT"
	expect 1 "$SHRIKE" policy prove -j "$T/asked.yaml" "anna cannot reach self,set:corp icmp"
	is "as JSON" '[false,true,"ALLOWED"]' \
		"$(jq -c '[.holds, .witness.allowed, .trace.disposition]' <<<"$OUT")"
	for sentence in "anna reach self" "self can reach any" "any can reach set:none" \
		"224.0.0.0/4 can reach self" "any can reach self icmpp" "any can reach self 47/22"; do
		expect 2 "$SHRIKE" policy prove "$T/asked.yaml" "$sentence"
		is_one_error_line "$ERR" "^shrike: "
	done
}

test_equal_policies_let_in_the_same_packets() {
	asked
	sed 's/100.64.40.0\/24/100.64.40.0\/25, 100.64.40.128\/25/' "$T/asked.yaml" >"$T/same.yaml"
	expect 0 "$SHRIKE" policy equal "$T/asked.yaml" "$T/same.yaml"
	sed 's/\[22\]/[22-23]/' "$T/asked.yaml" >"$T/other.yaml"
	expect 4 "$SHRIKE" policy equal "$T/other.yaml" "$T/asked.yaml"
	matches "packet" "different: 100.64.40.0 -> 192.0.2.1 tcp/23" "$OUT"
	matches "one" "other.yaml: allowed by rule ssh " "$OUT"
	matches "other" "asked.yaml: denied by no rule .peer_acl_default." "$OUT"
}

test_a_policy_that_breaks_its_assertion_is_refused_without_rights() {
	asked "tests:" '  - {assert: "any cannot reach 10.0.9.0/24"}'
	chmod 755 "$T" && cp "$SHRIKE" "$T/shrike"
	expect 0 setpriv --reuid=65534 --clear-groups "$T/shrike" policy check --require-tests "$T/asked.yaml"
	matches "said" "1 test passed" "$OUT"
	asked "tests:" '  - {assert: "100.64.0.0/16 cannot reach 10.0.0.0/8 tcp/443"}'
	expect 2 setpriv --reuid=65534 --clear-groups "$T/shrike" policy check "$T/asked.yaml"
	matches "said" "test failed: .*: 100.64.0.0 -> 10.0.0.0 tcp/443 is allowed by rule web" "$ERR"
	asked "tests:" '  - {assert: "any cannot reach 10.0.9.0/24", to: self}'
	expect 2 "$SHRIKE" policy check "$T/asked.yaml"
}

test_questions_about_an_interface_are_about_the_policy_in_force() {
	topology "$1"
	asked
	run_shrike wt0 asked
	expect 0 shrike policy prove wt0 "any cannot reach 10.0.9.0/24"
	expect 0 shrike policy set wt0 corp add 10.1.0.0/16
	expect 1 shrike policy prove wt0 "anna cannot reach 10.1.2.3 tcp/22"
	matches "rule" "is allowed by rule corp" "$OUT"
	expect 0 shrike policy prove "$T/asked.yaml" "anna cannot reach 10.1.2.3 tcp/22"
	expect 4 shrike policy equal wt0 "$T/asked.yaml"
	asked "tests:" '  - {assert: "any cannot reach self"}'
	expect 2 shrike policy apply wt0 "$T/asked.yaml"
}
