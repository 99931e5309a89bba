# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Too few descriptors, too little memory, full disks and tables.  The kernel's own limits bring the
# errors about, at every value there is between nothing works and all works.

tests "veth" \
	a_command_without_descriptors_changes_nothing \
	a_command_without_memory_changes_nothing \
	what_cannot_be_written_is_an_error

tests "veth tun" \
	a_full_connection_table_loses_no_connection_in_use
alone "veth" \
	run_catches_up_when_it_has_descriptors_again

PORT_8001='{id: web, action: allow, source: [any], protocol: tcp, destination_ports: [8001]}'

limit_policies() {
	policy web <<<"peer_acl: [$PORT_8001]"
	policy udp <<<"peer_acl: [$PORT_8001, {id: udp, action: allow, source: [any], protocol: udp}]"
}

# limited OPTION: attaches and applies under that limit of prlimit; ATTACHED tells whether it could
# attach, RESULTS collects how all went
limited() {
	local status
	in_ns "$ROUTER" prlimit "$1" "$SHRIKE" attach wt0 -c "$T/web.yaml" \
		>"$T/limited.out" 2>"$T/limited.err"
	status=$?
	RESULTS+=" $status"
	ATTACHED=$((status == 0))
	if [ $status = 0 ]; then
		is_protected wt0 || die "$1: attach has ended well, but: $(programs wt0)"
	else
		is "exit status with $1" 1 $status
		is_one_error_line "$(cat "$T/limited.err")"
		is_bare wt0 || die "$1: attach has failed, but: $(programs wt0)"
		nothing_is_pinned
		shrike attach wt0 -c "$T/web.yaml" || die "cannot attach"
	fi
	limited_apply "$1"
	shrike detach wt0 || die "cannot detach"
}

limited_apply() {
	local status before
	before=$(programs wt0)
	in_ns "$ROUTER" prlimit "$1" "$SHRIKE" policy apply wt0 "$T/udp.yaml" \
		>"$T/limited.out" 2>"$T/limited.err"
	status=$?
	RESULTS+=" $status"
	if [ $status = 0 ]; then
		rule_is_in_force wt0 udp || die "$1: applied, but the rule is not in force"
	else
		is "exit status with $1" 1 $status
		is_one_error_line "$(cat "$T/limited.err")"
		is "programs" "$before" "$(programs wt0)"
	fi
	is_protected wt0 || die "$1: not protected any more"
}

# ends_met: some of the values were too small, and some were not
ends_met() {
	matches "exit statuses" "1.*0|0.*1" "$RESULTS"
}

# Of the values that are just too small, each, as what is missing then is needed last: to pin, and
# to undo what was done.
test_a_command_without_descriptors_changes_nothing() {
	local n step least=0
	step=$(rounds 30 1)
	topology "$1"
	kernel_forwards 1
	limit_policies
	RESULTS=
	for ((n = 8; n <= 240; n += step)); do
		limited --nofile=$n
		[ $((ATTACHED && !least)) = 0 ] || least=$n
	done
	for ((n = least - 19; n < least; n++)); do
		limited --nofile=$n
	done
	ends_met
	apply_with_few_descriptors
}

# The numbers just below the least that suffices: what they lack is missed between the two hooks.
apply_with_few_descriptors() {
	local low=8 high=480 n
	RESULTS=
	shrike attach wt0 -c "$T/web.yaml" || die "cannot attach"
	while [ $((high - low)) -gt 1 ]; do
		n=$(((low + high) / 2))
		limited_apply --nofile=$n
		[[ $RESULTS == *0 ]] && high=$n || low=$n
	done
	for ((n = high - 10; n < high; n++)); do
		limited_apply --nofile=$n
	done
	ends_met
	shrike detach wt0 || die "cannot detach"
}

test_a_command_without_memory_changes_nothing() {
	local mb
	is_sanitized && skip "a sanitizer ends a process that has no memory left"
	topology "$1"
	kernel_forwards 1
	limit_policies
	RESULTS=
	for ((mb = 24; mb <= 150; mb += $(rounds 18 1))); do
		limited --as=$((mb << 20))
	done
	ends_met
}

# free_descriptor: the lowest one that run does not hold; as its limit it leaves it none
free_descriptor() {
	local fd=0
	while [ -e "/proc/${PROCESS[run-wt0]}/fd/$fd" ]; do
		fd=$((fd + 1))
	done
	echo $fd
}

test_run_catches_up_when_it_has_descriptors_again() {
	local before
	topology "$1"
	kernel_forwards 1
	limit_policies
	serve_all "$ROUTER" 8001
	policy live <<<"peer_acl: [$PORT_8001]"
	run_shrike wt0 live
	wait_for grep -q "in force" "$T/run-wt0.out"
	session in "$PEER" tcp 100.64.0.1 8001
	probe timeout "$PEER" tcp 172.30.0.1 8001
	before=$(programs wt0)
	prlimit --pid "${PROCESS[run-wt0]}" --nofile="$(free_descriptor):20000"
	give "$ROUTER" lan0 172.30.0.1/24
	cp "$T/udp.yaml" "$T/live.yaml"
	kill -HUP "${PROCESS[run-wt0]}"
	wait_for grep -q "Too many open files" "$T/run-wt0.err"
	is "programs" "$before" "$(programs wt0)"
	talk in ok
	probe ok "$PEER" tcp fd64::1 8001
	prlimit --pid "${PROCESS[run-wt0]}" --nofile=20000:20000
	wait_for -t 3 in_ns "$PEER" "$TOOLS/peer" ask tcp 172.30.0.1 8001 -t 200
	kill -HUP "${PROCESS[run-wt0]}"
	wait_for rule_is_in_force wt0 udp
	talk in ok
	stop run-wt0
	is "exit status" 0 $STATUS
	nothing_is_pinned
}

# The output of each command that prints data: on a device that is always full.
test_what_cannot_be_written_is_an_error() {
	local command
	topology "$1"
	kernel_forwards 1
	limit_policies
	expect 0 shrike attach wt0 -c "$T/web.yaml"
	for command in "status wt0" "status wt0 -j" "policy show wt0" "policy show wt0 -j" \
		"policy diff wt0 $T/udp.yaml" "conntrack count wt0" "conntrack list wt0 -j" doctor version \
		"trace in 100.64.0.2 self -p tcp --dport 8001 -i wt0"; do
		# shellcheck disable=SC2086
		shrike $command >/dev/full 2>"$T/full.err"
		is "exit status of $command" 1 $?
		is_one_error_line "$(cat "$T/full.err")" "^shrike: .*[Nn]o space"
	done
	mkdir "$T/small"
	mount -t tmpfs -o size=16k "$ID" "$T/small" || die "cannot mount a tmpfs"
	start live "$ROUTER" "$SHRIKE" trace live -i wt0 -w "$T/small/file.pcapng"
	start pings "$PEER" ping -n -q -i 0.002 100.64.0.1
	await_end live
	is "exit status of trace live" 1 $STATUS
	stop pings
	umount "$T/small"
	expect 0 shrike detach wt0
}

# has_room: the table of confirmed connections, while the one in use goes on
has_room() {
	talk out ok
	[ "$(bpftool -j map dump pinned "$(pins)/wt0/$CT_TCP4" | jq length)" -lt 256 ]
}

# The connection that is in use was opened by this host, and no rule allows the peer's side of it.
test_a_full_connection_table_loses_no_connection_in_use() {
	local i
	topology "$1"
	kernel_forwards 1
	ip -n "$ROUTER" route add blackhole 10.99.0.0/16
	policy small <<-EOF
		limits: {tcp: 256}
		peer_acl: [$PORT_8001]
		route_acl:
		  - {id: many, action: allow, source: [any], destination: [10.99.0.0/16], protocol: tcp}
	EOF
	serve_all "$ROUTER" 8001
	serve_all "$PEER" 9001
	run_shrike wt0 small
	session out "$ROUTER" tcp 100.64.0.2 9001
	for ((i = 1; i <= $(rounds 2 20); i++)); do
		start many "$PEER" "$TOOLS/flood" establish 400 "$PEER" p0 "$ROUTER" wt0
		while kill -0 "${PROCESS[many]}" 2>/dev/null; do
			talk out ok
		done
		await_end many
		is "connections made" arrived=400 "$(cat "$T/many.out")"
		probe ok "$PEER" tcp 100.64.0.1 8001
		probe ok "$ROUTER" tcp 100.64.0.2 9001
		wait_for -t 20 has_room # by the sweep, which takes what has been idle for longest
	done
	counters_agree wt0
}
