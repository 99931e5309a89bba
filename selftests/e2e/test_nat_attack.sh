# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Routing by NAT: whoever is behind an uplink gets no packet to a peer that has not asked for it.

. "$SELFTESTS/lib/nat.sh"

tests "veth tun" \
	only_answers_come_in_by_the_uplink \
	what_claims_to_come_from_a_peers_mapped_port_is_refused \
	who_is_behind_the_uplink_cannot_end_a_connection \
	a_port_that_another_peer_gets_brings_nothing_of_the_one_before

# forge KIND SRC SPORT DST DPORT: frames from the LAN to the uplink
forge() {
	local mac kind=$1
	shift
	mac=$(ip -n "$ROUTER" -j link show dev lan0 | jq -r '.[0].address')
	in_ns "$LAN" python3 "$SELFTESTS/tools/forge.py" "$kind" eth0 "$mac" "$@" >"$T/forged"
}

# sent_on: packets that the program of the uplink has sent to peers
sent_on() {
	status_of wt0 .counters.uplink.forward.packets
}

# datagrams: that the peer has received, with a socket for them or without
datagrams() {
	in_ns "$PEER" awk '
		$1 == "Udp:" && $2 ~ /^[0-9]+$/ { n += $2 + $3 }
		$1 == "Udp6InDatagrams" || $1 == "Udp6NoPorts" { n += $2 }
		END { print n }' /proc/net/snmp /proc/net/snmp6
}

# brings N KIND SRC SPORT DST DPORT: so many packets are sent on to peers of these frames
brings() {
	brings_by sent_on "$@"
}

# brings_by COUNTER N KIND SRC SPORT DST DPORT
brings_by() {
	local before counter=$1 expected=$2 seen
	shift 2
	before=$($counter)
	seen=$(on_uplink)
	forge "$@"
	wait_for eval "[ \$(on_uplink) -ge $((seen + $(cat "$T/forged"))) ]"
	is "packets to peers of '$*'" "$expected" "$(($($counter) - before))"
}

# on_uplink: packets that the device has received
on_uplink() {
	ip -n "$ROUTER" -s -j link show dev lan0 | jq '.[0].stats64.rx.packets'
}

# mapped_port PROTOCOL SPORT: of a connection of the peer
mapped_port() {
	shrike conntrack list wt0 -p "$1" --sport "$2" -j | jq '.[0].nat.sport'
}

# queued: bytes that wait for the peer's socket to be read; has_queued BYTES: at least
queued() {
	in_ns "$PEER" ss -Hun "sport = 61007" | awk '{ n += $(NF - 3) } END { print n + 0 }'
}

has_queued() {
	[ "$(queued)" -ge "$1" ]
}

test_only_answers_come_in_by_the_uplink() {
	local family port peer one
	nat_topology "$1"
	ip -n "$LAN" address add 192.168.77.7/24 dev eth0
	ip -n "$LAN" address add fd77::7/64 dev eth0 nodad
	run_nat
	for family in 4 6; do
		use_family $family
		peer=$([ $family = 4 ] && echo 100.64.0.2 || echo fd64::2)
		session asks$family "$PEER" udp $LAN_IP 8080 -p 61007
		talk asks$family ok
		port=$(mapped_port udp 61007)
		is "the mapping" 61007 "$port"
		brings 1 answer $LAN_IP 8080 $ROUTER_LAN_IP "$port"
		wait_for has_queued 1
		one=$(queued)
		brings 1 priority $LAN_IP 8080 $ROUTER_LAN_IP "$port"
		wait_for has_queued $((one + 1))
		brings 0 last-hop $LAN_IP 8080 $ROUTER_LAN_IP "$port"
		brings 0 frames $LAN_IP 8080 $ROUTER_LAN_IP "$port"
		brings 0 ports $LAN_IP 8080 $ROUTER_LAN_IP "$port"
		brings 0 tcp $LAN_IP 8080 $ROUTER_LAN_IP "$port"
		brings 0 answer ${LAN_IP%2}7 8080 $ROUTER_LAN_IP "$port" # from somebody else
		brings 0 answer $ROUTER_LAN_IP 8080 $ROUTER_LAN_IP "$port" # from the uplink itself
		brings 0 answer $ROUTER_LAN_IP "$port" $ROUTER_LAN_IP "$port"
		brings 0 answer "$peer" 61007 $ROUTER_LAN_IP "$port" # from the peer, there
		brings_by datagrams 0 answer $LAN_IP 8080 "$peer" 61007 # to the peer as it is
		brings_by datagrams 0 answer "$peer" 8080 "$peer" 61007
		brings 0 errors $LAN_IP 8080 $ROUTER_LAN_IP "$port"
		brings 1 error $LAN_IP 8080 $ROUTER_LAN_IP "$port"
		talk asks$family refused
	done
	counters_agree wt0
}

# Two peers talk by their ports on the uplink, so there are entries for answers from there.
test_what_claims_to_come_from_a_peers_mapped_port_is_refused() {
	local family
	nat_topology "$1"
	run_nat
	for family in 4 6; do
		mapped_peers $family punch
		is "the ports" 5000,5001 \
			"$(mapped_port udp 5000),$(mapped_port udp 5001)"
		brings 0 answer $ROUTER_LAN_IP 5001 $ROUTER_LAN_IP 5000
		brings 0 last-hop $ROUTER_LAN_IP 5001 $ROUTER_LAN_IP 5000
		brings 0 error $ROUTER_LAN_IP 5001 $ROUTER_LAN_IP 5000
		brings 0 router-error $ROUTER_LAN_IP 5001 $ROUTER_LAN_IP 5000
	done
	is "martians" 4 "$(status_of wt0 .counters.uplink.drop_reasons.martian_source.packets)"
	counters_agree wt0
}

test_who_is_behind_the_uplink_cannot_end_a_connection() {
	local family port
	nat_topology "$1"
	run_nat
	for family in 4 6; do
		use_family $family
		session held$family "$PEER" tcp $LAN_IP 8080 -p 61009
		talk held$family ok
		port=$(mapped_port tcp 61009)
		forge reset $LAN_IP 8080 $ROUTER_LAN_IP "$port"
		forge tcp $LAN_IP 8080 $ROUTER_LAN_IP "$port"
		talk held$family ok
		is "state" established "$(shrike conntrack list wt0 -p tcp --sport 61009 -j | jq -r '.[0].state')"
	done
	[ "$(status_of wt0 .counters.egress.tcp_out_of_window.packets)" -gt 0 ] ||
		die "nothing was out of the window"
	counters_agree wt0
}

# The same remote end, so the port is the same; what answers the first peer's question is late.
test_a_port_that_another_peer_gets_brings_nothing_of_the_one_before() {
	nat_topology "$1"
	cat >>"$T/nat.yaml" <<-EOF2
		nat: {port_range: 61007-61007}
		timeouts: {udp: 1s, udp_stream: 1s}
	EOF2
	run_nat
	use_family 4
	session first "$PEER" udp $LAN_IP 8080 -s 100.64.0.2
	talk first ok
	brings 1 answer $LAN_IP 8080 $ROUTER_LAN_IP 61007
	wait_for eval '[ "$(shrike conntrack count wt0)" = 0 ]'
	brings_by datagrams 0 answer $LAN_IP 8080 $ROUTER_LAN_IP 61007
	session second "$PEER" udp $LAN_IP 8080 -s 100.64.0.3
	talk second ok
	is "who has the port" 100.64.0.3 "$(shrike conntrack list wt0 -j | jq -r '.[0].src')"
	# to another port of the server the first one may have it at the same time
	serve other "$LAN" udp $LAN_IP 8081
	session third "$PEER" udp $LAN_IP 8081 -s 100.64.0.2
	talk third ok
	talk second ok
	counters_agree wt0
}
