# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Interfaces that come and go, several at once, and those that cannot be had.

tests "veth tun" \
	two_interfaces_hold_different_policies \
	a_flow_is_judged_again_when_its_address_moves \
	an_interface_that_is_created_again_is_protected_again \
	a_second_run_is_refused \
	a_program_of_somebody_else_is_left_alone

tests "none" \
	an_interface_that_does_not_exist_is_an_error
alone "veth tun" \
	an_address_added_elsewhere_is_local_within_a_second

allow_port() {
	policy "$1" <<-EOF
		peer_acl:
		  - {id: port, action: allow, source: [any], protocol: tcp, destination_ports: [$2]}
	EOF
}

test_two_interfaces_hold_different_policies() {
	topology "$1"
	make_namespace "$PEER2"
	add_overlay "$1" 1 "$PEER2" 1420
	serve_all "$ROUTER" 8001
	serve_all "$ROUTER" 8002
	allow_port first 8001
	allow_port second 8002
	run_shrike wt0 first
	probe ok "$PEER2" tcp 100.65.0.1 8001
	run_shrike wt1 second
	probe ok "$PEER" tcp 100.64.0.1 8001
	probe timeout "$PEER" tcp 100.64.0.1 8002
	probe timeout "$PEER2" tcp fd65::1 8001
	probe ok "$PEER2" tcp fd65::1 8002
	# the address of the other overlay is local, too, and the way in decides
	probe ok "$PEER" tcp 100.65.0.1 8001
	expect 0 shrike policy apply wt1 "$T/first.yaml"
	probe ok "$PEER2" tcp 100.65.0.1 8001
	probe timeout "$PEER" tcp fd64::1 8002
	expect 0 shrike status
	matches "status" "wt0" "$OUT"
	matches "status" "wt1" "$OUT"
	stop run-wt1
	is "exit status" 0 $STATUS
	wait_for is_bare wt1
	probe ok "$PEER2" tcp 100.65.0.1 8002
	probe timeout "$PEER" tcp 100.64.0.1 8002
	counters_agree wt0
}

# reaches_within_a_second ADDR: by TCP to port 8001; no attempt may fail after that
reaches_within_a_second() {
	local start
	start=$(date +%s%N)
	wait_for -t 1 in_ns "$PEER" "$TOOLS/peer" ask tcp "$1" 8001 -t 200
	echo "$1 is local after $((($(date +%s%N) - start) / 1000000)) ms"
	probe ok "$PEER" tcp "$1" 8001
}

test_an_address_added_elsewhere_is_local_within_a_second() {
	topology "$1"
	# the kernel routes, and route_acl would refuse: only a local address can be reached
	kernel_forwards 1
	serve_all "$ROUTER" 8001
	allow_port web 8001
	run_shrike wt0 web
	probe timeout "$PEER" tcp 172.30.0.1 8001
	give "$ROUTER" lan0 172.30.0.1/24
	reaches_within_a_second 172.30.0.1
	give "$ROUTER" lo fd99::1/128
	reaches_within_a_second fd99::1
	give "$ROUTER" wt0 100.64.7.7/16
	reaches_within_a_second 100.64.7.7
	ip -n "$ROUTER" link add other type veth peer name otherpeer
	give "$ROUTER" other 172.31.0.1/24
	reaches_within_a_second 172.31.0.1
	ip -n "$ROUTER" address del 172.30.0.1/24 dev lan0
	wait_for -t 2 not in_ns "$PEER" "$TOOLS/peer" ask tcp 172.30.0.1 8001 -t 300
	counters_agree wt0
}

# move_address FROM-NETNS DEVICE TO-NETNS DEVICE PREFIX...
move_address() {
	local from=$1 from_device=$2 to=$3 to_device=$4 prefix
	shift 4
	for prefix; do
		ip -n "$from" address del "$prefix" dev "$from_device"
	done
	give "$to" "$to_device" "$@"
}

# Between this host and one behind it, as with VRRP: what a flow was allowed there it is not here.
test_a_flow_is_judged_again_when_its_address_moves() {
	local ip
	topology "$1"
	kernel_forwards 1
	policy here <<-EOF
		peer_acl:
		  - {id: here, action: allow, source: [any], protocol: udp, destination_ports: [8001]}
		route_acl:
		  - {id: there, action: allow, source: [any], destination: [any], protocol: udp,
		     destination_ports: [8002]}
	EOF
	for port in 8001 8002; do
		serve_all "$ROUTER" $port
		serve_all "$LAN" $port
	done
	give "$ROUTER" lan0 172.30.0.9/24 172.30.0.1/24 fd30::9/64 fd30::1/64
	run_shrike wt0 here
	for ip in 172.30.0.1 fd30::1; do
		probe ok "$PEER" udp $ip 8001 -p 40001
	done
	move_address "$ROUTER" lan0 "$LAN" eth0 172.30.0.1/24 fd30::1/64
	for ip in 172.30.0.1 fd30::1; do
		wait_for in_ns "$PEER" "$TOOLS/peer" ask udp $ip 8002 -t 300 -p 40002
		probe timeout "$PEER" udp $ip 8001 -p 40001
	done
	move_address "$LAN" eth0 "$ROUTER" lan0 172.30.0.1/24 fd30::1/64
	for ip in 172.30.0.1 fd30::1; do
		wait_for in_ns "$PEER" "$TOOLS/peer" ask udp $ip 8001 -t 300 -p 40001
		probe timeout "$PEER" udp $ip 8002 -p 40002
	done
	counters_agree wt0
}

test_an_interface_that_is_created_again_is_protected_again() {
	topology "$1"
	serve_all "$ROUTER" 8001
	serve_all "$ROUTER" 8002
	allow_port web 8001
	run_shrike wt0 web
	probe ok "$PEER" tcp 100.64.0.1 8001
	remove_overlay "$1" 0
	echo "status while wt0 is gone:"
	shrike status
	is_attached wt0 2>/dev/null && die "status says that it is attached"
	kill -0 "${PROCESS[run-wt0]}" || die "run ended: $(cat "$T/run-wt0.err")"
	add_overlay "$1" 0 "$PEER" 1280
	until_protected wt0
	is_attached wt0 || die "status does not say that it is attached"
	probe ok "$PEER" tcp 100.64.0.1 8001
	probe timeout "$PEER" tcp 100.64.0.1 8002
	probe ok "$PEER" tcp fd64::1 8001
	probe timeout "$PEER" tcp fd64::1 8002
	counters_agree wt0
	stop run-wt0
	is "exit status" 0 $STATUS
	wait_for is_bare wt0
}

test_a_second_run_is_refused() {
	local before
	topology "$1"
	serve_all "$ROUTER" 8001
	serve_all "$ROUTER" 8002
	allow_port first 8001
	allow_port second 8002
	run_shrike wt0 first
	before=$(programs wt0)
	expect 1 shrike run wt0 -c "$T/second.yaml"
	is_one_error_line "$ERR"
	is "programs" "$before" "$(programs wt0)"
	probe ok "$PEER" tcp 100.64.0.1 8001
	probe timeout "$PEER" tcp 100.64.0.1 8002
	expect 1 shrike attach wt0 -c "$T/second.yaml"
	is_one_error_line "$ERR"
	kill -0 "${PROCESS[run-wt0]}" || die "the first run ended"
	probe ok "$PEER" tcp 100.64.0.1 8001
}

# On the hook that `auto` takes: XDP on Ethernet, TC on L3 devices; but clsact, before Linux 6.6, has
# room for all.
test_a_program_of_somebody_else_is_left_alone() {
	local hook=xdp before
	topology "$1"
	kernel_forwards 1
	serve_all "$ROUTER" 8001
	allow_port web 8002
	if [ "$1" != veth ] && has_tcx; then
		hook=tcx
	else
		echo "mode: {hook: xdp}" >>"$T/web.yaml"
	fi
	start occupant "$ROUTER" "$TOOLS/hooks" occupy $hook wt0
	wait_for grep -q ready "$T/occupant.out"
	before=$(programs wt0)
	for command in run attach; do
		expect 1 shrike $command wt0 -c "$T/web.yaml"
		is_one_error_line "$ERR"
		is "programs" "$before" "$(programs wt0)"
	done
	nothing_is_pinned
	probe ok "$PEER" tcp 100.64.0.1 8001
	stop occupant
	wait_for is_bare wt0
	run_shrike wt0 web
	probe timeout "$PEER" tcp 100.64.0.1 8001
}

test_an_interface_that_does_not_exist_is_an_error() {
	topology veth
	allow_port web 8001
	for command in "run wt7" "attach wt7" "status wt7" "policy show wt7" \
		"conntrack list wt7" "conntrack flush wt7"; do
		# shellcheck disable=SC2086
		expect 1 shrike $command
		is_one_error_line "$ERR" "^shrike: .*wt7"
	done
	expect 1 shrike policy apply wt7 "$T/web.yaml"
	is_one_error_line "$ERR" "^shrike: .*wt7"
	# there, but not protected
	for command in "policy show wt0" "conntrack list wt0"; do
		# shellcheck disable=SC2086
		expect 1 shrike $command
		is_one_error_line "$ERR" "^shrike: .*wt0"
	done
	nothing_is_pinned
}
