# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A change of policy and the connections that live through it, or do not.

tests "veth tun" \
	a_revoked_rule_cuts_the_live_connections_it_had_allowed \
	a_connection_that_this_host_opened_survives_every_policy \
	a_change_of_policy_loses_no_packet \
	a_reload_by_signal_reads_the_policy_again \
	a_flood_does_not_bring_back_a_stream_that_was_revoked

# Two TCP and two UDP sessions of the peer, to ports 8001 and 8002 of this host.
open_sessions() {
	local port family
	for port in 8001 8002; do
		serve_all "$ROUTER" $port
	done
	policy both <<-EOF
		peer_acl:
		  - {id: tcp-1, action: allow, source: [any], protocol: tcp, destination_ports: [8001]}
		  - {id: udp-1, action: allow, source: [any], protocol: udp, destination_ports: [8001]}
		  - {id: tcp-2, action: allow, source: [any], protocol: tcp, destination_ports: [8002]}
		  - {id: udp-2, action: allow, source: [any], protocol: udp, destination_ports: [8002]}
	EOF
	policy two <<-EOF
		peer_acl:
		  - {id: udp-2, action: allow, source: [any], protocol: udp, destination_ports: [8002]}
		  - {id: tcp-2, action: allow, source: [any], protocol: tcp, destination_ports: [8002]}
	EOF
	run_shrike wt0 both
	for family in 4 6; do
		use_family $family
		for port in 8001 8002; do
			session tcp$family-$port "$PEER" tcp $ROUTER_IP $port
			session udp$family-$port "$PEER" udp $ROUTER_IP $port
		done
	done
	all_talk 8001 ok
	all_talk 8002 ok
}

# all_talk PORT OUTCOME
all_talk() {
	local family protocol
	for family in 4 6; do
		for protocol in tcp udp; do
			talk $protocol$family-"$1" "$2"
		done
	done
}

test_a_revoked_rule_cuts_the_live_connections_it_had_allowed() {
	topology "$1"
	open_sessions
	expect 0 shrike policy apply wt0 "$T/two.yaml"
	all_talk 8001 timeout
	all_talk 8002 ok
	all_talk 8002 ok
	expect 0 shrike policy apply wt0 "$T/both.yaml"
	all_talk 8002 ok
	# TCP kept trying and goes on where it was; a UDP exchange begins anew
	talk tcp4-8001 ok
	talk udp4-8001 ok
	talk tcp6-8001 ok
	talk udp6-8001 ok
	counters_agree wt0
}

test_a_connection_that_this_host_opened_survives_every_policy() {
	local family protocol
	topology "$1"
	serve_all "$PEER" 8001
	policy all <<<"peer_acl: [{id: all, action: allow, source: [any], protocol: all}]"
	policy deny <<<"peer_acl: [{id: nothing, action: deny, source: [any], protocol: all}]"
	run_shrike wt0 all
	for family in 4 6; do
		use_family $family
		for protocol in tcp udp; do
			session $protocol$family-8001 "$ROUTER" $protocol $PEER_IP 8001
		done
	done
	all_talk 8001 ok
	expect 0 shrike policy apply wt0 "$T/deny.yaml"
	all_talk 8001 ok
	expect 0 shrike policy apply wt0 "$T/all.yaml"
	all_talk 8001 ok
}

# unanswered FILE: the first of ping's requests that was passed over; the last ones may be on their way
unanswered() {
	grep -o 'icmp_seq=[0-9]*' "$1" | cut -d= -f2 | sort -n | awk 'NR != $1 { print NR; exit }'
}

test_a_change_of_policy_loses_no_packet() {
	local i
	topology "$1"
	policy odd <<<"peer_acl: [{id: odd, action: allow, source: [any], protocol: all}]"
	policy even <<<"peer_acl: [{id: even, action: allow, source: [any], protocol: icmp}]"
	run_shrike wt0 odd
	start flood "$PEER" ping -n -i 0.005 -W 5 100.64.0.1
	wait_for connections_reach wt0 1
	for i in 1 2 3 4 5 6; do
		expect 0 shrike policy apply wt0 "$T/$([ $((i % 2)) = 1 ] && echo even || echo odd).yaml"
	done
	stop flood INT
	is "ping that was lost" "" "$(unanswered "$T/flood.out")"
	grep -q 'icmp_seq=20 ' "$T/flood.out" || die "there were few pings"
}

test_a_reload_by_signal_reads_the_policy_again() {
	topology "$1"
	serve_all "$ROUTER" 8001
	policy wt0 <<<"peer_acl: [{id: all, action: allow, source: [any], protocol: all}]"
	run_shrike wt0 wt0
	session kept "$PEER" tcp 100.64.0.1 8001
	talk kept ok
	policy wt0 <<<"peer_acl: [{id: tcp, action: allow, source: [any], protocol: tcp}]"
	kill -HUP "${PROCESS[run-wt0]}"
	wait_for rule_is_in_force wt0 tcp
	probe timeout "$PEER" udp 100.64.0.1 8001
	talk kept ok
	# a file that is wrong changes nothing and ends nothing
	policy wt0 <<<"peer_acl: [{id: tcp, action: maybe}]"
	kill -HUP "${PROCESS[run-wt0]}"
	wait_for grep -q 'wt0.yaml:2:[0-9]*: ' "$T/run-wt0.err"
	rule_is_in_force wt0 tcp || die "the rule is gone"
	talk kept ok
	kill -0 "${PROCESS[run-wt0]}" || die "run ended"
	expect 0 shrike status wt0
}

# has_sent FAMILY N: datagrams of the stream
has_sent() {
	[ "$(grep -c sent "$T/stream$1.out")" -ge "$2" ]
}

has_dropped() {
	[ "$(dropped wt0 peer_acl_default)" -ge "$1" ]
}

# The flood displaces the peer's flow, and then this host sends: that is an answer, as long as it goes on.
test_a_flood_does_not_bring_back_a_stream_that_was_revoked() {
	local family sent tool="$SELFTESTS/tools/stream.py"
	topology "$1"
	policy both <<-EOF
		limits: {udp: 4096}
		timeouts: {udp: 3s}
		peer_acl:
		  - {id: stream, action: allow, source: [any], protocol: udp, destination_ports: [5000]}
		  - {id: other, action: allow, source: [any], protocol: udp, destination_ports: [5001]}
	EOF
	sed /stream/d "$T/both.yaml" >"$T/one.yaml"
	run_shrike wt0 both
	for family in 4 6; do
		use_family $family
		start stream$family "$ROUTER" python3 "$tool" serve $ANYWHERE 5000
		wait_for grep -q ready "$T/stream$family.out"
		expect 0 in_ns "$PEER" python3 "$tool" send $ROUTER_IP 5000 4000 first
		wait_for grep -q first "$T/stream$family.out"
	done
	expect 0 shrike policy apply wt0 "$T/one.yaml"
	for family in 4 6; do
		use_family $family
		expect 0 in_ns "$PEER" python3 "$tool" send $ROUTER_IP 5000 4000 second
	done
	wait_for has_dropped 2
	for family in 4 6; do
		use_family $family
		sent=$(grep -c sent "$T/stream$family.out")
		wait_for has_sent $family $((sent + 2)) # for longer than the timeout
		expect 0 in_ns "$PEER" python3 "$tool" flood $ROUTER_IP 5001 60000
		sent=$(grep -c sent "$T/stream$family.out")
		wait_for has_sent $family $((sent + 1))
		expect 0 in_ns "$PEER" python3 "$tool" send $ROUTER_IP 5000 4000 third
		wait_for has_dropped $((1 + family / 2))
		grep third "$T/stream$family.out" && die "the peer is back"
	done
	counters_agree wt0
}
