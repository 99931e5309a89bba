# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What would keep NetBird's maps away for good, or leave something behind, while its daemon is followed.

. "$SELFTESTS/lib/netbird.sh"

tests "veth" \
	a_name_that_leaves_the_map_matches_nothing_and_blocks_none \
	names_and_sets_of_netbirds_may_come_later \
	a_daemon_that_has_kept_no_map_is_told_to_again \
	a_bundle_that_nobody_takes_is_removed \
	the_log_counts_the_rules_of_a_map \
	commands_show_the_names_of_the_map \
	rules_that_nobody_follows_any_more_are_said_to_be_old \
	options_of_following_need_something_to_follow

tests "file" \
	a_name_that_nobody_gives_is_a_warning_only_with_netbird \
	options_of_use_to_nobody_are_refused

# by_name FILE NAME: a policy that lets that peer reach port 8002
by_name() {
	policy "$1" <<-EOF2
		mode: {routing: native}
		peer_acl:
		  - {id: by-name, action: allow, source: [$2], protocol: tcp, destination_ports: [8002]}
	EOF2
}

# lacks_peers: the daemon's map has none from now on
lacks_peers() {
	jq '.NetworkMap.remotePeers = []' "$T/map.json" >"$T/map.new"
	mv "$T/map.new" "$T/map.json"
}

# the_missing: names in the policy that the map does not have
the_missing() {
	netbird '.missing_names | join(" ")'
}

is_missing() {
	[ "$(the_missing)" = "$1" ]
}

test_a_name_that_leaves_the_map_matches_nothing_and_blocks_none() {
	prepare "$1"
	by_name base laptop-anna
	kill -HUP "${PROCESS[run-wt0]}"
	wait_for rule_is_in_force wt0 by-name
	probe ok "$PEER" tcp 100.64.0.1 8001
	session named "$PEER" tcp 100.64.0.1 8002
	is "missing" "" "$(the_missing)"
	# the peer goes, and a rule with it
	network_map 8 "$(in_rule 100.64.0.9 tcp 8001)"
	lacks_peers
	map_changes
	wait_for follows 8
	probe timeout "$PEER" tcp 100.64.0.1 8001
	talk named timeout
	is "missing" laptop-anna "$(the_missing)"
	expect 0 shrike status wt0
	matches "status" "the map does not have these names of the policy: laptop-anna" "$OUT"
	wait_for grep -q "NetBird's map has no such names, .*: laptop-anna$" "$T/run-wt0.err"
	# and comes again
	network_map 9 "$(in_rule 100.64.0.9 tcp 8001)"
	map_changes
	wait_for follows 9
	probe ok "$PEER" tcp 100.64.0.1 8002
	is "missing" "" "$(the_missing)"
	# with an address of another family than the rule's other end
	policy base <<-EOF2
		mode: {routing: native}
		route_acl:
		  - {id: mixed, action: allow, source: [laptop-anna], destination: [10.0.0.0/8], protocol: tcp}
	EOF2
	kill -HUP "${PROCESS[run-wt0]}"
	wait_for rule_is_in_force wt0 mixed
	network_map 10 "$(in_rule 100.64.0.2 tcp 8001)"
	jq '.NetworkMap.remotePeers[0].allowedIps = ["fd64::2/128"]' "$T/map.json" >"$T/map.new"
	mv "$T/map.new" "$T/map.json"
	map_changes
	wait_for follows 10
	probe ok "$PEER" tcp 100.64.0.1 8001
}

test_names_and_sets_of_netbirds_may_come_later() {
	topology "$1"
	serve_all "$ROUTER" 8002
	policy base <<-EOF2
		mode: {routing: native}
		peer_acl:
		  - {id: by-name, action: allow, source: [laptop-anna], protocol: tcp, destination_ports: [8002]}
		route_acl:
		  - {id: by-set, action: allow, source: [server-bert], destination: [set:nb-0123abcd]}
		tests:
		  - {from: laptop-anna, to: self, protocol: tcp, dport: 8002, expect: allowed}
	EOF2
	network_map 7
	# there is no daemon yet
	run_following base
	wait_for rule_is_in_force wt0 by-name
	probe timeout "$PEER" tcp 100.64.0.1 8002
	is "missing" "laptop-anna server-bert set:nb-0123abcd" "$(the_missing)"
	expect 0 shrike policy show wt0
	run_daemon
	wait_for follows 7
	probe ok "$PEER" tcp 100.64.0.1 8002
	is "missing" "server-bert set:nb-0123abcd" "$(the_missing)"
	# so does another process that applies a policy
	by_name other laptop-anne
	expect 0 shrike policy apply wt0 "$T/other.yaml"
	matches "the warning" "unknown name 'laptop-anne': it matches nothing" "$ERR"
	wait_for is_missing laptop-anne
	by_name other laptop-anna
	expect 0 shrike policy apply wt0 "$T/other.yaml"
	is "warnings" "" "$ERR"
	probe ok "$PEER" tcp 100.64.0.1 8002
	wait_for is_missing ""
	# and whose ids are NetBird's
	sed -i 's,by-name,nb/ptcp8001/in/tcp/8001,' "$T/other.yaml"
	expect 2 shrike policy apply wt0 "$T/other.yaml"
	is_one_error_line "$ERR" "^$T/other.yaml:4:10: ids that begin with nb/ are those of NetBird's"
	# nobody follows any more
	stop run-wt0
	policy none </dev/null
	run_shrike wt0 none
	by_name other laptop-anna
	expect 2 shrike policy apply wt0 "$T/other.yaml"
}

test_a_name_that_nobody_gives_is_a_warning_only_with_netbird() {
	by_name own laptop-anna
	expect 2 "$SHRIKE" policy check "$T/own.yaml"
	is_one_error_line "$ERR" "^$T/own.yaml:4:43: '"
	expect 0 "$SHRIKE" policy check --netbird "$T/own.yaml"
	matches "a warning" "^$T/own.yaml:4:43: warning: unknown name 'laptop-anna': it matches nothing" "$OUT"
	sed -i "1i follow: {netbird: $T/nb.sock}" "$T/own.yaml"
	expect 0 "$SHRIKE" policy check -j "$T/own.yaml"
	is "warnings" "5 unknown name 'laptop-anna': it matches nothing until NetBird's map has it" \
		"$(jq -r '.warnings[] | select(.message | test("unknown")) | "\(.line) \(.message)"' <<<"$OUT")"
	# what cannot be a name is an error all the same
	by_name own 10.0.0.256
	expect 2 "$SHRIKE" policy check --netbird "$T/own.yaml"
	by_name own set:nobodys
	expect 2 "$SHRIKE" policy check --netbird "$T/own.yaml"
}

# kept: how often the daemon was told to keep its maps
kept() {
	grep -c SetSyncResponsePersistence "$T/daemon.out"
}

kept_are() {
	[ "$(kept)" = "$1" ]
}

test_a_daemon_that_has_kept_no_map_is_told_to_again() {
	prepare "$1"
	is "times that the daemon was told" 1 "$(kept)"
	# any user of the host may do that
	touch "$T/off"
	network_map 8 "$(in_rule 100.64.0.9 tcp 8001)"
	map_changes
	wait_for follows 8
	probe timeout "$PEER" tcp 100.64.0.1 8001
	is "times that the daemon was told" 2 "$(kept)"
	# once more with each loss, and not with each map
	network_map 9 "$(in_rule 100.64.0.2 tcp 8001)"
	map_changes
	wait_for follows 9
	is "times that the daemon was told" 2 "$(kept)"
	# a daemon that has none for good is asked twice, and then ever less often
	daemon_is '{"fault": "no-map"}'
	map_changes
	wait_for kept_are 3
	wait_for is_stale "no network_map.json is in it"
	wait_for fetches_are 6
	map_changes
	wait_for fetches_are 7
	is "times that the daemon was told" 4 "$(kept)"
	probe ok "$PEER" tcp 100.64.0.1 8001
	# and who has told it to keep none, time and again, only wins time
	daemon_is '{}'
	network_map 10 "$(in_rule 100.64.0.9 tcp 8001)"
	wait_for follows 10
	probe timeout "$PEER" tcp 100.64.0.1 8001
}

# bundles: those of the daemon that are still there
bundles() {
	sed -n 's/.*bundle //p' "$T/daemon.out" | xargs -r ls -d 2>/dev/null | wc -l
}

# gave BUNDLES: the daemon has made so many
gave() {
	[ "$(grep -c "bundle /" "$T/daemon.out")" -ge "$1" ]
}

bundles_are() {
	[ "$(bundles)" = "$1" ]
}

test_a_bundle_that_nobody_takes_is_removed() {
	local own="/tmp/netbird.debug.own$$.zip" theirs="/tmp/netbird.debug.a$$.zip" n
	prepare "$1"
	at_end "rm -f '$own' '$theirs'"
	: >"$own" # a user has made it before
	daemon_is '{"delay": 2}'
	n=$(fetches)
	map_changes
	wait_for fetches_are $((n + 1))
	install -o 65534 /dev/null "$theirs" # not the daemon's
	kill -KILL "$(follower)"
	# the next one, which asks at once, gets its own
	network_map 8 "$(in_rule 100.64.0.2 tcp 8002)"
	wait_for follows 8
	wait_for gave $((n + 2))
	wait_for bundles_are 0
	# as well when nobody asks for another one
	daemon_is '{"delay": 4}'
	n=$(fetches)
	map_changes
	wait_for fetches_are $((n + 1))
	kill -KILL "$(follower)"
	daemon_is '{"config": {"6": "wt9"}}'
	wait_for gave $((n + 1))
	wait_for bundles_are 0
	[ -e "$own" ] || die "a bundle of the user's was removed"
	[ -e "$theirs" ] || die "a file of another user's was removed"
}

test_the_log_counts_the_rules_of_a_map() {
	prepare "$1"
	network_map 8 "$(in_rule 100.64.0.2 tcp 8002)" "$(in_rule 100.64.0.3 udp 53)"
	map_changes
	wait_for follows 8
	wait_for grep -qE "generation [0-9]+ in force \\(NetBird's map\\): \\+2 -1 rules; 3 rules" \
		"$T/run-wt0.out"
	is "counts in status" "2 1" "$(status_of wt0 '.change | "\(.added) \(.removed)"')"
}

test_commands_show_the_names_of_the_map() {
	prepare "$1"
	session one "$PEER" tcp 100.64.0.1 8001
	network_map 8 "$(in_rule 100.64.0.2 tcp 8002)"
	expect 0 shrike policy diff wt0 --netbird
	matches "connections" " laptop-anna:[0-9]+ -> router:8001" "$OUT"
	matches "rules" "nb/ptcp8002/in/tcp/8002: action allow source laptop-anna protocol" "$OUT"
	expect 0 shrike policy diff wt0 --netbird --numeric
	matches "addresses" " 100\\.64\\.0\\.2:[0-9]+ -> 100\\.64\\.0\\.1:8001" "$OUT"
	matches "rules" "nb/ptcp8002/in/tcp/8002: action allow source 100\\.64\\.0\\.2 protocol" "$OUT"
	expect 0 shrike policy diff wt0 --netbird -j
	is "JSON" "100.64.0.2 laptop-anna" "$(jq -r '.cut[] | "\(.src) \(.src_name)"' <<<"$OUT")"
	expect 0 shrike trace in laptop-anna self -p tcp --dport 9 -i wt0 -v
	matches "the nearest rule" "nb/ptcp8001/in/tcp/8001 \\(NetBird's\\): destination port 9 is not 8001" "$OUT"
}

test_rules_that_nobody_follows_any_more_are_said_to_be_old() {
	prepare "$1"
	stop run-wt0 KILL
	probe ok "$PEER" tcp 100.64.0.1 8001
	expect 0 shrike status wt0
	matches "status" "NetBird's rules stay as they are: shrike run is not active" "$OUT"
	is "JSON" "true shrike run is not active" "$(netbird '"\(.stale) \(.why)"')"
	expect 3 shrike status wt0 --check
	matches "the check" "NetBird's map is stale: shrike run is not active" "$OUT"
	# a policy of the user's alone is nobody's
	expect 0 shrike policy apply wt0 "$T/base.yaml"
	is "JSON" null "$(status_of wt0 .netbird)"
}

test_options_of_following_need_something_to_follow() {
	local option
	topology "$1"
	policy base <<<'mode: {routing: native}'
	for option in --netbird-interval --netbird-hold; do
		expect 2 shrike run wt0 -c "$T/base.yaml" $option 5
		is_one_error_line "$ERR" "^shrike: $option: neither --netbird nor the policy says what is followed"
		expect 2 shrike run wt0 $option 5
	done
	# which a policy may say, too, and no longer when it is read again
	policy base <<-EOF2
		follow: {netbird: $T/nb.sock}
		mode: {routing: native}
	EOF2
	start run-wt0 "$ROUTER" "$SHRIKE" run wt0 -c "$T/base.yaml" --netbird-hold 5
	until_protected wt0
	policy base <<<'peer_acl: [{id: own, action: allow, source: [any], protocol: icmp}]'
	kill -HUP "${PROCESS[run-wt0]}"
	wait_for rule_is_in_force wt0 own
	is "following" null "$(status_of wt0 .netbird)"
}

# refuses ERROR COMMAND...: which is one line, with exit status 2
refuses() {
	local error=$1
	shift
	expect 2 "$SHRIKE" "$@"
	is_one_error_line "$ERR" "^shrike: $error"
}

test_options_of_use_to_nobody_are_refused() {
	local long command
	long=/run/$(printf 'x%.0s' {1..110}).sock
	policy own </dev/null
	for command in "run wt0" "policy diff wt0" "doctor wt0"; do
		# shellcheck disable=SC2086
		refuses "--netbird=: the path of a socket is missing" $command --netbird=
		# shellcheck disable=SC2086
		refuses "--netbird: '/run/xx.*' is longer than 107 bytes" $command "--netbird=$long"
	done
}
