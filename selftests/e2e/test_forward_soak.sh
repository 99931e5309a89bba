# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Many peers at once, and some that take all they can get.  SOAK=1 makes it ten minutes.

. "$SELFTESTS/lib/forward.sh"

alone "veth gso" \
	many_busy_peers_leave_others_served

GREEDY="100.64.2.1 100.64.2.2 100.64.2.3 100.64.2.4 100.64.2.5"
OTHER=100.64.0.3

# peers FIRST LAST: their addresses
peers() {
	seq -f "100.64.1.%.0f" "$1" "$2" | paste -sd' '
}

# busy NAME COMMAND ARGUMENT...: of tools/busy.py, for SECONDS_BUSY
busy() {
	start "$1" "$PEER" python3 "$SELFTESTS/tools/busy.py" "$2" "$SECONDS_BUSY" "${@:3}"
}

# begin_iperf N [OPTION...]: from the peer of that number to a server of its own
begin_iperf() {
	start server$1 "$LAN" iperf3 -s -1 -p $((5200 + $1))
	wait_for listens "$LAN" $((5200 + $1))
	start iperf$1 "$PEER" iperf3 -J -B "$(peers $1 $1)" -c $LAN_IP -p $((5200 + $1)) \
		-t "$SECONDS_BUSY" "${@:2}"
}

# begin_greedy: dials that nobody answers, and datagrams whose other half never comes
begin_greedy() {
	ip -n "$ROUTER" route add 10.88.0.0/16 via $LAN_IP
	ip -n "$LAN" route add blackhole 10.88.0.0/16
	# shellcheck disable=SC2086
	start dials "$PEER" python3 "$SELFTESTS/tools/greedy.py" dial 256 ${GREEDY% *}
	start halves "$PEER" python3 "$SELFTESTS/tools/greedy.py" halves ${GREEDY##* } $LAN_IP 8080
	wait_for grep -q ready "$T/dials.out"
	wait_for grep -q ready "$T/halves.out"
}

# begin_peers: twenty of them, and the one that is watched
begin_peers() {
	local i
	for i in 1 2 3 4; do
		# shellcheck disable=SC2046
		begin_iperf $i -b 50M $([ $((i % 2)) = 0 ] && echo -R)
	done
	begin_iperf 5 -u -b 20M -l 1200
	# shellcheck disable=SC2046
	busy queries queries 1000 $LAN_IP $(peers 6 10)
	for i in $(peers 11 15); do
		start "$i" "$PEER" ping -n -q -i 0.1 -w "$SECONDS_BUSY" -I "$i" $LAN_IP
	done
	# shellcheck disable=SC2046
	busy exchanges exchanges $LAN_IP 8080 $(peers 16 20)
	busy connects connects $LAN_IP 8080 $OTHER
	start reference "$ROUTER" python3 "$SELFTESTS/tools/busy.py" connects "$SECONDS_BUSY" $LAN_IP \
		8080 $ROUTER_LAN_IP
}

# figure NAME JQ-FILTER: of what it has printed
figure() {
	jq -r "$2" "$T/$1.out"
}

# at_most WHAT MOST ACTUAL
at_most() {
	[ "$3" -le "$2" ] || die "$1: $3, and $2 at most were expected"
	echo "$1: $3"
}

# all_end: by themselves, and well
all_end() {
	local name
	for name in connects reference exchanges queries iperf{1..5} $(peers 11 15); do
		await_end "$name" $((SECONDS_BUSY + 60))
		is "exit status of $name" 0 "$STATUS"
	done
}

report() {
	echo "connects: $(cat "$T/connects.out")"
	echo "connects of the host itself: $(cat "$T/reference.out")"
	echo "exchanges: $(cat "$T/exchanges.out")"
	echo "queries: $(cat "$T/queries.out")"
	echo "iperf3, Mbit/s: $(for i in 1 2 3 4 5; do
		figure iperf$i '.end | (.sum_received // .sum).bits_per_second / 1e6 | floor'
	done | paste -sd' ')"
	echo "datagrams of iperf3: $(figure iperf5 '.end.sum | "\(.lost_packets) of \(.packets) lost"')"
	echo "pings: $(grep -h loss "$T"/100.64.1.*.out | paste -sd';')"
	echo "per cent of the time that the forwarder waited for a processor: $WAITED"
	echo "packets lost by devices and sockets: $OTHERS"
	echo "forwarder: $(status_of wt0 '.forwarder | to_entries |
		map(select(.value != 0) | "\(.key) \(.value)") | join(", ")')"
}

peers_were_served() {
	local i
	for i in 1 2 3 4 5; do
		[ "$(figure iperf$i '.end | (.sum_received // .sum).bytes')" -gt 1000000 ] ||
			die "iperf3 of peer $i has moved nothing"
	done
	is "exchanges that failed" "[]" "$(figure exchanges '.failed | tostring')"
	at_most "per mille of queries without an answer" 10 \
		"$(figure queries '(.asked - .answered) * 1000 / .asked | ceil')"
	for i in $(peers 11 15); do
		at_most "per cent of pings lost, $i" 1 \
			"$(sed -n 's/.* \([0-9]*\)[.0-9]*% packet loss.*/\1/p' "$T/$i.out")"
	done
}

# is_starved: other processes of the machine had the processor while the forwarder wanted it, a third of
# the time; then nothing follows from who was served.  All of this alone comes to a sixth on two.
is_starved() {
	[ "$WAITED" -ge 33 ] && echo "not judged: the forwarder had no processor"
}

# All of this runs on the same processors: what holds up the host's own connects is not shrike.  A SYN
# that is lost comes again after a second; devices that are not served in time lose some.
other_was_served() {
	is "connects that failed" "[]" "$(figure connects '.failed | tostring')"
	at_most "ms that 99 of 100 connects took" $((100 + $(figure reference '.p99_ms | floor'))) \
		"$(figure connects '.p99_ms | ceil')"
	[ "$OTHERS" -gt 0 ] || is "connects that took a second SYN" 0 "$(figure connects .second_syn)"
}

test_many_busy_peers_leave_others_served() {
	local before i OTHERS WAITED
	SECONDS_BUSY=$(rounds 20 600)
	forwarding_topology "$1"
	use_family 4
	for i in $(peers 1 20) $GREEDY; do
		ip -n "$PEER" address add "$i/16" dev p0
	done
	serve_all "$LAN" 8080
	run_forwarder
	before=$(resident "$(forwarder pid)")
	OTHERS=$(lost_by_others)
	begin_greedy
	begin_peers
	all_end
	WAITED=$(($(waited_for_processor "$(forwarder pid)") / SECONDS_BUSY / 10000000))
	OTHERS=$(($(lost_by_others) - OTHERS))
	stop dials
	stop halves
	report
	counters_agree wt0
	is_starved || other_was_served
	is_starved || peers_were_served
	echo "kB of the forwarder: $before, then $(resident "$(forwarder pid)")"
	at_most "kB that the forwarder grew by" 32768 $(($(resident "$(forwarder pid)") - before))
	is "forwarders" 1 "$(forwarder starts)"
}
