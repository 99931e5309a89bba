# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Which rights shrike keeps, and whom its pins let in.

tests "veth tun" \
	run_keeps_only_the_capabilities_that_it_needs \
	run_ends_a_forwarder_that_does_not_leave
tests "veth" \
	pins_are_for_root_alone

. "$SELFTESTS/lib/forward.sh"
. "$SELFTESTS/lib/rights.sh"

# CAP_SETGID, SETUID, NET_ADMIN, NET_RAW, IPC_LOCK, SYS_ADMIN
NEEDED="6 7 12 13 14 21"

# needed: those of NEEDED that this shell has
needed() {
	local number mask=0
	for number in $NEEDED; do
		mask=$((mask | 1 << number))
	done
	printf '%016x\n' $((mask & 0x$(capabilities $$ Prm)))
}

test_run_keeps_only_the_capabilities_that_it_needs() {
	local pid set child none=0000000000000000
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	run_forwarder
	pid=${PROCESS[run-wt0]} set=$(needed) child=$(forwarder pid)
	wait_for grep -q "forwarder is ready" "$T/run-wt0.out"
	is "run" "$set $set $set $none $none" "$(capabilities "$pid" Prm Eff Bnd Inh Amb)"
	is "no_new_privs of run" 1 "$(no_new_privs "$pid")"
	is "forwarder" "$none $none $none $none" "$(capabilities "$child" Prm Eff Inh Amb)"
	is "no_new_privs of the forwarder" 1 "$(no_new_privs "$child")"
	is "system calls of the forwarder" filtered "$(system_calls "$child")"
	is "user of the forwarder" "65534 65534 65534 65534" "$(user_of "$child")"
	# with those it can do all that it may have to
	probe ok "$PEER" tcp 192.168.77.2 8080
	kill -KILL "$child"
	wait_for forwarder_runs
	wait_for in_ns "$PEER" "$TOOLS/peer" ask tcp 192.168.77.2 8080 -t 500
	remove_overlay "$1" 0
	add_overlay "$1" 0 "$PEER" 1420
	until_protected wt0
	wait_for in_ns "$PEER" "$TOOLS/peer" ask udp fd77::2 8080 -t 500
	kill -HUP "$pid"
	counters_agree wt0
	stop run-wt0
	is "exit status" 0 $STATUS
	is "errors" "" "$(grep -v "forwarder has ended\|is gone; waiting\|not protected any more" \
		"$T/run-wt0.err")"
	is_bare wt0 || die "still there: $(programs wt0)"
	nothing_is_pinned
}

test_run_ends_a_forwarder_that_does_not_leave() {
	local child
	forwarding_topology "$1"
	run_forwarder
	child=$(forwarder pid)
	kill -STOP "$child"
	stop run-wt0
	is "exit status" 0 $STATUS
	[ ! -e "/proc/$child" ] || die "the forwarder is still there"
	is_bare wt0 || die "still there: $(programs wt0)"
}

test_pins_are_for_root_alone() {
	local dir command
	topology "$1"
	kernel_forwards 1
	policy web <<<"peer_acl: [{id: web, action: allow, source: [any], protocol: tcp}]"
	chmod 755 "$T" "$WORK"
	for command in attach run; do
		(umask 000 && echo "umask is $(umask)")
		if [ $command = attach ]; then
			(umask 000 && shrike attach wt0 -c "$T/web.yaml") || die "cannot attach"
		else
			run_shrike wt0 web
			wait_for test -e "$(pins)/wt0/prog_ingress"
		fi
		dir=$(pins)
		is "directories" "700 0 0" "$(stat -c '%a %u %g' "${dir%/*}" "$dir" "$dir/wt0" | sort -u)"
		is "pins" "600 0 0" "$(stat -c '%a %u %g' "$dir"/wt0/* | sort -u)"
		chmod 755 "$SHRIKE_BPFFS"
		expect 2 setpriv --reuid 65534 --regid 65534 --clear-groups ls "$dir/wt0/"
		[ $command = run ] || shrike detach wt0 || die "cannot detach"
	done
	stop run-wt0
	nothing_is_pinned
}
