# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Named sets that change while their policy is in force.

tests "veth tun" \
	a_set_that_changes_lets_peers_in_and_cuts_them_off

tests "veth" \
	a_set_says_what_a_change_came_to_and_shows_what_is_in_it \
	a_change_of_a_set_that_is_wrong_changes_nothing \
	changes_of_sets_at_the_same_time_are_all_made \
	a_set_takes_thousands_of_prefixes_from_standard_input

set_policy() {
	policy sets <<-EOF
		mode: {routing: disabled}
		peer_acl:   # a comment, and a plain text with a comma: kept or not, it means the same
		  - {id: 'it''s "friends", \ all', action: allow, source: ["set:friends"], protocol: all}
		  - {id: admins, action: allow, source: [100.64.0.3, "set:admins"], protocol: tcp,
		     destination_ports: [8001, 9000-9001]}
		sets:
		  friends: []
		  admins: [fd64::/127]
		timeouts: {udp: 90s}
		mss_clamp: false
	EOF
}

# content NAME: the prefixes of a set in force
content() {
	shrike policy show wt0 -j | jq -r ".sets.\"$1\" | join(\" \")"
}

test_a_set_that_changes_lets_peers_in_and_cuts_them_off() {
	local family
	topology "$1"
	serve_all "$ROUTER" 8002
	set_policy
	run_shrike wt0 sets
	for family in 4 6; do
		use_family $family
		probe timeout "$PEER" udp $ROUTER_IP 8002
		expect 0 shrike policy set wt0 friends add $PEER_IP
		session tcp$family "$PEER" tcp $ROUTER_IP 8002
		talk tcp$family ok
		expect 0 shrike policy set wt0 friends add $PEER_OTHER_IP
		talk tcp$family ok
		expect 0 shrike policy set wt0 friends del $PEER_IP
		talk tcp$family timeout
		probe ok "$PEER" udp $ROUTER_IP 8002 -s $PEER_OTHER_IP
	done
	counters_agree wt0
}

test_a_set_says_what_a_change_came_to_and_shows_what_is_in_it() {
	local before
	topology "$1"
	set_policy
	run_shrike wt0 sets
	before=$(shrike policy show wt0 -j | jq -c 'del(.generation, .sets)')
	expect 0 shrike policy set wt0 friends add 10.0.0.0/8 10.0.0.7 fd00::/8 10.0.0.7
	is "said" "wt0: set friends: 3 added, 0 removed, 3 now" "$OUT"
	is "content" "10.0.0.0/8 10.0.0.7 fd00::/8" "$(content friends)"
	expect 0 shrike policy set wt0 friends add 10.0.0.7 10.0.0.8
	is "said" "wt0: set friends: 1 added, 0 removed, 4 now (1 was in it before)" "$OUT"
	expect 0 shrike policy set friends del 10.0.0.7 10.0.0.7/32 10.9.0.0/16
	is "said" "wt0: set friends: 0 added, 1 removed, 3 now (1 was not in it)" "$OUT"
	expect 0 shrike policy set wt0 friends replace 10.0.0.8 192.0.2.0/24
	is "said" "wt0: set friends: 1 added, 2 removed, 2 now (1 was in it before)" "$OUT"
	is "content" "10.0.0.8 192.0.2.0/24" "$(content friends)"
	is "the other set" "fd64::/127" "$(content admins)"
	# a change that changes nothing makes no generation
	before=$(shrike policy show wt0 -j | jq -c 'del(.sets)')
	expect 0 shrike policy set wt0 friends add 10.0.0.8
	expect 0 shrike policy set wt0 friends replace 10.0.0.8 192.0.2.0/24
	is "policy" "$before" "$(shrike policy show wt0 -j | jq -c 'del(.sets)')"
	expect 0 shrike policy set wt0 friends replace
	is "content" "" "$(content friends)"
	expect 0 shrike policy set wt0 admins del fd64::/127
	# all but the sets is as it was written
	is "policy" "$(jq -c 'del(.generation)' <<<"$before")" \
		"$(shrike policy show wt0 -j | jq -c 'del(.generation, .sets)')"
	expect 0 shrike policy apply wt0 "$T/sets.yaml"
	is "the file's own" "fd64::/127" "$(content admins)"
}

test_a_change_of_a_set_that_is_wrong_changes_nothing() {
	local before
	topology "$1"
	set_policy
	run_shrike wt0 sets
	before=$(shrike policy show wt0 -j)
	expect 2 shrike policy set wt0 foes add 10.0.0.1
	is_one_error_line "$ERR" "^shrike: foes: no such set.*friends, admins$"
	expect 2 shrike policy set wt0 friends add 10.0.0.1 10.0.0.1/8
	is_one_error_line "$ERR" "^shrike: .*host bits"
	expect 2 shrike policy set wt0 friends add set:admins
	is_one_error_line "$ERR" "^shrike: set [^ ]+: 'set:admins' is not an address or prefix$"
	expect 2 shrike policy set wt0 friends add
	is_one_error_line "$ERR"
	expect 2 shrike policy set wt0 friends remove 10.0.0.1
	is_one_error_line "$ERR"
	printf '10.0.0.1 # one\n10.0.0.2,\t10.0.0.300\n' >"$T/list"
	shrike policy set wt0 friends add - <"$T/list" 2>"$T/said"
	is "exit status" 2 $?
	is_one_error_line "$(cat "$T/said")" "^-:2:11: .*10.0.0.300"
	is "policy" "$before" "$(shrike policy show wt0 -j)"
	stop run-wt0
	expect 1 shrike policy set wt0 friends add 10.0.0.1
	is_one_error_line "$ERR" "^shrike: wt0: shrike is not attached"
}

test_changes_of_sets_at_the_same_time_are_all_made() {
	local i
	topology "$1"
	set_policy
	run_shrike wt0 sets
	for i in 1 2 3 4; do
		start "add$i" "$ROUTER" "$SHRIKE" policy set wt0 friends add "10.0.$i.0/24"
	done
	for i in 1 2 3 4; do
		wait_for -t 40 not kill -0 "${PROCESS[add$i]}"
		await_end "add$i"
		is "exit status of change $i" 0 $STATUS
	done
	is "prefixes" 4 "$(shrike policy show wt0 -j | jq '.sets.friends | length')"
}

test_a_set_takes_thousands_of_prefixes_from_standard_input() {
	topology "$1"
	set_policy
	run_shrike wt0 sets
	seq 0 4999 | awk '{ printf "10.%d.%d.0/24\n", $1 / 256, $1 % 256 }' >"$T/list"
	shrike policy set wt0 friends replace 100.64.0.2 - <"$T/list" >"$T/said" ||
		die "exit status $?"
	is "said" "wt0: set friends: 5001 added, 0 removed, 5001 now" "$(cat "$T/said")"
	pings ok "$PEER" 100.64.0.1
	shrike policy set wt0 friends del - <"$T/list" >"$T/said" || die "exit status $?"
	is "said" "wt0: set friends: 0 added, 5000 removed, 1 now" "$(cat "$T/said")"
	is "content" "100.64.0.2" "$(content friends)"
}
