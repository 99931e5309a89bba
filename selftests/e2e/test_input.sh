# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Policy files that are wrong: one line with the position, exit status 2, and nothing changed.

tests "file" \
	a_mistake_in_a_policy_is_reported_with_its_position \
	all_mistakes_are_told_in_their_order \
	what_is_no_policy_at_all_is_refused
tests "veth" \
	a_policy_that_is_refused_leaves_the_old_one_in_force \
	run_and_attach_refuse_a_wrong_policy

# refused LINE:COLUMN NAME: by `policy check`; COLUMN may be a pattern
refused() {
	expect 2 "$SHRIKE" policy check "$T/$2.yaml"
	is_one_error_line "$ERR" "^$T/$2\.yaml:$1: [^ ]"
}

test_a_mistake_in_a_policy_is_reported_with_its_position() {
	local rule='id: a, action: allow, source: [any], protocol: tcp'
	policy good <<<"peer_acl: [{$rule, destination_ports: [1, 22-65535]}]"
	expect 0 "$SHRIKE" policy check "$T/good.yaml"
	policy bad <<<"peer_akl: []"
	refused 2:1 bad
	policy bad <<<"mode: {rooting: native}"
	refused 2:8 bad
	policy bad <<<"mode: {routing: sideways}"
	refused 2:17 bad
	policy bad <<<"mode: [routing]"
	refused '2:[0-9]+' bad
	policy bad <<<"mode: {stateful: maybe}"
	refused 2:18 bad
	policy bad <<<"peer_acl: 7"
	refused 2:11 bad
	policy bad <<<"peer_acl: [{$rule}, {$rule}]"
	refused '2:[0-9]+' bad
	printf 'peer_acl:\n  - {%s}\nroute_acl:\n  - {%s, destination: [any]}\n' "$rule" "$rule" |
		policy bad
	refused '5:[0-9]+' bad
	policy bad <<<"peer_acl: [{id: a, action: allow, source: [10.0.0.1/8], protocol: tcp}]"
	refused 2:44 bad
	policy bad <<<'peer_acl: [{id: a, action: allow, source: ["fd00::1/8"], protocol: tcp}]'
	refused 2:44 bad
	policy bad <<<"peer_acl: [{id: a, action: allow, source: [10.0.0.0/33], protocol: tcp}]"
	refused 2:44 bad
	policy bad <<<"peer_acl: [{id: a, action: maybe, source: [any], protocol: tcp}]"
	refused 2:28 bad
	policy bad <<<"peer_acl: [{$rule, destination_ports: [65536]}]"
	refused 2:85 bad
	policy bad <<<"peer_acl: [{$rule, destination_ports: [-1]}]"
	refused 2:85 bad
	policy bad <<<"peer_acl: [{$rule, destination_ports: [20-10]}]"
	refused 2:85 bad
	policy bad <<<"peer_acl: [{id: a, action: allow, source: [any], protocol: 256}]"
	refused 2:60 bad
	policy bad <<<"timeouts: {udp: soon}"
	refused 2:17 bad
	policy bad <<<"limits: {tcp: -1}"
	refused 2:15 bad
	policy bad <<<"peer_acl: [{$rule}"
	refused '[0-9]+:[0-9]+' bad
	printf 'version: 1\nversion: 1\n' >"$T/bad.yaml"
	refused 2:1 bad
	echo 'version: 2' >"$T/bad.yaml"
	refused 1:10 bad
	echo 'mode: {}' >"$T/bad.yaml"
	refused '[0-9]+:[0-9]+' bad
}

test_all_mistakes_are_told_in_their_order() {
	policy bad <<'END'
peer_acl:
  - {id: a, action: alow, source: [any, 300.1.1.1], protocol: tcp, destination_ports: [x]}
sets: {s: [10.0.0.1/8]}
limits: {tcp: 0}
END
	expect 2 "$SHRIKE" policy check "$T/bad.yaml"
	is "places" "3:21 3:41 3:88 4:12 5:15" \
		"$(sed -n "s|^$T/bad.yaml:\([0-9:]*\): .*|\1|p" <<<"$ERR" | paste -sd' ')"
	expect 2 "$SHRIKE" policy check -j "$T/bad.yaml"
	is "said" "" "$ERR"
	is "as objects" "false 5 $T/bad.yaml 3 21 error expected deny or allow, not 'alow'" \
		"$(jq -r '[.valid, .n_errors, (.errors[0] | .file, .line, .column, .severity, .message)] |
			join(" ")' <<<"$OUT")"
	expect 2 "$SHRIKE" policy check -j "$T/missing.yaml"
	is "no file" "1 null" "$(jq -r '"\(.n_errors) \(.errors[0].line)"' <<<"$OUT")"
	# as many as a person can read, and the number of all
	{
		echo "peer_acl:"
		printf '  - {id: r%d, action: maybe}\n' {1..150}
	} | policy bad
	expect 2 "$SHRIKE" policy check "$T/bad.yaml"
	is "lines" 101 "$(wc -l <<<"$ERR")"
	matches "last line" "^shrike: $T/bad.yaml: 50 more errors$" "$(tail -n 1 <<<"$ERR")"
}

test_what_is_no_policy_at_all_is_refused() {
	: >"$T/empty.yaml"
	refused '[0-9]+:[0-9]+' empty
	mkdir "$T/directory.yaml"
	expect 2 "$SHRIKE" policy check "$T/directory.yaml"
	is_one_error_line "$ERR" "directory\.yaml.*: .*directory"
	expect 2 "$SHRIKE" policy check "$T/missing.yaml"
	is_one_error_line "$ERR" "missing\.yaml"
	head -c 100000000 /dev/urandom >"$T/noise.yaml"
	expect 2 timeout 10 "$SHRIKE" policy check "$T/noise.yaml"
	is_one_error_line "$ERR" "noise\.yaml"
	rm "$T/noise.yaml"
	# as long, and without an error of syntax: nested beyond all bounds
	head -c 100000000 /dev/zero | tr '\0' '[' >"$T/deep.yaml"
	expect 2 timeout 10 "$SHRIKE" policy check "$T/deep.yaml"
	is_one_error_line "$ERR" "deep\.yaml"
	rm "$T/deep.yaml"
	printf 'version: 1\0\npeer_acl: []\n' >"$T/nul.yaml"
	refused '[0-9]+:[0-9]+' nul
	printf 'a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nversion: 1\n' >"$T/laughs.yaml"
	refused '[0-9]+:[0-9]+' laughs
}

test_a_policy_that_is_refused_leaves_the_old_one_in_force() {
	local before
	topology "$1"
	serve_all "$ROUTER" 8001
	policy tcp <<<"peer_acl: [{id: tcp, action: allow, source: [any], protocol: tcp}]"
	policy bad <<<"peer_acl: [{id: udp, action: allow, source: [any], protocol: udp}, {}]"
	run_shrike wt0 tcp
	session kept "$PEER" tcp 100.64.0.1 8001
	before=$(programs wt0)
	expect 2 shrike policy apply wt0 "$T/bad.yaml"
	is_one_error_line "$ERR" "^$T/bad\.yaml:2:[0-9]+: "
	is "programs" "$before" "$(programs wt0)"
	expect 2 shrike policy apply wt0 "$T"
	is "programs" "$before" "$(programs wt0)"
	rule_is_in_force wt0 tcp || die "the rule is gone"
	talk kept ok
	probe timeout "$PEER" udp 100.64.0.1 8001
}

test_run_and_attach_refuse_a_wrong_policy() {
	local command
	topology "$1"
	policy bad <<<"peer_acl: [{id: udp}]"
	for command in run attach; do
		expect 2 shrike $command wt0 -c "$T/bad.yaml"
		is_one_error_line "$ERR" "^$T/bad\.yaml:2:[0-9]+: "
		is_bare wt0 || die "attached: $(programs wt0)"
		nothing_is_pinned
	done
}
