# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What of a policy nothing needs any more.

tests "veth" \
	unused_rules_are_those_without_hits_whatever_generation_counted_them \
	a_rule_of_a_connection_in_use_is_not_unused \
	hits_are_counted_since_the_id_came_into_the_policy_or_the_interface_was_attached

unused_policy() {
	policy "$1" <<-EOF
		mode: {routing: disabled}
		peer_acl:
		  - {id: web, action: allow, source: [100.64.0.0/16], protocol: tcp, destination_ports: [8001]}
		  - {id: one, action: allow, source: [100.64.0.2], protocol: tcp, destination_ports: [8001]}
		  - {id: $2, action: allow, source: ["set:old"], protocol: udp}
		sets: {old: [], new: [10.0.0.0/8]}
	EOF
}

# unused FILTER ARGUMENT...: what jq makes of it
unused() {
	shrike policy unused wt0 "${@:2}" -j | jq -r "$1"
}

test_unused_rules_are_those_without_hits_whatever_generation_counted_them() {
	topology "$1"
	serve_all "$ROUTER" 8001
	unused_policy first idle
	run_shrike wt0 first
	is "before" "web one idle" "$(unused '[.rules[].rule] | join(" ")')"
	session held "$PEER" tcp 100.64.0.1 8001
	talk held ok
	is "with hits" "one idle" "$(unused '[.rules[].rule] | join(" ")')"
	matches "why" "rule 'one' .*never reached|repeats" "$(unused '.rules[0].never_reached')"
	is "sets" old "$(unused '.empty_sets | join(" ")')"
	expect 0 shrike policy unused wt0
	matches "the text" "one +never .*'web'" "$OUT"
	matches "the text" "set old has no members" "$OUT"
	unused_policy second other
	expect 0 shrike policy apply wt0 "$T/second.yaml"
	is "after a change" "one other" "$(unused '[.rules[].rule] | join(" ")')"
	is "hits of the last hour" "one other" "$(unused '[.rules[].rule] | join(" ")' --since 1h)"
	expect 0 shrike policy unused wt0 --since 30d
	matches "the warning" "hits are counted since .* and not for longer" "$ERR"
	matches "the text" "no hits, but not counted for that long" "$OUT"
	expect 2 shrike policy unused wt0 --since yesterday
	expect 2 shrike policy unused wt0 --since 0
	expect 2 shrike policy unused wt0 --since 400d
}

# has_moved_on: the hit of the rule is four seconds ago
has_moved_on() {
	[ "$(shrike policy show wt0 -j | jq '.peer_acl[0].last_hit_s > 4')" = true ]
}

test_a_rule_of_a_connection_in_use_is_not_unused() {
	topology "$1"
	serve_all "$ROUTER" 8001
	unused_policy first idle
	run_shrike wt0 first
	session held "$PEER" tcp 100.64.0.1 8001
	talk held ok
	wait_for has_moved_on
	talk held ok
	is "while it is used" "one idle" "$(unused '[.rules[].rule] | join(" ")' --since 4s)"
	stop held
	wait_for -t 30 is_unused web --since 1s
}

is_unused() {
	[[ " $(unused '[.rules[].rule] | join(" ")' "${@:2}") " = *" $1 "* ]]
}

test_hits_are_counted_since_the_id_came_into_the_policy_or_the_interface_was_attached() {
	local began
	topology "$1"
	unused_policy first idle
	run_shrike wt0 first
	began=$(unused .counted_since)
	is "of the first policy" "$began" "$(unused '.rules[0].counted_since')"
	unused_policy second other
	expect 0 shrike policy apply wt0 "$T/second.yaml"
	is "of a rule that stayed" "$began" "$(unused '.rules[] | select(.rule == "web").counted_since')"
	is "of one that came" "$(shrike policy history wt0 -j | jq -r '.policies[1].time')" \
		"$(unused '.rules[] | select(.rule == "other").counted_since')"
	expect 0 shrike policy rollback wt0 1
	matches "of one that was away" "$(shrike policy history wt0 -j | jq -r '.policies[2].time')" \
		"$(unused '.rules[] | select(.rule == "idle").counted_since')"
	stop run-wt0
	expect 0 shrike attach wt0 -c "$T/first.yaml"
	matches "after another attachment" true "$(unused ".counted_since > \"$began\"")"
	is "of its rules" true "$(unused '.counted_since as $all | [.rules[].counted_since == $all] | all')"
	rm "$SHRIKE_STATE"/netns-*/wt0/counted
	is "where nothing is noted" true "$(unused ".counted_since > \"$began\"")"
	expect 0 shrike detach wt0
}
