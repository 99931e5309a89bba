# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Policies at the limits: a correct result or a clear refusal, in bounded time and memory.  The
# bounds are wide, as the machine may be busy.

tests "check" \
	policies_of_no_rule_and_of_one_are_valid \
	a_policy_of_a_million_rules_is_refused \
	identical_rules_are_valid_and_named \
	rules_from_everywhere_to_everywhere_are_valid \
	every_port_listed_singly_is_valid \
	hostile_overlaps_are_answered

tests "veth" \
	a_set_of_100000_prefixes_decides \
	a_policy_that_is_too_large_leaves_the_old_one_in_force

SECONDS_MAX=60
KIB_MAX=3000000

# bounded STATUS ARGUMENT...: shrike within these bounds; like expect
bounded() {
	local wanted=$1 status
	shift
	(
		is_sanitized || ulimit -v $KIB_MAX
		in_ns "$ROUTER" timeout $SECONDS_MAX "$SHRIKE" "$@"
	) >"$T/expect.out" 2>"$T/expect.err" </dev/null
	status=$?
	OUT=$(head -c 1000000 "$T/expect.out")
	ERR=$(head -c 100000 "$T/expect.err")
	[ $status -eq "$wanted" ] ||
		die "$*: expected exit status $wanted, got $status: ${ERR:0:300} ${OUT:0:300}"
	echo "exit status $status: $*"
}

# rules N FORMAT: N rules of peer_acl, FORMAT with the number for each %d
rules() {
	{
		echo "version: 1"
		echo "peer_acl:"
		seq 0 $(($1 - 1)) | awk -v format="  - {id: r%d, action: allow, $2}\n" \
			'{ printf format, $1, $1, $1, $1 }'
	} >"$T/$3.yaml"
}

test_policies_of_no_rule_and_of_one_are_valid() {
	make_namespace "$ROUTER"
	policy none <<<""
	bounded 0 policy check "$T/none.yaml"
	matches "no rule" "valid, 0 rules" "$OUT"
	policy one <<<"peer_acl: [{id: one, action: allow}]"
	bounded 0 policy check "$T/one.yaml"
	matches "one rule" "valid, 1 rule" "$OUT"
}

test_a_policy_of_a_million_rules_is_refused() {
	make_namespace "$ROUTER"
	rules 1000000 "source: [10.0.0.1], protocol: tcp" million
	bounded 2 policy check "$T/million.yaml"
	is_one_error_line "$ERR" "^(shrike: )?$T/million.yaml:"
}

test_identical_rules_are_valid_and_named() {
	make_namespace "$ROUTER"
	rules 20000 "source: [10.0.0.0/8], protocol: tcp, destination_ports: [80]" same
	bounded 0 policy check "$T/same.yaml"
	matches "the sum" "valid, 20000 rules" "$(tail -n 1 "$T/expect.out")"
	is "rules that are named" 19999 "$(grep -c "repeats rule 'r0' in line 3" "$T/expect.out")"
}

test_rules_from_everywhere_to_everywhere_are_valid() {
	make_namespace "$ROUTER"
	rules 20000 "source: [0.0.0.0/0, '::/0'], protocol: tcp, destination_ports: [%d]" everywhere
	bounded 0 policy check "$T/everywhere.yaml"
	is "what it says" 1 "$(wc -l <"$T/expect.out")"
	matches "the sum" "valid, 20000 rules" "$OUT"
}

test_every_port_listed_singly_is_valid() {
	make_namespace "$ROUTER"
	{
		echo "version: 1"
		echo "peer_acl:"
		echo "  - {id: listed, action: allow, protocol: tcp, destination_ports: [$(
			seq -s, 0 65535)]}"
		echo "  - {id: any, action: allow, protocol: tcp, source: [10.0.0.0/8]}"
		echo "  - {id: udp, action: allow, protocol: udp, source_ports: [$(
			seq -s, 1 2 65535)]}"
		echo "  - {id: odd, action: allow, protocol: udp, source_ports: [7]}"
		echo "  - {id: even, action: allow, protocol: udp, source_ports: [6-7]}"
	} >"$T/ports.yaml"
	bounded 0 policy check "$T/ports.yaml"
	matches "what it says" "rule 'any' is never reached" "$OUT"
	matches "what it says" "rule 'odd' is never reached" "$OUT"
	is "warnings" 2 "$(grep -c warning "$T/expect.out")"
}

# Every rule overlaps every other one, and none covers another.
test_hostile_overlaps_are_answered() {
	make_namespace "$ROUTER"
	{
		echo "version: 1"
		echo "peer_acl:"
		seq 0 2999 | awk '{ printf "  - {id: r%d, action: %s, protocol: tcp, source_ports: " \
			"[%d-%d], destination_ports: [%d-%d]}\n", $1, $1 % 3 ? "allow" : "deny",
			$1, $1 + 9999, 10000 - $1, 19999 - $1 }'
	} >"$T/hostile.yaml"
	bounded 0 policy check "$T/hostile.yaml"
	matches "the sum" "valid, 3000 rules" "$(tail -n 1 "$T/expect.out")"
}

test_a_set_of_100000_prefixes_decides() {
	topology "$1"
	{
		echo "version: 1"
		echo "mode: {routing: disabled}"
		echo "peer_acl: [{id: many, action: allow, source: ['set:many'], protocol: icmp}]"
		echo "sets:"
		echo "  many:"
		echo "    - 100.64.0.2"
		seq 0 99998 | awk '{ printf "    - 10.%d.%d.%d/31\n", $1 / 32768, $1 / 128 % 256,
			$1 % 128 * 2 }'
	} >"$T/many.yaml"
	bounded 0 policy check "$T/many.yaml"
	bounded 0 attach wt0 -c "$T/many.yaml"
	pings ok "$PEER" 100.64.0.1 -I 100.64.0.2
	pings lost "$PEER" 100.64.0.1 -I 100.64.0.3
	bounded 0 policy set wt0 many del 100.64.0.2
	is "said" "wt0: set many: 0 added, 1 removed, 99999 now" "$OUT"
	pings lost "$PEER" 100.64.0.1 -I 100.64.0.2
}

test_a_policy_that_is_too_large_leaves_the_old_one_in_force() {
	topology "$1"
	policy old <<-EOF
		mode: {routing: disabled}
		peer_acl: [{id: old, action: allow, source: [any], protocol: icmp}]
	EOF
	bounded 0 attach wt0 -c "$T/old.yaml"
	rules 1000000 "source: [10.0.0.1], protocol: tcp" million
	bounded 2 policy apply wt0 "$T/million.yaml"
	is_one_error_line "$ERR" "^(shrike: )?$T/million.yaml:"
	# small to read, and large when it is expanded: each rule has all of a set and another prefix
	{
		echo "version: 1"
		echo "mode: {routing: disabled}"
		echo "sets: {s: [$(seq 0 9999 | awk '{ printf "%s10.%d.%d.0/25", (NR > 1 ? ", " : ""),
			$1 / 256, $1 % 256 }')]}"
		echo "peer_acl:"
		seq 0 1999 | awk '{ printf "  - {id: r%d, action: allow, source: [\"set:s\", 11.%d.%d.0/24]}\n",
			$1, $1 / 256, $1 % 256 }'
	} >"$T/large.yaml"
	bounded 1 policy apply wt0 "$T/large.yaml"
	is_one_error_line "$ERR" "^shrike: .*too large"
	rule_is_in_force wt0 old || die "the old policy has gone"
	pings ok "$PEER" 100.64.0.1
}
