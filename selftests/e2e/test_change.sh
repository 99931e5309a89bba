# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Changes that reach deeper than the rules, under live connections; and what is found left over.

tests "veth tun" \
	a_policy_may_change_hook_routing_and_table_sizes_under_live_connections \
	run_takes_over_what_attach_has_left \
	pins_of_an_interface_that_was_deleted_are_no_obstacle \
	parallel_changes_of_policy_leave_one_of_them_in_force

PORT_8001='{id: web, action: allow, source: [any], protocol: tcp, destination_ports: [8001]}'

# protected: port 8001 open, 8002 not, by either family
port_8001_is_open_alone() {
	local family
	for family in 4 6; do
		use_family $family
		probe ok "$PEER" tcp $ROUTER_IP 8001
		probe timeout "$PEER" tcp $ROUTER_IP 8002
	done
}

serve_ports() {
	serve_all "$ROUTER" 8001
	serve_all "$ROUTER" 8002
	serve_all "$PEER" 9001
}

test_a_policy_may_change_hook_routing_and_table_sizes_under_live_connections() {
	local change n=0
	topology "$1"
	kernel_forwards 1
	serve_ports
	policy first <<<"peer_acl: [$PORT_8001]"
	run_shrike wt0 first
	session in "$PEER" tcp 100.64.0.1 8001
	session out "$ROUTER" tcp fd64::2 9001
	for change in "mode: {hook: xdp}" "mode: {hook: tc}" "mode: {routing: userspace}" \
		"limits: {tcp: 100, udp: 10, icmp: 1, fragments: 1}" "limits: {tcp: 200000}" \
		"mode: {routing: disabled}" "mode: {native_acl: skip}" "mss_clamp: false"; do
		n=$((n + 1))
		policy change$n <<<"peer_acl: [$PORT_8001]"
		echo "$change" | tee -a "$T/change$n.yaml"
		expect 0 shrike policy apply wt0 "$T/change$n.yaml"
		is_protected wt0 || die "not protected"
		is "programs" 2 "$(programs wt0 | wc -l)"
		talk in ok
		talk out ok
		port_8001_is_open_alone
		counters_agree wt0
	done
	stop run-wt0
	is "exit status" 0 $STATUS
	is_bare wt0 || die "still there: $(programs wt0)"
	nothing_is_pinned
}

test_run_takes_over_what_attach_has_left() {
	local programs
	topology "$1"
	kernel_forwards 1
	serve_ports
	policy first <<<"peer_acl: [$PORT_8001]"
	expect 0 shrike attach wt0 -c "$T/first.yaml"
	session in "$PEER" tcp 100.64.0.1 8001
	session out "$ROUTER" tcp fd64::2 9001
	programs=$(programs wt0)
	run_shrike wt0 first
	wait_for not programs_are wt0 "$programs"
	talk in ok
	talk out ok
	port_8001_is_open_alone
	counters_agree wt0
	stop run-wt0
	is "exit status" 0 $STATUS
	is_bare wt0 || die "still there: $(programs wt0)"
	nothing_is_pinned
}

test_pins_of_an_interface_that_was_deleted_are_no_obstacle() {
	topology "$1"
	kernel_forwards 1
	serve_ports
	policy first <<<"peer_acl: [$PORT_8001]"
	expect 0 shrike attach wt0 -c "$T/first.yaml"
	remove_overlay "$1" 0
	add_overlay "$1" 0 "$PEER" 1420
	# nobody was there to attach again, and status must not claim otherwise
	is_bare wt0 || die "attached: $(programs wt0)"
	is_attached wt0 && die "status says that it is attached"
	expect 0 shrike attach wt0 -c "$T/first.yaml"
	is_attached wt0 || die "status does not say that it is attached"
	port_8001_is_open_alone
	remove_overlay "$1" 0
	add_overlay "$1" 0 "$PEER" 1420
	expect 0 shrike detach wt0
	nothing_is_pinned
	run_shrike wt0 first
	port_8001_is_open_alone
}

test_parallel_changes_of_policy_leave_one_of_them_in_force() {
	local i applied=0
	topology "$1"
	kernel_forwards 1
	serve_ports
	policy first <<<"peer_acl: [$PORT_8001]"
	run_shrike wt0 first
	session in "$PEER" tcp 100.64.0.1 8001
	for i in 1 2 3 4; do
		policy other$i <<<"peer_acl: [$PORT_8001, {id: other-$i, action: deny, protocol: udp}]"
		start apply$i "$ROUTER" "$SHRIKE" policy apply wt0 "$T/other$i.yaml"
	done
	for i in 1 2 3 4; do
		await_end apply$i
		[ $STATUS = 0 ] && applied=$((applied + 1))
		[ $STATUS = 0 ] || is_one_error_line "$(cat "$T/apply$i.err")"
	done
	[ $applied -ge 1 ] || die "none was applied"
	matches "rules in force" "^web other-[1-4]$|^other-[1-4] web$" \
		"$(shrike policy show wt0 -j | jq -r "$RULE_IDS")"
	is "programs" 2 "$(programs wt0 | wc -l)"
	talk in ok
	port_8001_is_open_alone
	counters_agree wt0
}
