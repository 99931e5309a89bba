# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What the tests of the forwarder share, and those of routing by NAT.

ROUTING=userspace

# forward_policy NAME [RULE]: everything through the router is allowed, but TCP to port 6666, and
# what RULE denies
forward_policy() {
	policy "$1" <<-EOF
		mode: {routing: $ROUTING}
		route_acl:
		  - {id: not-this, action: deny, source: [any], destination: [any], protocol: tcp,
		     destination_ports: [6666${2:+, $2}]}
		  - {id: lan, action: allow, source: [100.64.0.0/16, "fd64::/64"], destination: [any],
		     protocol: all}
	EOF
}

# forwarding_topology LINK[-MTU|-nat]: with the policy "forward", which routes in userspace or by NAT
forwarding_topology() {
	if [[ $1 == *-nat ]]; then
		ROUTING=nat
		set -- "${1%-nat}"
	fi
	topology "${1%-*}" "$([[ $1 == *-* ]] && echo "${1#*-}")"
	[[ $1 == *-* ]] && ip -n "$ROUTER" link set lan0 mtu "${1#*-}" &&
		ip -n "$LAN" link set eth0 mtu "${1#*-}"
	forward_policy forward
}

# dial_black_hole: 10.88.0.0/16 answers nothing; four peers begin to open 256 connections there each
dial_black_hole() {
	local i greedy=()
	ip -n "$ROUTER" route add 10.88.0.0/16 via 192.168.77.2
	ip -n "$LAN" route add blackhole 10.88.0.0/16
	for i in 10 11 12 13; do
		ip -n "$PEER" address add 100.64.0.$i/16 dev p0
		greedy+=(100.64.0.$i)
	done
	start dials "$PEER" python3 "$SELFTESTS/tools/greedy.py" dial 256 "${greedy[@]}"
	wait_for grep -q ready "$T/dials.out"
}

# run_forwarder: `shrike run` with the policy "forward", until it forwards
run_forwarder() {
	run_shrike wt0 forward
	wait_for forwarder_runs
	is "routing" $ROUTING "$(routing wt0)"
}

# forwarder FIELD: what status says of it
forwarder() {
	status_of wt0 ".forwarder.$1"
}

forwarder_runs() {
	[ "$(forwarder "pid // 0")" -gt 0 ]
}

# starts_are N: forwarders that became ready
starts_are() {
	[ "$(forwarder starts)" = "$1" ]
}

# begin_replacement: the present forwarder is about to be brought to its end
begin_replacement() {
	BEGAN=$(date +%s%N)
	WAITED=$(waited_for_processor "${PROCESS[run-wt0]}")
}

# is_ready N: run has said so N times
is_ready() {
	[ "$(grep -c "forwarder is ready" "$T/run-wt0.out")" = "$1" ]
}

# replaced_within MS N: since begin_replacement, by the Nth forwarder.  The time is that of run's
# line, and what run and that forwarder have waited for a processor is not theirs.
replaced_within() {
	local ms waited
	wait_for is_ready "$2"
	waited=$(($(waited_for_processor "${PROCESS[run-wt0]}") - WAITED +
		$(waited_for_processor "$(forwarder pid)")))
	ms=$((($(date -r "$T/run-wt0.out" +%s%N) - BEGAN - waited) / 1000000))
	echo "another forwarder after $ms ms, and $((waited / 1000000)) ms without a processor"
	[ "$ms" -lt $(($1 * ${SLOWNESS:-1})) ] || die "another forwarder only after $ms ms"
	is "forwarders" "$2" "$(forwarder starts)"
}

# waited_for_processor PID: ns
waited_for_processor() {
	cut -d' ' -f2 "/proc/$1/schedstat"
}

# lost_by_shrike: all losses that the forwarder names
lost_by_shrike() {
	status_of wt0 '[.forwarder | .tx_full, .tx_failed, .udp_overflow, (to_entries[] | select(.key |
		IN("rx_packets", "rx_divided", "rx_relayed", "rx_joined", "rx_before") | not) |
		select(.key | startswith("rx_")).value)] | add'
}

# lost_by_others: datagrams that found no room in their socket at the LAN, and packets in a device
lost_by_others() {
	{
		# RcvbufErrors
		in_ns "$LAN" awk '$1 == "Udp:" && $6 ~ /^[0-9]+$/ { print $6 }' /proc/net/snmp
		in_ns "$LAN" awk '$1 == "Udp6RcvbufErrors" { print $2 }' /proc/net/snmp6
		for device in "$PEER p0" "$ROUTER wt0" "$ROUTER lan0" "$LAN eth0"; do
			ip -n "${device% *}" -s -j link show dev "${device#* }" |
				jq '.[0].stats64 | .rx.dropped, .tx.dropped'
		done
	} | awk '{ n += $1 } END { print n }'
}

# listens NETNS PORT: somebody does, by TCP
listens() {
	[ -n "$(in_ns "$1" ss -Hltn "sport = $2")" ]
}

# resident PID: kB
resident() {
	sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/$1/status"
}

# connections_are N: TCP connections that the forwarder has
connections_are() {
	[ "$(forwarder tcp_connections)" = "$1" ]
}

# host_settings: what the forwarder must leave alone; asking for BBR may load its module, which
# lengthens the list of what there is; its own device comes and goes with it
host_settings() {
	in_ns "$ROUTER" sysctl net.ipv4 net.ipv6 2>/dev/null |
		grep -Ev 'nf_|_count|(available|allowed)_congestion|tcp_mem|udp_mem|file|\.(wt0|shrike[0-9]+)\.|gc_|fib_|entries|dst_'
	ip -n "$ROUTER" rule
	ip -n "$ROUTER" -6 rule
	ip -n "$ROUTER" route show table all | grep -v "dev shrike[0-9]"
	ip -n "$ROUTER" -br link | cut -d' ' -f1 | grep -v "^shrike[0-9]"
}

# transfer_server NETNS ADDR PORT
transfer_server() {
	local name=transfer-$2-$3
	start "$name" "$1" python3 "$SELFTESTS/tools/transfer.py" serve "$2" "$3"
	wait_for grep -q ready "$T/$name.out"
}

# transfers COMMAND ADDR PORT NUMBER...: from the peer; every byte must be right
transfers() {
	expect 0 in_ns "$PEER" timeout $(($(rounds 60 900) * ${SLOWNESS:-1})) \
		python3 "$SELFTESTS/tools/transfer.py" "$@"
	echo "$OUT"
}

# begin_transfer NAME COMMAND ADDR PORT NUMBER...: which waits for end_transfer
begin_transfer() {
	local name=$1 in
	shift
	mkfifo "$T/$name.in"
	exec {in}<>"$T/$name.in"
	SESSION_IN[$name]=$in
	nsenter --net="/run/netns/$PEER" -- python3 "$SELFTESTS/tools/transfer.py" "$@" \
		<"$T/$name.in" >"$T/$name.out" 2>"$T/$name.err" &
	PROCESS[$name]=$!
}

# end_transfer NAME: it may go on, and must end well
end_transfer() {
	echo >&"${SESSION_IN[$1]}"
	wait_for -t 60 not kill -0 "${PROCESS[$1]}"
	await_end "$1"
	is "transfer $1" 0 "$STATUS"
	cat "$T/$1.out"
}
