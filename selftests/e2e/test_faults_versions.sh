# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Other versions of the binary, what they leave, and clocks of one's own.  Another version is the
# binary under test with a word changed in it, of the same length: its version, or the name of a map,
# in the loader as in the BPF object within.

tests "veth tun" \
	an_upgrade_keeps_every_connection \
	an_upgrade_says_which_connections_it_cannot_keep \
	what_another_version_has_left_is_refused_until_it_is_detached_by_force \
	what_a_clone_cannot_be_made_of_is_said_until_the_policy_is_applied_anew \
	records_of_a_version_with_other_reasons_are_not_taken_for_others \
	a_clock_that_jumps_ends_no_connection

tests "veth" \
	pins_that_are_something_else_are_replaced

# start_version BINARY: `run` of it, until it is in charge
start_version() {
	start run-wt0 "$ROUTER" "$1" run wt0 -c "$T/web.yaml"
	wait_for grep -q "in force" "$T/run-wt0.out"
	until_protected wt0
}

# version_topology: with connections in all directions, while BINARY is in charge
version_topology() {
	topology "$1"
	kernel_forwards 1
	serve_all "$ROUTER" 8001
	serve_all "$PEER" 9001
	policy web <<-EOF
		timeouts: {icmp: 1s}
		peer_acl:
		  - {id: web, action: allow, source: [any], protocol: tcp, destination_ports: [8001]}
		  - {id: echo, action: allow, source: [any], protocol: udp, destination_ports: [8001]}
	EOF
	start_version "$2"
	session in "$PEER" tcp 100.64.0.1 8001
	session out "$ROUTER" tcp fd64::2 9001
	session out4 "$ROUTER" udp 100.64.0.2 9001
	talk out4 ok
	start storm "$PEER" "$TOOLS/storm" fd64::1 8001 8
	wait_for grep -q ready "$T/storm.out"
}

nothing_was_lost() {
	stop storm
	matches "datagrams" "sent=[0-9]+ answered=[0-9]+ lost=0 wrong=0" \
		"$(tail -n 1 "$T/storm.out")"
	talk in ok
	talk out ok
	talk out4 ok
}

test_an_upgrade_keeps_every_connection() {
	local binary
	newer_version
	version_topology "$1" "$SHRIKE"
	for binary in "$T/newer" "$SHRIKE" "$T/newer"; do
		stop run-wt0 KILL
		start_version "$binary"
		is "errors" "" "$(cat "$T/run-wt0.err")"
	done
	nothing_was_lost
	counters_agree wt0
	stop run-wt0
	is_bare wt0 || die "still there: $(programs wt0)"
}

test_an_upgrade_says_which_connections_it_cannot_keep() {
	another_version newer "s/ct_tcp6_v2/ct_tcp6_v3/g"
	version_topology "$1" "$SHRIKE"
	stop run-wt0 KILL
	start_version "$T/newer"
	wait_for test -s "$T/run-wt0.err" # which is said when the programs are there already
	is_one_error_line "$(cat "$T/run-wt0.err")" \
		"^shrike: warning: wt0: connections of shrike .* cannot be taken over.*: ct_tcp6_v3$"
	talk in ok
	talk out4 ok
	# no rule allows the replies, so nothing but its entry could have let them in
	talk out timeout
	stop storm
	matches "datagrams" "lost=0 wrong=0" "$(tail -n 1 "$T/storm.out")"
	stop run-wt0
	is_bare wt0 || die "still there: $(programs wt0)"
}

test_what_another_version_has_left_is_refused_until_it_is_detached_by_force() {
	local command before
	another_version newer "s/instance_v2/instance_v3/g"
	version_topology "$1" "$T/newer"
	stop run-wt0 KILL
	before=$(programs wt0)
	for command in "run wt0 -c $T/web.yaml" "attach wt0 -c $T/web.yaml" \
		"policy apply wt0 $T/web.yaml" "policy show wt0" "conntrack list wt0"; do
		# shellcheck disable=SC2086
		expect 1 shrike $command
		is_one_error_line "$ERR" "^shrike: .*another version of shrike.*detach"
		is "programs" "$before" "$(programs wt0)"
	done
	nothing_was_lost
	expect 0 shrike detach wt0 --force
	is_bare wt0 || die "still there: $(programs wt0)"
	nothing_is_pinned
	start_version "$SHRIKE"
	talk in ok
	stop run-wt0
}

# Older programs lack a map: what is in force can be replaced, not cloned.
test_what_a_clone_cannot_be_made_of_is_said_until_the_policy_is_applied_anew() {
	local command
	another_version older "s/blocked_v1/blocked_v0/g"
	version_topology "$1" "$T/older"
	stop run-wt0 KILL
	for command in "trace in 100.64.0.2 100.64.0.1 --dport 8001" "policy diff wt0 $T/web.yaml"; do
		# shellcheck disable=SC2086
		expect 1 shrike $command
		is_one_error_line "$ERR" "blocked_v1 .*another version of shrike; apply the policy anew"
	done
	expect 0 shrike policy apply wt0 "$T/web.yaml"
	expect 0 shrike trace in 100.64.0.2 100.64.0.1 --dport 8001
	nothing_was_lost
	expect 0 shrike detach wt0
}

# Where the counters, one for each reason, have another form, a record's reason would be another one.
test_records_of_a_version_with_other_reasons_are_not_taken_for_others() {
	another_version older "s/counters_v3/counters_v0/g"
	version_topology "$1" "$T/older"
	probe timeout "$PEER" tcp 100.64.0.1 8002
	stop run-wt0 KILL
	expect 1 shrike why -i wt0
	is_one_error_line "$ERR" "counters_v3 belongs to another version of shrike"
	expect 0 shrike policy apply wt0 "$T/web.yaml"
	is "what is recorded of before" "" "$(shrike why -i wt0 --dport 8002 -j | jq -r '.kinds[].reason')"
	probe timeout "$PEER" tcp 100.64.0.1 8002
	is "what is recorded now" peer_acl_default \
		"$(shrike why -i wt0 --dport 8002 -j | jq -r '.kinds[].reason')"
	nothing_was_lost
	expect 0 shrike detach wt0
}

# in_another_time SECONDS NETNS COMMAND...: with monotonic clocks that are so far ahead
in_another_time() {
	local ahead=$1 ns=$2
	shift 2
	nsenter --time="/proc/${PROCESS[time$ahead]}/ns/time_for_children" \
		--net="/run/netns/$ns" -- "$@"
}

# tracked_pings: entries of their tables, expired ones included
tracked_pings() {
	local table
	for table in ct_icmp4_v2 ct_icmp4_own_v2; do
		bpftool -j map dump pinned "$(pins)/wt0/$table"
	done | jq -s 'add | length'
}

# The wall clock is asked for nothing but dates to print, so it is the monotonic clock that has to
# jump: forward and back, by more than the longest timeout, between one run and the next.
test_a_clock_that_jumps_ends_no_connection() {
	local ahead
	version_topology "$1" "$SHRIKE"
	for ahead in 100000 -60; do
		start time$ahead "$ROUTER" unshare --time --monotonic=$ahead --boottime=$ahead -- \
			sleep 1000
		wait_for test -e "/proc/${PROCESS[time$ahead]}/ns/time_for_children"
		wait_for is_time_of $ahead
		stop run-wt0 KILL
		start run-wt0 "$ROUTER" \
			nsenter --time="/proc/${PROCESS[time$ahead]}/ns/time_for_children" -- \
			"$SHRIKE" run wt0 -c "$T/web.yaml"
		wait_for grep -q "in force" "$T/run-wt0.out"
		pings ok "$ROUTER" 100.64.0.2
		tracked_pings | grep -qx 1 || die "the ping is not tracked"
		wait_for -t 20 eval "tracked_pings | grep -qx 0" # so the sweep has seen all tables
		is "connections by that clock" 2 "$(in_another_time $ahead "$ROUTER" "$SHRIKE" \
			conntrack count wt0 -p tcp --state established)"
		stop time$ahead
	done
	nothing_was_lost
	stop run-wt0
}

# is_time_of SECONDS: the namespace has that offset by now
is_time_of() {
	grep -q "monotonic *$1 " "/proc/${PROCESS[time$1]}/timens_offsets"
}

test_pins_that_are_something_else_are_replaced() {
	topology "$1"
	kernel_forwards 1
	policy web <<<"peer_acl: [{id: web, action: allow, source: [any], protocol: tcp}]"
	mkdir -p -m 700 "$(pins)/wt0"
	bpftool map create "$(pins)/wt0/$CT_TCP4" type array key 4 value 8 entries 1 name other ||
		die "cannot make a map"
	bpftool map create "$(pins)/wt0/link_egress" type array key 4 value 8 entries 1 name other
	bpftool map create "$(pins)/wt0/ct_tcp4_v0" type array key 4 value 8 entries 1 name other
	expect 0 shrike attach wt0 -c "$T/web.yaml"
	is "errors" "" "$ERR"
	is "key size" 16 "$(bpftool -j map show pinned "$(pins)/wt0/$CT_TCP4" | jq .bytes_key)"
	[ ! -e "$(pins)/wt0/ct_tcp4_v0" ] || die "what is no pin of ours is still there"
	mkdir -p "$(pins)/wt0/in-the-way/deeper"
	expect 1 shrike detach wt0
	is_one_error_line "$ERR" "in-the-way"
	expect 0 shrike detach wt0 --force
	is_bare wt0 || die "still there: $(programs wt0)"
	nothing_is_pinned
}
