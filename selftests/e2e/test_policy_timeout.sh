# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Elements of sets that are there for a time; the parameter is who stays with the interface: `shrike
# run`, or nobody.

tests "run attach" \
	elements_end_in_time_with_run_and_else_with_the_next_command

tests "run" \
	what_is_left_is_shown_and_exported_and_never_saved \
	a_time_goes_on_whatever_else_changes \
	a_file_gives_its_elements_their_time_with_each_reload \
	elements_end_though_run_was_killed \
	an_element_that_has_gone_before_its_time_ends_nothing \
	a_policy_that_returns_has_its_elements_for_what_is_left \
	a_time_that_cannot_be_changes_nothing

protect() {
	topology veth
	policy sets <<-EOF
		mode: {routing: disabled}
		peer_acl:
		  - {id: friends, action: allow, source: ["set:friends"], protocol: all}
		sets:
		  friends: [100.64.0.9]
		  others: [10.9.0.1 timeout 1h, "fd00:9::1"]
	EOF
	if [ "$1" = run ]; then
		run_shrike wt0 sets
	else
		expect 0 shrike attach wt0 -c "$T/sets.yaml"
	fi
}

# content NAME: the prefixes of a set in force
content() {
	shrike policy show wt0 -j 2>/dev/null | jq -r ".sets.\"$1\" | join(\" \")"
}

# left PREFIX: the seconds that are left to it, without fractions; nothing where it has no end
left() {
	shrike policy show wt0 -j | jq -r --arg p "$1" '.timeouts[] | select(.prefix == $p) | .left_s | floor'
}

content_is() {
	[ "$(content "$1")" = "$2" ]
}

test_elements_end_in_time_with_run_and_else_with_the_next_command() {
	local seconds=$((15 * ${SLOWNESS:-1}))
	protect "$1"
	serve_all "$ROUTER" 8001
	probe timeout "$PEER" udp 100.64.0.1 8001
	expect 0 shrike policy set wt0 friends add 100.64.0.2 timeout ${seconds}s fd64::2 timeout ${seconds}s \
		100.64.0.3 timeout 1h
	is "said" "wt0: set friends: 3 added, 0 removed, 4 now" "$OUT"
	session tcp "$PEER" tcp 100.64.0.1 8001
	if [ "$1" = run ]; then
		wait_for -t 60 grep -q "(set timeout)" "$T/run-wt0.out"
	else
		wait_for -t 60 show_has_warned
	fi
	is "content" "100.64.0.3 100.64.0.9" "$(content friends)"
	talk tcp timeout
	probe timeout "$PEER" udp fd64::1 8001
	probe ok "$PEER" udp 100.64.0.1 8001 -s 100.64.0.3
	is "history" "set timeout friends 100.64.0.2, 1 more" \
		"$(shrike policy history wt0 -j | jq -r '.policies[-1].cause')"
	# both at once
	is "generation" 3 "$(shrike policy show wt0 -j | jq .generation)"
	counters_agree wt0
}

# show_has_warned: the time was over, and this command has taken the elements out
show_has_warned() {
	shrike policy show wt0 2>&1 >"$T/shown" |
		grep -q "2 elements of sets had stayed beyond the time, as 'shrike run' is not there"
}

test_what_is_left_is_shown_and_exported_and_never_saved() {
	local before
	protect "$1"
	before=$(cat "$T/sets.yaml")
	expect 0 shrike policy set wt0 friends add 100.64.0.0/24 timeout 10m fd64::2 -j
	is "JSON" "2 0 0 0" "$(jq -r '[.added, .removed, .unchanged, .renewed] | join(" ")' <<<"$OUT")"
	expect 0 shrike policy show wt0
	grep -Eq '^friends +100\.64\.0\.0/24 +10m0s +[0-9]m[0-9]+s$' <<<"$OUT" || die "$OUT"
	grep -Eq '^others +10\.9\.0\.1 +1h0m +5[0-9]m[0-9]+s$' <<<"$OUT" || die "$OUT"
	is "timeouts" "friends 100.64.0.0/24 600, others 10.9.0.1 3600" "$(shrike policy show wt0 -j |
		jq -r '[.timeouts[] | "\(.set) \(.prefix) \(.timeout_s)"] | join(", ")')"
	is "run" true "$(shrike policy show wt0 -j | jq .run)"
	expect 0 shrike policy export wt0
	grep -Eq '100\.64\.0\.0/24 timeout [0-9]m[0-9ms]+"' <<<"$OUT" || die "$OUT"
	grep -Eq '10\.9\.0\.1 timeout 5[0-9]m[0-9ms]+"' <<<"$OUT" || die "$OUT"
	printf '%s\n' "$OUT" >"$T/export.yaml"
	# one that is there for a time may stay, and not the other way round
	expect 0 shrike policy set wt0 friends add 100.64.0.9 timeout 5m
	is "said" "wt0: set friends: 0 added, 0 removed, 3 now (1 was in it before)" "$OUT"
	expect 0 shrike policy set wt0 others add 10.9.0.1
	is "said" "wt0: set others: 0 added, 0 removed, 1 renewed, 2 now" "$OUT"
	is "left" "" "$(left 10.9.0.1)"
	# what stays is saved
	expect 0 shrike policy set wt0 --save
	is "said" "wt0: 2 sets saved" "$OUT"
	is "file" "$(sed 's/friends: .*/friends: [100.64.0.9, "fd64::2"]/; s/10.9.0.1 timeout 1h/"10.9.0.1"/' <<<"$before")" \
		"$(cat "$T/sets.yaml")"
	expect 2 shrike policy set wt0 friends add 10.0.0.1 timeout 10m --save
	is_one_error_line "$ERR" "^shrike: set friends: --save does not go with a timeout$"
	expect 0 shrike policy check "$T/export.yaml"
	expect 0 shrike policy apply wt0 "$T/export.yaml"
	matches "left of what was exported" '^5[0-9][0-9]$' "$(left 100.64.0.0/24)"
}

test_a_time_goes_on_whatever_else_changes() {
	protect "$1"
	expect 0 shrike policy set wt0 friends add 100.64.0.2 timeout 10m 100.64.0.3 timeout 1h
	is "left" "yes" "$([ "$(left 100.64.0.3)" -gt 1800 ] && echo yes)"
	# a shorter time, and the other's goes on
	expect 0 shrike policy set wt0 friends add 100.64.0.3 timeout 20m
	is "said" "wt0: set friends: 0 added, 0 removed, 1 renewed, 3 now" "$OUT"
	is "left" "yes" "$([ "$(left 100.64.0.3)" -le 1200 ] && echo yes)"
	is "left" "yes" "$([ "$(left 100.64.0.2)" -lt 600 ] && echo yes)"
	expect 0 shrike policy block wt0 10.0.0.1
	expect 0 shrike policy set wt0 others del fd00:9::1
	remove_overlay veth 0
	wait_for grep -q "is gone" "$T/run-wt0.err"
	add_overlay veth 0 "$PEER" 1420
	wait_for is_protected wt0
	is "content" "100.64.0.2 100.64.0.3 100.64.0.9" "$(content friends)"
	is "left" "yes" "$([ "$(left 100.64.0.2)" -lt 600 ] && echo yes)"
	# the same time anew
	wait_for is_below 100.64.0.2 585
	expect 0 shrike policy set wt0 friends add 100.64.0.2 timeout 10m
	wait_for not is_below 100.64.0.2 585
	expect 0 shrike policy set wt0 friends del 100.64.0.2
	is "left" "" "$(left 100.64.0.2)"
}

# is_below PREFIX SECONDS
is_below() {
	[ "$(left "$1")" -lt "$2" ]
}

test_a_file_gives_its_elements_their_time_with_each_reload() {
	protect "$1"
	# how long elements stay is part of what it says
	is "the file" same "$(shrike policy show wt0 -j | jq -r .file)"
	expect 0 shrike policy set wt0 others add 10.9.0.1 timeout 2h
	is "the file" differs "$(shrike policy show wt0 -j | jq -r .file)"
	expect 0 shrike policy diff wt0 "$T/sets.yaml"
	grep -qF -- "set others: +10.9.0.1 timeout 1h -10.9.0.1 timeout 2h" <<<"$OUT" || die "$OUT"
	expect 0 shrike policy set wt0 friends add 100.64.0.2 timeout 10m
	expect 0 shrike policy set wt0 others add 10.9.0.1 timeout 2s
	wait_for content_is others "fd00:9::1"
	kill -HUP "${PROCESS[run-wt0]}"
	wait_for content_is others "10.9.0.1 fd00:9::1"
	is "friends" "100.64.0.9" "$(content friends)"
	matches "left" '^35[0-9][0-9]$' "$(left 10.9.0.1)"
}

test_elements_end_though_run_was_killed() {
	protect "$1"
	expect 0 shrike policy set wt0 friends add 100.64.0.2 timeout $((8 * ${SLOWNESS:-1}))s
	kill -KILL "${PROCESS[run-wt0]}"
	await_end run-wt0
	expect 0 shrike policy show wt0
	if [ -z "$ERR" ]; then # it has come before the time
		grep -q "'shrike run' is not there: they end with the next" <<<"$OUT" || die "$OUT"
	fi
	wait_for content_is friends 100.64.0.9
	is "others" "10.9.0.1 fd00:9::1" "$(content others)"
	is "cause" "set timeout" "$(status_of wt0 .change.cause)"
	# and with a run that comes after the time, the policy's file counts
	expect 0 shrike policy set wt0 others add 10.9.0.2 timeout 1s
	run_shrike wt0 sets
	wait_for content_is others "10.9.0.1 fd00:9::1"
}

# boottime: nanoseconds of the clock of deadlines
boottime() {
	python3 -c 'import time; print(time.clock_gettime_ns(time.CLOCK_BOOTTIME))'
}

is_over() {
	[ "$(boottime)" -gt "$1" ]
}

test_an_element_that_has_gone_before_its_time_ends_nothing() {
	local seconds=$((6 * ${SLOWNESS:-1})) end
	protect "$1"
	expect 0 shrike policy set wt0 friends add 100.64.0.2 timeout ${seconds}s
	end=$(($(boottime) + (seconds + 1) * 1000000000))
	# run is about to take the element out, and another command does so before it
	start lock "$ROUTER" "$TOOLS/lock" wt0
	wait_for grep -q locked "$T/lock.out"
	wait_for -t 60 is_over $end
	kill -STOP "${PROCESS[run-wt0]}"
	stop lock KILL
	expect 0 shrike policy set wt0 friends del 100.64.0.2
	kill -CONT "${PROCESS[run-wt0]}"
	expect 0 shrike policy set wt0 friends add 100.64.0.3 timeout 1s
	wait_for content_is friends 100.64.0.9
	is "who has taken it out" "set timeout" "$(status_of wt0 .change.cause)"
	is "run" true "$(status_of wt0 .running)"
	is "what it complains of" "" "$(cat "$T/run-wt0.err")"
}

test_a_policy_that_returns_has_its_elements_for_what_is_left() {
	protect "$1"
	policy other <<<"peer_acl: [{id: other, action: allow, source: [any], protocol: all}]"
	expect 0 shrike policy set wt0 friends add 100.64.0.2 timeout 10m 100.64.0.3 timeout 1s
	wait_for content_is friends "100.64.0.2 100.64.0.9"
	start apply "$ROUTER" "$SHRIKE" policy apply wt0 "$T/other.yaml" --confirm 60
	wait_for rule_is_in_force wt0 other
	wait_for grep -q "to keep it" "$T/apply.out"
	stop apply
	wait_for content_is friends "100.64.0.2 100.64.0.9"
	is "left" "yes" "$([ "$(left 100.64.0.2)" -lt 600 ] && echo yes)"
}

test_a_time_that_cannot_be_changes_nothing() {
	local before
	protect "$1"
	before=$(shrike policy show wt0 -j | jq 'del(.timeouts)')
	expect 2 shrike policy set wt0 friends add 10.0.0.1 timeout
	is_one_error_line "$ERR" "^shrike: set friends: timeout: for how long is missing, such as 10m$"
	expect 2 shrike policy set wt0 friends add timeout 10m
	is_one_error_line "$ERR" "no address or prefix stands before it$"
	expect 2 shrike policy set wt0 friends add 10.0.0.1 timeout 0s
	is_one_error_line "$ERR" "timeout: '0s' is less than a second$"
	expect 2 shrike policy set wt0 friends add 10.0.0.1 timeout 400d
	is_one_error_line "$ERR" "timeout: '400d' is not a duration"
	expect 2 shrike policy set wt0 friends add 10.0.0.1 timeout 8785h
	is_one_error_line "$ERR" "longer than 366 days$"
	expect 2 shrike policy set wt0 friends del 10.0.0.1 timeout 10m
	is_one_error_line "$ERR" "timeout: is for elements that are added$"
	printf '10.0.0.1 timeout soon\n' >"$T/list"
	shrike policy set wt0 friends add - <"$T/list" 2>"$T/said"
	is "exit status" 2 $?
	is_one_error_line "$(cat "$T/said")" "^shrike: -:1:18: timeout: 'soon' is not a duration|^-:1:18: "
	policy bad <<<"sets: {s: [10.0.0.1 timeout 10x]}"
	expect 2 shrike policy apply wt0 "$T/bad.yaml"
	is_one_error_line "$ERR" "bad.yaml:2:12: timeout: '10x' is not a duration"
	is "policy" "$before" "$(shrike policy show wt0 -j | jq 'del(.timeouts)')"
}
