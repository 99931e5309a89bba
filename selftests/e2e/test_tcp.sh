# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# TCP by sequence numbers: what is forged moves no connection, and what end hosts do on bad lines, or
# seldom, cuts none.  With the parameter veth-netfilter the kernel's own conntrack guards the host in
# the place of shrike: the same has to come of it.

tests "veth tun veth-netfilter" \
	a_reset_counts_only_if_its_receiver_would_take_it \
	uploads_to_who_has_half_closed_arrive_over_a_lossy_line \
	an_end_that_has_forgotten_a_connection_makes_it_again

tests "veth tun" \
	a_sender_that_sees_no_answer_confirms_nothing \
	both_ends_may_open_at_once \
	a_connection_that_is_over_is_closed_for_a_while

# tcp_topology PARAMETER: with the guard that it names
tcp_topology() {
	topology "${1%-netfilter}"
	kernel_forwards 1
	serve_all "$ROUTER" 8001
	serve_all "$PEER" 9001
	if [[ $1 == *-netfilter ]]; then
		guard_by_netfilter
	else
		policy web <<-EOF
			peer_acl:
			  - {id: web, action: allow, source: [any], protocol: tcp, destination_ports: [8001]}
		EOF
		run_shrike wt0 web
	fi
}

guard_by_netfilter() {
	in_ns "$ROUTER" nft -f - <<-EOF || die "cannot load the rules of netfilter"
		table inet guard {
			chain in {
				type filter hook input priority filter; policy drop;
				iifname != "wt0" accept
				ct state established,related accept
				meta l4proto ipv6-icmp accept
				tcp flags & (syn | ack | rst | fin) == syn tcp dport 8001 accept
			}
		}
	EOF
}

# of_shrike WHAT EXPECTED COMMAND...: as is, of what the command prints, where shrike is the guard
of_shrike() {
	[ -z "${PROCESS[run-wt0]:-}" ] || is "$1" "$2" "$("${@:3}")"
}

# in_state STATE PORT [FILTER...]: how many connections to that port are
in_state() {
	shrike conntrack count wt0 -p tcp --state "$1" --dport "$2" "${@:3}"
}

# forge FLAGS OFFSET SESSION SRC SPORT DST DPORT: as the peer's end of a session that has just talked
forge() {
	rm -f "$T/forge.out" # of the last one
	start forge "$PEER" python3 "$SELFTESTS/tools/tcp.py" forge "$1" "$2" p0 "${@:4}"
	wait_for grep -q ready "$T/forge.out"
	talk "$3" ok
	kill -USR1 "${PROCESS[forge]}"
	await_end forge
	is "segment $1, $2 from what is due" "ready ok" "$(tr '\n' ' ' <"$T/forge.out" | xargs)"
}

# An offset of 300 is in the window, and answered by a challenge ACK (RFC 5961, section 3.2).
test_a_reset_counts_only_if_its_receiver_would_take_it() {
	local family offset
	tcp_topology "$1"
	for family in 4 6; do
		use_family $family
		session in$family "$PEER" tcp $ROUTER_IP 8001 -p 5000
		session out$family "$ROUTER" tcp $PEER_IP 9001 -p 5001
		for offset in 300 -1 1073741824 -1073741824; do
			forge r $offset in$family $PEER_IP 5000 $ROUTER_IP 8001
			forge r $offset out$family $PEER_IP 9001 $ROUTER_IP 5001
			forge ra $offset out$family $PEER_IP 9001 $ROUTER_IP 5001
		done
		talk in$family ok
		talk out$family ok
		of_shrike "established" 1 in_state established 8001
		of_shrike "established" 1 in_state established 9001
		forge r 0 in$family $PEER_IP 5000 $ROUTER_IP 8001
		forge r 0 out$family $PEER_IP 9001 $ROUTER_IP 5001
		# those of the other family may have been forgotten since
		of_shrike "closed" 1 in_state closed 8001 -$family
		of_shrike "closed" 1 in_state closed 9001 -$family
		talk in$family reset
		talk out$family reset
	done
	[[ $1 == *-netfilter ]] && return
	# of each family: three from the far end of the numbers and one just too old, by two flows; one
	# of them twice
	[ "$(status_of wt0 .counters.ingress.tcp_out_of_window.packets)" -ge 18 ] ||
		die "segments outside of the window were not counted"
	[ "$(dropped wt0 peer_acl_default)" -ge 12 ] || die "resets of this host's connection passed"
	counters_agree wt0
}

# sinks NETNS PORT: of both families
sinks() {
	local name=${1#"$ID"-}
	start "sink4-$name" "$1" python3 "$SELFTESTS/tools/tcp.py" sink 0.0.0.0 "$2"
	start "sink6-$name" "$1" python3 "$SELFTESTS/tools/tcp.py" sink :: "$2"
	wait_for grep -q ready "$T/sink4-$name.out"
	wait_for grep -q ready "$T/sink6-$name.out"
}

# The last segments are lost, too, so that the FIN overtakes them and older ACKs come after it.
test_uploads_to_who_has_half_closed_arrive_over_a_lossy_line() {
	local family name uploads=6 amount
	amount=$(bytes 150000)
	PUMP_OPTIONS="-d 10 -l 4" tcp_topology "$1"
	sinks "$PEER" 9002
	stop "router-8001-tcp4" && stop "router-8001-tcp6"
	sinks "$ROUTER" 8001
	for family in 4 6; do
		use_family $family
		start up$family "$ROUTER" python3 "$SELFTESTS/tools/tcp.py" pour $PEER_IP 9002 "$amount" $uploads
		start down$family "$PEER" python3 "$SELFTESTS/tools/tcp.py" pour $ROUTER_IP 8001 "$amount" $uploads
	done
	for name in up4 up6 down4 down6; do
		await_end $name 60
		is "uploads, $name" "ok" "$(cat "$T/$name.out" "$T/$name.err")"
	done
	[[ $1 == *-netfilter ]] || counters_agree wt0
}

# By a challenge ACK and the RST that it draws (RFC 5961, section 4; RFC 9293, figure 9).
test_an_end_that_has_forgotten_a_connection_makes_it_again() {
	local family
	tcp_topology "$1"
	for family in 4 6; do
		use_family $family
		expect 0 in_ns "$ROUTER" python3 "$SELFTESTS/tools/tcp.py" forget $PEER_IP 9001 6000
		expect 0 in_ns "$PEER" python3 "$SELFTESTS/tools/tcp.py" forget $ROUTER_IP 8001 6001
	done
	[[ $1 == *-netfilter ]] || counters_agree wt0
}

# confirmed: entries of TCP that no flood of openings displaces
confirmed() {
	bpftool -j map dump pinned "$(pins)/wt0/$CT_TCP4" | jq length
}

test_a_sender_that_sees_no_answer_confirms_nothing() {
	local family count=200
	tcp_topology "$1"
	ip -n "$ROUTER" route add 10.9.0.0/24 via 100.64.0.2
	ip -n "$ROUTER" route add fd99::/64 via fd64::2
	for family in 4 6; do
		use_family $family
		expect 0 in_ns "$PEER" python3 "$SELFTESTS/tools/tcp.py" spoof \
			$([ $family = 4 ] && echo 10.9.0. || echo fd99::) $count $ROUTER_IP 8001
		is "openings" $((count * (family / 2 - 1))) "$(in_state syn_received 8001)"
		is "established" 0 "$(in_state established 8001)"
		is "confirmed" 0 "$(confirmed)"
	done
	[ "$(status_of wt0 .counters.ingress.tcp_out_of_window.packets)" -gt 0 ] ||
		die "guesses were not counted"
	# who sees them gets through
	session in "$PEER" tcp 100.64.0.1 8001
	talk in ok
	is "established" 1 "$(in_state established 8001)"
	is "confirmed" 1 "$(confirmed)"
	counters_agree wt0
}

# RFC 9293, figure 7.  No rule lets the peer's SYN in: this host's own does.
test_both_ends_may_open_at_once() {
	local family
	PUMP_OPTIONS="-d 100" tcp_topology "$1"
	for family in 4 6; do
		use_family $family
		start meet "$PEER" python3 "$SELFTESTS/tools/tcp.py" meet $ROUTER_IP 6003 6002
		expect 0 in_ns "$ROUTER" python3 "$SELFTESTS/tools/tcp.py" meet $PEER_IP 6002 6003
		await_end meet
		is "peer" ok "$(cat "$T/meet.out")"
	done
	counters_agree wt0
}

test_a_connection_that_is_over_is_closed_for_a_while() {
	local family
	tcp_topology "$1"
	for family in 4 6; do
		use_family $family
		probe ok "$PEER" tcp $ROUTER_IP 8001
		probe ok "$ROUTER" tcp $PEER_IP 9001
		# refused at once: nothing of it can be late
		probe refused "$ROUTER" tcp $PEER_IP 9003
		is "refused" 0 "$(shrike conntrack count wt0 -p tcp --dport 9003)"
	done
	is "over" 4 "$(shrike conntrack list wt0 -p tcp -j | jq '[.[] |
		select(.state == "time_wait" or .state == "closed")] | length')"
	counters_agree wt0
}
