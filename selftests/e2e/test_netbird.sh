# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# NetBird's daemon is followed: what becomes of real packets when its map changes, and when it
# does what it should not.

. "$SELFTESTS/lib/forward.sh"
. "$SELFTESTS/lib/netbird.sh"
. "$SELFTESTS/lib/rights.sh"

tests "veth tun" \
	a_rule_of_the_map_lets_in_and_its_end_cuts

tests "veth" \
	rules_keep_ids_and_counters_whatever_else_changes \
	the_users_rules_come_first_and_stay \
	the_history_has_changes_of_the_map \
	a_policy_that_returns_brings_no_revoked_rule_back \
	diff_and_show_know_what_is_netbirds \
	doctor_says_who_filters \
	a_policy_says_what_is_followed \
	until_a_map_has_come_something_is_wrong \
	what_the_daemon_spoils_leaves_the_policy_in_force \
	what_is_no_map_leaves_the_policy_in_force \
	what_the_configuration_says_is_honoured \
	an_older_map_is_taken_only_when_the_user_asks \
	a_daemon_that_goes_and_comes_is_followed_again \
	a_daemon_that_hangs_leaves_the_policy_in_force \
	a_socket_that_is_not_roots_is_not_listened_to \
	garbage_on_the_socket_leaves_the_policy_in_force \
	an_interface_that_is_made_again_has_the_newest_map \
	the_next_run_goes_on_without_a_daemon \
	who_listens_has_no_rights_and_sleeps

alone "veth" \
	a_thousand_events_a_second_cost_two_fetches \
	a_revoked_flow_ends_in_time \
	a_map_of_a_hundred_thousand_rules_is_followed

# was_taken_back: the user's policy of before is in force again
was_taken_back() {
	rule_is_in_force wt0 own-ping
}

test_a_policy_that_returns_brings_no_revoked_rule_back() {
	prepare "$1"
	policy new <<<'peer_acl: [{id: new, action: allow, source: [any], protocol: icmp}]'
	start apply "$ROUTER" "$SHRIKE" policy apply wt0 "$T/new.yaml" --confirm 5
	wait_for rule_is_in_force wt0 new
	probe ok "$PEER" tcp 100.64.0.1 8001
	network_map 8 "$(in_rule 100.64.0.2 tcp 8002)"
	map_changes
	wait_for follows 8
	wait_for was_taken_back # nobody confirms
	probe timeout "$PEER" tcp 100.64.0.1 8001
	probe ok "$PEER" tcp 100.64.0.1 8002
	pings ok "$PEER" 100.64.0.1
}

test_a_rule_of_the_map_lets_in_and_its_end_cuts() {
	prepare "$1"
	pings ok "$PEER" 100.64.0.1
	probe ok "$PEER" tcp 100.64.0.1 8001
	probe timeout "$PEER" tcp 100.64.0.1 8002
	session one "$PEER" tcp 100.64.0.1 8001
	network_map 8 "$(in_rule 100.64.0.2 tcp 8001)" "$(in_rule 100.64.0.2 tcp 8002)"
	map_changes
	wait_for follows 8
	probe ok "$PEER" tcp 100.64.0.1 8002
	talk one ok
	# another peer, then nobody
	probe timeout "$PEER" tcp 100.64.0.1 8002 -s 100.64.0.3
	network_map 9 "$(in_rule 100.64.0.3 tcp 8002)"
	map_changes
	wait_for follows 9
	talk one timeout
	probe ok "$PEER" tcp 100.64.0.1 8002 -s 100.64.0.3
	pings ok "$PEER" 100.64.0.1
	expect 0 shrike status wt0
	matches "status" "NetBird map serial 9, [0-9]+ s old" "$OUT"
	is "bundles left" "" "$(ls /tmp/netbird.debug.*.zip 2>/dev/null | grep -F -f \
		<(sed -n 's/.*bundle //p' "$T/daemon.out"))"
}

hits() {
	shrike policy show wt0 -j | jq -r --arg id "$1" \
		'[.. | objects | select(.id? == $id)][0].hits.packets // "gone"'
}

test_rules_keep_ids_and_counters_whatever_else_changes() {
	prepare "$1"
	probe ok "$PEER" tcp 100.64.0.1 8001
	is "hits" 1 "$(hits nb/ptcp8001/in/tcp/8001)"
	network_map 8 "$(in_rule 100.64.0.3 udp 53)" "$(in_rule 100.64.0.2 tcp 8001)" \
		"$(in_rule 100.64.0.2 tcp 8002)"
	map_changes
	wait_for follows 8
	is "hits" 1 "$(hits nb/ptcp8001/in/tcp/8001)"
	is "hits of another" 0 "$(hits nb/ptcp8002/in/tcp/8002)"
	# an equal map is none
	local generation
	generation=$(status_of wt0 .generation)
	network_map 9 "$(in_rule 100.64.0.2 tcp 8002)" "$(in_rule 100.64.0.2 tcp 8001)" \
		"$(in_rule 100.64.0.3 udp 53)"
	map_changes
	wait_for follows 9
	is "generation" "$generation" "$(status_of wt0 .generation)"
}

# map_history JQ: of the maps that policy history knows
map_history() {
	shrike policy history wt0 -j | jq -c "[.policies[] | select(.cause == \"netbird\") | $1]"
}

test_the_history_has_changes_of_the_map() {
	prepare "$1"
	wait_for eval '[ "$(map_history .serial)" = "[7]" ]'
	network_map 8 "$(in_rule 100.64.0.2 tcp 8001)" "$(in_rule 100.64.0.2 tcp 8002)"
	map_changes
	wait_for follows 8
	wait_for eval '[ "$(map_history .serial)" = "[7,8]" ]'
	is "what changed" '["8 1 0"]' \
		"$(map_history 'select(.serial == 8) | "\(.serial) \(.rules_added) \(.rules_removed)"')"
	is "nobody asked, and nothing can be gone back to" "[[null,null],[null,null]]" "$(map_history '[.uid, .number]')"
	policy more <<<'peer_acl: [{id: more, action: allow, source: [any], protocol: icmp}]'
	expect 0 shrike policy apply wt0 "$T/more.yaml"
	expect 0 shrike policy history wt0
	is "order" "start netbird serial 7 netbird serial 8 policy apply" \
		"$(grep -oE 'start|netbird serial [0-9]+|policy apply' <<<"$OUT" | xargs)"
	is "policies that can be gone back to" "1 2" \
		"$(shrike policy history wt0 -j | jq -r '[.policies[].number // empty] | join(" ")')"
	expect 0 shrike policy rollback wt0 1
	is "mode of the file" 600 "$(stat -c %a "$SHRIKE_STATE"/netns-*/wt0/maps)"
	# the same map after a restart is no change
	stop run-wt0
	run_following base
	wait_for follows 8
	is "the maps" "[7,8]" "$(map_history .serial)"
}

test_the_users_rules_come_first_and_stay() {
	prepare "$1"
	policy base <<-EOF2
		# a comment
		mode: {routing: native}
		peer_acl:
		  - {id: own-deny, action: deny, source: [any], protocol: tcp, destination_ports: [8001]}
	EOF2
	session one "$PEER" tcp 100.64.0.1 8001
	kill -HUP "${PROCESS[run-wt0]}"
	wait_for rule_is_in_force wt0 own-deny
	talk one timeout
	is "NetBird's rule" 1 "$(hits nb/ptcp8001/in/tcp/8001)"
	pings lost "$PEER" 100.64.0.1
	network_map 8 "$(in_rule 100.64.0.2 tcp 8001)" "$(in_rule 100.64.0.2 tcp 8002)"
	map_changes
	wait_for follows 8
	probe timeout "$PEER" tcp 100.64.0.1 8001
	probe ok "$PEER" tcp 100.64.0.1 8002
	# so does a policy that a command applies
	policy other <<-EOF2
		mode: {routing: native}
		peer_acl:
		  - {id: other-ping, action: allow, source: [any], protocol: icmp}
	EOF2
	expect 0 shrike policy diff wt0 "$T/other.yaml"
	[[ $OUT != *nb/* ]] || die "NetBird's rules would go: $OUT"
	expect 0 shrike policy apply wt0 "$T/other.yaml"
	probe ok "$PEER" tcp 100.64.0.1 8001
	pings ok "$PEER" 100.64.0.1
	network_map 9 "$(in_rule 100.64.0.2 tcp 8002)"
	map_changes
	wait_for follows 9
	pings ok "$PEER" 100.64.0.1
	# what is no policy changes nothing
	echo "peer_acl: 7" >"$T/base.yaml"
	kill -HUP "${PROCESS[run-wt0]}"
	wait_for grep -q "version" "$T/run-wt0.err"
	probe ok "$PEER" tcp 100.64.0.1 8002
}

test_diff_and_show_know_what_is_netbirds() {
	prepare "$1"
	session one "$PEER" tcp 100.64.0.1 8001
	network_map 8 "$(in_rule 100.64.0.2 tcp 8002)"
	expect 0 shrike policy diff wt0 --netbird
	matches "the other" $'\n[+]{3} NetBird map serial 8\n' "$OUT"
	matches "rules" "nb/ptcp8002/in/tcp/8002" "$OUT"
	matches "connections" "of which 1 would be cut" "$OUT"
	talk one ok
	is "serial in force" 7 "$(netbird .serial)"
	expect 0 shrike policy diff wt0 "--netbird=$T/nb.sock" -j
	is "rules that come and go" "nb/ptcp8002/in/tcp/8002 nb/ptcp8001/in/tcp/8001" \
		"$(jq -r '[.. | objects | .added?, .removed? | arrays | .[] | .id] | join(" ")' <<<"$OUT")"
	expect 2 shrike policy diff wt0 --netbird "$T/base.yaml"
	expect 1 shrike policy diff wt0 "--netbird=$T/none.sock"
	is_one_error_line "$ERR" "^shrike: NetBird: $T/none.sock: No such file"
	expect 0 shrike policy show wt0
	matches "the groups" $'own-ping .*\nNetBird: *\n.*nb/ptcp8001/in/tcp/8001' "$OUT"
	is "whose rules" "null netbird" "$(shrike policy show wt0 -j |
		jq -r '[.. | objects | select(.id? and .action?) | .origin // "null"] | join(" ")')"
}

# finds CHECK REGEX [OPTION...]: doctor does, with "result: detail"
finds() {
	local check=$1 regex=$2
	shift 2
	matches "doctor's $check" "$regex" "$(shrike doctor wt0 "$@" -j |
		jq -r --arg check "$check" '.checks[] | select(.check == $check) | "\(.result): \(.detail)"')"
}

test_doctor_says_who_filters() {
	prepare "$1"
	finds netbird "^ok: daemon 0.77.1 answers at $T/nb.sock; NetBird map serial 7, [0-9]+ s old$"
	finds netbird_firewall "^ok: off: shrike filters"
	in_ns "$ROUTER" nft -f - <<-EOF2
		table ip netbird {
			chain netbird-rt-fwd {
				type filter hook forward priority 0; policy accept;
				counter accept
			}
		}
	EOF2
	finds netbird_firewall "^note: on, so both filter"
	stop daemon KILL
	finds netbird "^note: $T/nb.sock: Connection refused"
}

test_until_a_map_has_come_something_is_wrong() {
	topology "$1"
	policy base <<<'mode: {routing: native}'
	network_map 7 "$(in_rule 100.64.0.2 tcp 8001)"
	run_daemon
	daemon_is '{"delay": 10}'
	finds netbird "^ok: daemon 0.77.1 answers at $T/nb.sock; not followed" "--netbird=$T/nb.sock"
	finds netbird "^note: $T/none.sock: No such file" "--netbird=$T/none.sock"
	run_following base
	expect 3 shrike status wt0 --check
	matches "said" "no map of NetBird's has come yet" "$OUT"
	finds netbird "^note: daemon 0.77.1 answers at $T/nb.sock; no NetBird map yet"
	finds netbird_firewall "^note: off, and shrike waits for NetBird's map"
	wait_for follows 7
	expect 0 shrike status wt0 --check
}

test_a_policy_says_what_is_followed() {
	topology "$1"
	serve_all "$ROUTER" 8001
	policy base <<-EOF2
		follow: {netbird: $T/nb.sock}
		mode: {routing: native}
	EOF2
	network_map 7 "$(in_rule 100.64.0.2 tcp 8001)"
	run_daemon
	run_shrike wt0 base
	wait_for follows 7
	probe ok "$PEER" tcp 100.64.0.1 8001
	# or the command line does, behind the default policy
	stop run-wt0
	start run-wt0 "$ROUTER" "$SHRIKE" run wt0 "--netbird=$T/nb.sock"
	until_protected wt0
	wait_for follows 7
	probe ok "$PEER" tcp 100.64.0.1 8001
	ip -n "$ROUTER" link set wt0 mtu 1400
	wait_for grep -q "generation 3 in force" "$T/run-wt0.out"
	probe ok "$PEER" tcp 100.64.0.1 8001
	stop run-wt0
	run_shrike wt0 base
	wait_for follows 7
	# which puts NetBird's part there itself
	policy forged <<-EOF2
		follow: {netbird: $T/nb.sock}
		mode: {routing: native}
		netbird: {peer_acl: [{id: open, action: allow, source: [any], protocol: all}]}
	EOF2
	expect 2 shrike policy apply wt0 "$T/forged.yaml"
	is_one_error_line "$ERR" "^$T/forged.yaml:4:1: this key is for NetBird's part"
	cp "$T/forged.yaml" "$T/base.yaml"
	kill -HUP "${PROCESS[run-wt0]}"
	wait_for grep -q "this key is for NetBird's part" "$T/run-wt0.err"
	is "forged" "" "$(rule_is_in_force wt0 open && echo in force)"
	# and when nothing is
	policy base <<<'mode: {routing: native}'
	kill -HUP "${PROCESS[run-wt0]}"
	wait_for not rule_is_in_force wt0 nb/ptcp8001/in/tcp/8001
	is "following" null "$(status_of wt0 .netbird)"
	probe timeout "$PEER" tcp 100.64.0.1 8001
}

# spoils FAULT WHY LEFT: the map that comes so is not taken; LEFT: whether its file is still there
spoils() {
	local file
	daemon_is "{\"fault\": \"$1\"}"
	network_map 8 "$(in_rule 100.64.0.2 tcp 8002)"
	map_changes
	wait_for is_stale "$2"
	is "serial with fault $1" 7 "$(netbird .serial)"
	file=$(sed -n 's/.*bundle //p' "$T/daemon.out" | tail -n 1)
	is "file left with fault $1" "$3" "$([ -e "$file" ] && echo yes || echo no)"
	rm -f "$file" "$file.real"
	expect 0 shrike status wt0
	matches "status" "NetBird map serial 7, [0-9]+ s old, stale for [0-9]+ s: " "$OUT"
	is "control characters" 0 "$(grep -c $'\033' <<<"$OUT")"
	probe ok "$PEER" tcp 100.64.0.1 8001
	probe timeout "$PEER" tcp 100.64.0.1 8002
	network_map 7 "$(in_rule 100.64.0.2 tcp 8001)"
	daemon_is "{}"
	map_changes
	wait_for follows 7
}

test_what_the_daemon_spoils_leaves_the_policy_in_force() {
	prepare "$1"
	spoils owner "Permission denied|it is not root's" yes
	spoils writable "others may write to it" yes
	spoils link "it is a symbolic link" yes
	spoils elsewhere "' is not /tmp/netbird" yes
	spoils dots "' is not /tmp/netbird" yes
	spoils other-name "' is not /tmp/netbird" yes
	spoils control "No such file" yes
	spoils truncated "no zip archive" no
	spoils garbage "no zip archive" no
	spoils bomb "has 67108866 bytes, and at most" no
	spoils huge "has 2147483648 bytes, and at most" no
	spoils no-map "no network_map.json is in it" no
	spoils no-config "GetConfig: status 13: no configuration.*here" no
}

# refuses WHY: the daemon's map as it is in map.json is not taken
refuses() {
	map_changes
	wait_for is_stale "$1"
	is "serial" 7 "$(netbird .serial)"
	probe ok "$PEER" tcp 100.64.0.1 8001
	network_map 7 "$(in_rule 100.64.0.2 tcp 8001)"
	map_changes
	wait_for follows 7
}

test_what_is_no_map_leaves_the_policy_in_force() {
	prepare "$1"
	echo '{"NetworkMapEnvelope": {"Components": "AAAA"}}' >"$T/map.json"
	refuses "NetworkMapEnvelope"
	echo '{"NetworkMap": {"Serial": "9", "FirewallRules": {}}}' >"$T/map.json"
	refuses "FirewallRules"
	echo '{"NetworkMap": ' >"$T/map.json"
	refuses "network_map.json:[0-9]+:[0-9]+: "
	: >"$T/map.json"
	refuses "network_map.json"
}

test_what_the_configuration_says_is_honoured() {
	prepare "$1"
	daemon_is '{"config": {"6": "wt9"}}'
	map_changes
	wait_for is_stale "its interface is 'wt9', not 'wt0'"
	probe ok "$PEER" tcp 100.64.0.1 8001
	daemon_is '{"config": {"15": true}}'
	map_changes
	wait_for not rule_is_in_force wt0 nb/ptcp8001/in/tcp/8001
	probe timeout "$PEER" tcp 100.64.0.1 8001
	kernel_forwards 1
	daemon_is '{"config": {"20": true}}'
	network_map 8 "$(in_rule 100.64.0.2 tcp 8001)" -- "$(route_rule 100.64.0.0/16 0.0.0.0/0 icmp)"
	map_changes
	wait_for follows 8
	probe ok "$PEER" tcp 100.64.0.1 8001
	pings lost "$PEER" 192.168.77.2
	daemon_is '{}'
	map_changes
	wait_for not rule_is_in_force wt0 nb/block-lan-access/rt/drop/192.168.77.0/24/all
	pings ok "$PEER" 192.168.77.2
}

test_an_older_map_is_taken_only_when_the_user_asks() {
	prepare "$1"
	network_map 6 "$(in_rule 100.64.0.2 tcp 8002)"
	map_changes
	wait_for is_stale "serial 6, which is older"
	probe timeout "$PEER" tcp 100.64.0.1 8002
	kill -HUP "${PROCESS[run-wt0]}"
	map_changes
	wait_for follows 6
	probe ok "$PEER" tcp 100.64.0.1 8002
	probe timeout "$PEER" tcp 100.64.0.1 8001
}

test_a_daemon_that_goes_and_comes_is_followed_again() {
	prepare "$1"
	stop daemon KILL
	wait_for is_stale "the daemon|Connection refused"
	probe ok "$PEER" tcp 100.64.0.1 8001
	network_map 8 "$(in_rule 100.64.0.2 tcp 8002)"
	run_daemon
	wait_for follows 8
	probe ok "$PEER" tcp 100.64.0.1 8002
	wait_for grep -q "followed again" "$T/run-wt0.out"
	# whoever listens may end as well
	kill -KILL "$(follower)"
	wait_for grep -q "process that listens to the daemon has ended" "$T/run-wt0.err"
	wait_for follows 8
	network_map 9 "$(in_rule 100.64.0.2 tcp 8001)"
	map_changes
	wait_for follows 9
}

test_a_daemon_that_hangs_leaves_the_policy_in_force() {
	prepare "$1"
	stop run-wt0 KILL
	kill -STOP "${PROCESS[daemon]}"
	run_following base
	probe ok "$PEER" tcp 100.64.0.1 8001
	wait_for is_stale "SubscribeEvents: it does not answer within 10 s"
	probe ok "$PEER" tcp 100.64.0.1 8001
	kill -CONT "${PROCESS[daemon]}"
	wait_for follows 7
}

test_a_socket_that_is_not_roots_is_not_listened_to() {
	topology "$1"
	policy base <<<'mode: {routing: native}'
	network_map 7 "$(in_rule 100.64.0.2 tcp 8001)"
	install -d -o 65534 "$T/other"
	ln -s ../map.json "$T/other/map.json"
	chmod 755 "$T"
	start daemon "$ROUTER" setpriv --reuid 65534 --clear-groups /usr/bin/python3 \
		"$SELFTESTS/tools/netbird.py" "$T/other/nb.sock" "$T/other"
	wait_for grep -q ready "$T/daemon.out"
	ln -s other/nb.sock "$T/nb.sock"
	run_following base
	wait_for is_stale "who listens there is user 65534, not root"
	is "calls" 0 "$(fetches)"
}

test_garbage_on_the_socket_leaves_the_policy_in_force() {
	prepare "$1"
	stop daemon KILL
	daemon_is '{"fault": "deaf"}'
	run_daemon
	wait_for is_stale "SubscribeEvents: it does not answer"
	probe ok "$PEER" tcp 100.64.0.1 8001
	stop daemon KILL
	daemon_is '{"fault": "noise"}'
	run_daemon
	wait_for is_stale "NetBird's daemon: "
	probe ok "$PEER" tcp 100.64.0.1 8001
}

test_an_interface_that_is_made_again_has_the_newest_map() {
	prepare "$1"
	remove_overlay "$1" 0
	network_map 8 "$(in_rule 100.64.0.2 tcp 8002)"
	map_changes
	wait_for fetches_are 2
	add_overlay "$1" 0 "$PEER" 1420
	wait_for follows 8
	wait_for rule_is_in_force wt0 nb/ptcp8002/in/tcp/8002
	probe ok "$PEER" tcp 100.64.0.1 8002
	probe timeout "$PEER" tcp 100.64.0.1 8001
	network_map 9 "$(in_rule 100.64.0.2 tcp 8001)"
	map_changes
	wait_for follows 9
	probe ok "$PEER" tcp 100.64.0.1 8001
}

test_the_next_run_goes_on_without_a_daemon() {
	prepare "$1"
	session one "$PEER" tcp 100.64.0.1 8001
	stop run-wt0 KILL
	stop daemon KILL
	run_following base
	wait_for is_stale "Connection refused"
	talk one ok
	probe ok "$PEER" tcp 100.64.0.1 8001
	expect 0 shrike status wt0
	matches "status" "no NetBird map yet, stale for [0-9]+ s: .*nb\.sock: Connection refused" "$OUT"
}

wakes() {
	awk '/ctxt_switches/ { n += $2 } END { print n }' "/proc/$1/status"
}

test_who_listens_has_no_rights_and_sleeps() {
	local pid before
	prepare "$1"
	pid=$(follower)
	is "user" "65534 65534 65534 65534" "$(user_of "$pid")"
	is "capabilities" "0000000000000000 0000000000000000 0000000000000000 0000000000000000" \
		"$(capabilities "$pid" Inh Prm Eff Bnd | sed 's/ [^ ]*$/ 0000000000000000/')"
	is "system calls" filtered "$(system_calls "$pid")"
	# the standard ones are closed with all others but the connection, the pair, the pipe and epoll
	is "descriptors" "anon_inode:[eventpoll] pipe socket socket" "$(
		for fd in /proc/"$pid"/fd/*; do readlink "$fd"; done | grep -v '^/' |
			sed 's/:\[[0-9]*\]//' | sort | paste -sd ' ')"
	before=$(wakes "$pid")
	# which takes as long as a sweep: the command has been asleep, or has not
	expect 0 shrike stats wt0 -n 2 --interval 1
	is "times that it woke" "$before" "$(wakes "$pid")"
}

test_a_thousand_events_a_second_cost_two_fetches() {
	prepare "$1"
	stop run-wt0
	run_following base --netbird-interval 600
	wait_for follows 7
	is "fetches" 2 "$(fetches)"
	network_map 8 "$(in_rule 100.64.0.2 tcp 8002)"
	kill -USR2 "${PROCESS[daemon]}"
	wait_for grep -q flooded "$T/daemon.out"
	wait_for follows 8
	is "fetches" 4 "$(fetches)"
	network_map 9 "$(in_rule 100.64.0.2 tcp 8001)"
	map_changes
	wait_for status_says "NetBird map serial 8, .*; a newer one is fetched in [0-9]+ min"
	is "fetches" 4 "$(fetches)"
}

status_says() {
	[[ $(shrike status wt0) =~ $1 ]]
}

# What the processes that a change goes through have waited for a processor, in ms
waited() {
	echo $((($(waited_for_processor "${PROCESS[run-wt0]}") + $(waited_for_processor "$(follower)") +
		$(waited_for_processor "${PROCESS[daemon]}")) / 1000000))
}

test_a_revoked_flow_ends_in_time() {
	local bundle=200 changed last ms waits
	prepare "$1"
	daemon_is "{\"delay\": 0.$bundle}"
	network_map 8 "$(in_rule 100.64.0.2 icmp)"
	policy base <<<'mode: {routing: native}'
	kill -HUP "${PROCESS[run-wt0]}"
	wait_for not rule_is_in_force wt0 own-ping
	map_changes
	wait_for follows 8
	start pings "$PEER" ping -n -D -i 0.01 100.64.0.1
	wait_for grep -q "icmp_seq=50" "$T/pings.out"
	network_map 9
	waits=$(waited)
	changed=$(date +%s%N)
	map_changes
	wait_for follows 9
	waits=$(($(waited) - waits))
	stop pings INT
	last=$(sed -n 's/^\[\([0-9]*\)\.\([0-9]*\)\].*icmp_seq.*/\1\2000/p' "$T/pings.out" | tail -n 1)
	ms=$(((last - changed) / 1000000))
	echo "from the event to the last answer: $ms ms, of which $bundle of the bundle, $waits without a processor"
	[ $((ms - bundle - waits)) -le $((700 * ${SLOWNESS:-1})) ] ||
		die "the last answer came $ms ms after the event, $waits without a processor"
}

test_a_map_of_a_hundred_thousand_rules_is_followed() {
	local pid began ms
	prepare "$1"
	pid=$(follower)
	jq -nc '{NetworkMap: {Serial: "8", peerConfig: {address: "100.64.0.1/16"},
		FirewallRules: [range(100000) | {PeerIP: "100.64.\(. / 25000 | floor).\(. / 100 | floor % 250)",
			Direction: "IN", Action: "ACCEPT", Protocol: "TCP", Port: "\(. % 100 + 1)",
			PolicyID: ("p\(.)" | @base64), customProtocol: 0, PortInfo: {port: 0},
			sourcePrefixes: [], comment: ("x" * 150)}]}}' >"$T/map.json"
	echo "$(stat -c %s "$T/map.json") bytes"
	began=$(date +%s%N)
	map_changes
	wait_for -t 120 follows 8
	ms=$((($(date +%s%N) - began) / 1000000))
	is "who listens" "$pid" "$(follower)"
	echo "in force after $ms ms; memory of who listens: $(awk '$1 == "VmHWM:" { print $2, $3 }' \
		"/proc/$pid/status"), now $(awk '$1 == "VmRSS:" { print $2, $3 }' "/proc/$pid/status"); \
$(awk '{ print $14 + $15 }' "/proc/$pid/stat") ticks of processor time"
	is_sanitized || [ "$(awk '$1 == "VmHWM:" { print $2 }' "/proc/$pid/status")" -le 204800 ] ||
		die "who listens has taken more than 200 MB"
	is "rules" 100001 "$(status_of wt0 .rules)"
}
