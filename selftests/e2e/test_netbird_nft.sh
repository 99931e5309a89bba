# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# NetBird's tables in nftables, followed instead of its daemon.  They are made by nft(8), with chains and
# rules as NetBird has them.

. "$SELFTESTS/lib/netbird.sh"

tests "veth tun" \
	tables_of_nftables_are_the_policy_while_they_are_understood

tests "tun" \
	tables_that_come_and_go_leave_the_policy_in_force \
	half_of_the_tables_is_no_policy \
	tables_that_do_not_come_into_force_are_tried_again

tests "file" \
	a_source_that_does_not_exist_is_refused

# tables: NetBird's, without rules of their own
tables() {
	local family
	for family in ip ip6; do
		cat <<-EOF2
			table $family netbird {
				set nb0000001 {
					type ${family/ip/ipv}_addr
					flags dynamic
				}
				set nb-0123abcd {
					type ${family/ip/ipv}_addr
					flags interval
				}
				chain netbird-acl-input-rules {
					ct state established,related counter accept
				}
				chain netbird-acl-input-filter {
					type filter hook input priority filter; policy accept;
					iifname "wt0" jump netbird-acl-input-rules
					iifname "wt0" drop
				}
				chain netbird-rt-fwd {
					ct state established,related counter accept
				}
				chain netbird-acl-forward-filter {
					type filter hook forward priority filter; policy accept;
					meta mark 0x0001bd20 accept
					iifname "wt0" jump netbird-rt-fwd
					iifname "wt0" drop
				}
			}
		EOF2
	done | sed "s/ipv_addr/ipv4_addr/" | in_ns "$ROUTER" nft -f -
}

nft_rule() {
	in_ns "$ROUTER" nft -e -a add rule "$@" | sed -n 's/.* handle \([0-9]*\)$/\1/p'
}

# follow_nft LINK: run follows the tables, which are there
follow_nft() {
	topology "$1"
	kernel_forwards 1
	serve_all "$ROUTER" 8001
	serve_all "$LAN" 8080
	tables
	policy own <<-EOF
		peer_acl: [{id: own, action: deny, source: [100.64.0.3], protocol: all}]
	EOF
	start run-wt0 "$ROUTER" "$SHRIKE" run wt0 -c "$T/own.yaml" --netbird-source nft
	until_protected wt0
	wait_for grep -q "map of serial" "$T/run-wt0.out"
}

has_rules() {
	[ "$(shrike policy show wt0 -j | jq '[.peer_acl, .route_acl | .[]] | length')" = "$1" ]
}

test_tables_of_nftables_are_the_policy_while_they_are_understood() {
	local handle
	follow_nft "$1"
	probe timeout "$PEER" tcp 100.64.0.1 8001
	in_ns "$ROUTER" nft "add element ip netbird nb0000001 { 100.64.0.2, 100.64.0.3 }"
	handle=$(nft_rule ip netbird netbird-acl-input-rules \
		"ip protocol tcp ip saddr @nb0000001 th dport 8001 accept")
	nft_rule ip6 netbird netbird-acl-input-rules "ip6 nexthdr icmpv6 accept"
	nft_rule ip netbird netbird-rt-fwd \
		"ip saddr 100.64.0.0/12 ip daddr @nb-0123abcd meta l4proto tcp th dport 8080 counter accept"
	wait_for has_rules 4
	session open "$PEER" tcp 100.64.0.1 8001
	# the user's own come first
	probe timeout "$PEER" tcp 100.64.0.1 8001 -s 100.64.0.3
	pings ok "$PEER" fd64::1
	pings lost "$PEER" 100.64.0.1
	probe timeout "$PEER" tcp 192.168.77.2 8080
	in_ns "$ROUTER" nft "add element ip netbird nb-0123abcd { 192.168.77.2 }"
	probe ok "$PEER" tcp 192.168.77.2 8080
	# what is not understood changes nothing
	nft_rule ip netbird netbird-acl-input-rules "ip saddr 100.64.0.2 limit rate 1/second drop"
	wait_for grep -q "NetBird: .*'limit' is not understood; the policy in force stays" \
		"$T/run-wt0.err" "$T/run-wt0.out"
	matches "status" "'limit' is not understood" "$(shrike status wt0)"
	in_ns "$ROUTER" nft delete rule ip netbird netbird-acl-input-rules handle "$handle"
	talk open ok
	# and what is again, does
	in_ns "$ROUTER" nft flush chain ip netbird netbird-acl-input-rules
	nft_rule ip netbird netbird-acl-input-rules "ct state established,related counter accept"
	wait_for has_rules 3
	talk open timeout
	pings ok "$PEER" fd64::1
}

test_tables_that_come_and_go_leave_the_policy_in_force() {
	follow_nft "$1"
	nft_rule ip netbird netbird-acl-input-rules "ip protocol tcp th dport 8001 accept"
	wait_for has_rules 2
	session open "$PEER" tcp 100.64.0.1 8001
	in_ns "$ROUTER" nft "delete table ip netbird; delete table ip6 netbird"
	wait_for grep -q "there is no table netbird" "$T/run-wt0.err" "$T/run-wt0.out"
	talk open ok
	# which a run that begins again has, too
	stop run-wt0 KILL
	start run-wt0 "$ROUTER" "$SHRIKE" run wt0 -c "$T/own.yaml" --netbird-source nft
	wait_for grep -q "there is no table netbird" "$T/run-wt0.err" "$T/run-wt0.out"
	talk open ok
	tables
	wait_for has_rules 1
	talk open timeout
}

# followed_again TIMES
followed_again() {
	[ "$(grep -c "followed again" "$T/run-wt0.out")" = "$1" ]
}

# reads_have_failed WHY: which the log says
reads_have_failed() {
	cat "$T/run-wt0.err" "$T/run-wt0.out" | grep -q "NetBird: nftables: $1.*; the policy in force stays"
}

test_half_of_the_tables_is_no_policy() {
	follow_nft "$1"
	nft_rule ip netbird netbird-acl-input-rules "ip protocol tcp th dport 8001 accept"
	wait_for has_rules 2
	session open "$PEER" tcp 100.64.0.1 8001
	in_ns "$ROUTER" nft flush chain ip netbird netbird-acl-input-rules
	wait_for reads_have_failed "netbird-acl-input-rules of table ip netbird lets no answers pass any more"
	has_rules 2 || die "rules have gone with those of nftables"
	in_ns "$ROUTER" nft delete table ip netbird
	wait_for reads_have_failed "table ip netbird is not there"
	talk open ok
	# nor is the half that remains to the run that begins again
	stop run-wt0 KILL
	start run-wt0 "$ROUTER" "$SHRIKE" run wt0 -c "$T/own.yaml" --netbird-source nft
	wait_for reads_have_failed "table ip netbird is not there"
	talk open ok
	in_ns "$ROUTER" nft delete table ip6 netbird
	wait_for reads_have_failed "there is no table netbird"
	talk open ok
	tables
	wait_for has_rules 1
	talk open timeout
	# NetBird may have left IPv6 for good, which a user may say
	in_ns "$ROUTER" nft delete table ip6 netbird
	wait_for reads_have_failed "table ip6 netbird is not there"
	kill -HUP "${PROCESS[run-wt0]}"
	wait_for followed_again 2
}

test_tables_that_do_not_come_into_force_are_tried_again() {
	follow_nft "$1"
	nft_rule ip netbird netbird-acl-input-rules "ip protocol tcp th dport 8001 accept"
	wait_for has_rules 2
	session open "$PEER" tcp 100.64.0.1 8001
	may_open 8
	in_ns "$ROUTER" nft flush chain ip netbird netbird-acl-input-rules
	nft_rule ip netbird netbird-acl-input-rules "ct state established,related counter accept"
	wait_for grep -q "NetBird: .*Too many open files; the policy in force stays" "$T/run-wt0.err"
	talk open ok
	# nothing happens to the tables any more
	may_open 1000
	wait_for has_rules 1
	talk open timeout
}

test_a_source_that_does_not_exist_is_refused() {
	expect 2 "$SHRIKE" run wt0 --netbird-source iptables
	is_one_error_line "$ERR" "^shrike: --netbird-source: 'iptables' is neither daemon nor nft$"
	expect 2 "$SHRIKE" run wt0 --netbird-hold -1
	is_one_error_line "$ERR" "^shrike: --netbird-hold: "
}
