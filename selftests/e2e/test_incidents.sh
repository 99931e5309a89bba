# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Incidents, each as its user sees it, and the one command whose output names the cause.

. "$SELFTESTS/lib/nat.sh"

tests veth \
	a_rule_that_is_missing_is_explained \
	a_set_that_is_not_filled_is_explained \
	a_peer_in_the_wrong_group_is_explained \
	a_policy_of_yesterday_is_explained \
	a_destination_that_is_the_host_itself_is_explained \
	a_table_that_is_full_is_explained \
	a_link_with_a_small_mtu_is_explained \
	ports_that_have_run_out_are_explained

# explains REGEX COMMAND...: its output says so, once what has happened is recorded
explains() {
	local regex=$1
	shift
	wait_for says "$regex" "$@"
	expect 0 shrike "$@"
	matches "$*" "$regex" "$OUT"
}

says() {
	[[ "$(shrike "${@:2}" 2>/dev/null)" =~ $1 ]]
}

group_policy() {
	policy "$1" <<-EOF
		mode: {routing: disabled}
		names: {anna: 100.64.0.2, ben: 100.64.0.3}
		sets: {ops: [$2], dev: [100.64.0.2]}
		peer_acl:
		  - {id: ssh-from-ops, action: allow, source: ["set:ops"], protocol: tcp, destination_ports: [8001]}
	EOF
}

test_a_rule_that_is_missing_is_explained() {
	topology "$1"
	serve_all "$ROUTER" 8002
	group_policy ssh 100.64.0.2
	run_shrike wt0 ssh
	probe timeout "$PEER" tcp 100.64.0.1 8002
	explains "drop peer_acl_default.*ssh-from-ops \\(line 6\\): destination port 8002 is not 8001" \
		why anna 100.64.0.1 --dport 8002 -i wt0
	explains "peer_acl:.*source: \\[100.64.0.2\\].*destination_ports: \\[8002\\]" policy suggest wt0
}

test_a_set_that_is_not_filled_is_explained() {
	topology "$1"
	serve_all "$ROUTER" 8001
	group_policy empty ""
	sed -i 's/, dev: .*}/}/' "$T/empty.yaml"
	run_shrike wt0 empty
	probe timeout "$PEER" tcp 100.64.0.1 8001
	explains "ssh-from-ops \\(line 6\\): source 100.64.0.2 is not in set:ops \\(empty\\)" \
		why anna --dport 8001 -i wt0
	explains "set ops has no members" policy unused wt0
}

test_a_peer_in_the_wrong_group_is_explained() {
	topology "$1"
	serve_all "$ROUTER" 8001
	group_policy wrong 100.64.0.3
	run_shrike wt0 wrong
	probe timeout "$PEER" tcp 100.64.0.1 8001
	explains "ssh-from-ops \\(line 6\\): source 100.64.0.2 is not in set:ops, it is in set:dev" \
		why anna --dport 8001 -i wt0
}

test_a_policy_of_yesterday_is_explained() {
	topology "$1"
	serve_all "$ROUTER" 8001
	group_policy old 100.64.0.3
	group_policy new 100.64.0.2
	run_shrike wt0 old
	probe timeout "$PEER" tcp 100.64.0.1 8001
	expect 0 shrike policy apply wt0 "$T/new.yaml"
	probe ok "$PEER" tcp 100.64.0.1 8001
	explains "drop peer_acl_default.*By policy 1 of the history, in force from .*100.64.0.2 is not in set:ops" \
		why anna --dport 8001 --verdict drop -i wt0
}

test_a_destination_that_is_the_host_itself_is_explained() {
	topology "$1"
	kernel_forwards 1
	serve_all "$ROUTER" 8001
	policy lan <<-EOF
		mode: {routing: native}
		route_acl:
		  - {id: to-lan, action: allow, source: [any], destination: [192.168.77.0/24], protocol: all}
	EOF
	run_shrike wt0 lan
	probe timeout "$PEER" tcp 192.168.77.1 8001
	explains "to-lan of route_acl \\(line 4\\) would allow it, but 192.168.77.1 is an address of this host" \
		why 100.64.0.2 192.168.77.1 -i wt0
}

test_a_table_that_is_full_is_explained() {
	topology "$1"
	kernel_forwards 1
	ip -n "$ROUTER" route add blackhole 10.99.0.0/16
	in_ns "$ROUTER" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.wt0.rp_filter=0
	policy small <<-EOF
		limits: {udp: 512}
		timeouts: {udp: 1h}
		route_acl:
		  - {id: out, action: allow, source: [any], destination: [10.99.0.0/16], protocol: all}
	EOF
	expect 0 shrike attach wt0 -c "$T/small.yaml"
	says "tables +room for connections" doctor wt0 || die "it is full from the start"
	expect 0 python3 "$SELFTESTS/tools/talkers.py" udp 100.64.9.9 3000 "$PEER" p0 "$ROUTER" wt0
	explains "tables +that of udp over IPv4 is full, [0-9]+ of 512 connections: raise limits.udp" doctor wt0
	expect 0 shrike detach wt0
}

test_a_link_with_a_small_mtu_is_explained() {
	nat_topology "$1"
	ip -n "$ROUTER" link set lan0 mtu 1280
	run_nat
	pings lost "$PEER" 192.168.77.2 -M do -s 1340
	explains "100.64.0.2 -> 192.168.77.2.*drop too_big.*Packet dropped - larger than the next link takes" \
		why 100.64.0.2 192.168.77.2 -i wt0
}

test_ports_that_have_run_out_are_explained() {
	local n
	nat_topology "$1"
	echo "nat: {port_range: 61000-61001}" >>"$T/nat.yaml"
	run_nat
	for n in 1 2; do
		session held$n "$PEER" tcp 192.168.77.2 8080
	done
	probe timeout "$PEER" tcp 192.168.77.2 8080
	explains "drop no_port.*Not forwarded: no port of the uplink's address is free" \
		why 100.64.0.2 192.168.77.2 --verdict drop -i wt0
}
