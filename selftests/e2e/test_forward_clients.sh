# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The userspace forwarder with the clients and servers that people use, and what happens to a
# connection when its entry or its forwarder goes.  SOAK=1 makes the
# connections 5,000.

. "$SELFTESTS/lib/forward.sh"

tests "veth tun gso veth-9000" \
	iperf3_reaches_its_server_both_ways \
	bursts_of_datagrams_stay_what_they_were
tests "veth tun" \
	real_clients_reach_real_servers \
	http2_carries_a_file \
	idle_connections_cost_the_forwarder_little \
	an_answer_opens_nothing_after_its_entry_was_flushed
tests "veth-nat tun-nat gso-nat" \
	iperf3_reaches_its_server_both_ways \
	real_clients_reach_real_servers \
	http2_carries_a_file
alone "veth" \
	an_idle_forwarder_lets_the_processor_sleep

test_an_answer_opens_nothing_after_its_entry_was_flushed() {
	local family
	forwarding_topology "$1"
	run_forwarder
	for family in 4 6; do
		use_family $family
		late_server late$family
		start ask$family "$PEER" "$TOOLS/peer" ask udp $LAN_IP 5000 -t 10000
		wait_for grep -q asked "$T/late$family.out"
		is "connections" 1 "$(connections wt0)"
		expect 0 shrike conntrack flush wt0
		: >"$T/late$family.go"
		await_end ask$family
		is "the answer" ok "$(cat "$T/ask$family.out")"
		is "connections" 0 "$(connections wt0)"
	done
	counters_agree wt0
}

# late_server NAME: answers one datagram to port 5000 of $LAN_IP once the pipe $T/NAME.go is closed
late_server() {
	mkfifo "$T/$1.go"
	start "$1" "$LAN" python3 -c "
import socket
server = socket.socket(socket.AF_INET6 if ':' in '$LAN_IP' else socket.AF_INET, socket.SOCK_DGRAM)
server.bind(('$LAN_IP', 5000))
print('ready', flush=True)
data, peer = server.recvfrom(2000)
print('asked', flush=True)
open('$T/$1.go').read()
server.sendto(data, peer)"
	wait_for grep -q ready "$T/$1.out"
}

# needs COMMAND...: or the test cannot be made
needs() {
	local command
	for command; do
		command -v "$command" >/dev/null || skip "there is no $command"
	done
}

# url_of ADDR: as it stands in a URL
url_of() {
	[[ $1 == *:* ]] && echo "[$1]" || echo "$1"
}

test_real_clients_reach_real_servers() {
	local family before
	needs nc dig ping
	forwarding_topology "$1"
	before=$(host_settings)
	run_forwarder
	is "the kernel forwards" 0 "$(in_ns "$ROUTER" sysctl -n net.ipv4.ip_forward)"
	head -c 3000000 /dev/urandom >"$T/file"
	start dns "$LAN" python3 "$SELFTESTS/tools/dns.py" 192.168.77.2 fd77::2
	wait_for grep -q ready "$T/dns.out"
	for family in 4 6; do
		use_family $family
		# the answer to query number N is 10.0.0.0 + N
		expect 0 in_ns "$PEER" dig +noedns +short +tries=1 +time=5 "@$LAN_IP" name1.test A
		matches "dig" "^10\.[0-9]+\.[0-9]+\.[0-9]+$" "$OUT"
		expect 0 in_ns "$PEER" ping -n -c 20 -i 0.01 -W 5 $LAN_IP
		matches "ping" "20 received, 0% packet loss" "$OUT"
		start nc$family "$LAN" nc -N -l $LAN_IP 4000
		wait_for listens "$LAN" 4000
		nsenter --net="/run/netns/$PEER" -- nc -N -w 20 $LAN_IP 4000 <"$T/file" ||
			die "nc failed"
		await_end nc$family
		cmp "$T/file" "$T/nc$family.out" || die "what nc received is not what was sent"
		expect 1 in_ns "$PEER" nc -z -w 5 $LAN_IP 4001 # refused
		expect 1 in_ns "$PEER" timeout 5 nc -z -w 1 $LAN_IP 6666 # filtered
	done
	is "settings of the host" "$before" "$(host_settings)"
	counters_agree wt0
}

test_iperf3_reaches_its_server_both_ways() {
	local family way
	needs iperf3
	forwarding_topology "$1"
	run_forwarder
	start iperf "$LAN" iperf3 -s
	wait_for listens "$LAN" 5201
	for family in 4 6; do
		use_family $family
		for way in "" -R; do
			# shellcheck disable=SC2086
			expect 0 in_ns "$PEER" timeout 60 iperf3 -J -c $LAN_IP -n 20M -P 4 $way
			bytes_arrived $([ -n "$way" ] && echo received || echo sent)
		done
		datagrams_are_lost_by_others_alone
	done
	counters_agree wt0
}

# bytes_arrived END: the client has had 20 MB at that end, and something has come on each stream.  A
# client that sends ends when it has sent, and its server with it, whatever is still on its way; that
# nothing of a stream is lost is for streams_arrive_whole_both_ways_and_half_closed.
bytes_arrived() {
	is "bytes have been $1, and came on each stream" "true true" "$(jq -r "
		\"\(.end.sum_$1.bytes >= 20971520) \(.end.streams | all(.receiver.bytes > 0))\"" <<<"$OUT")"
}

# A server that is not at its socket in time loses datagrams, and so does a device that is not
# served; what has lost them counts them, and nothing of that is shrike.
datagrams_are_lost_by_others_alone() {
	local shrike lost others
	shrike=$(lost_by_shrike) others=$(lost_by_others)
	expect 0 in_ns "$PEER" timeout 60 iperf3 -J -u -b 20M -l 1200 -n 2M -c $LAN_IP
	lost=$(jq .end.sum.lost_packets <<<"$OUT") others=$(($(lost_by_others) - others))
	is "lost by shrike" "$shrike" "$(lost_by_shrike)"
	echo "$lost of $(jq .end.sum.packets <<<"$OUT") datagrams were lost, $others by others"
	[ "$lost" -le "$others" ] || die "$lost datagrams were lost, but only $others by others"
}

test_http2_carries_a_file() {
	local family
	needs nghttpd curl
	forwarding_topology "$1"
	run_forwarder
	mkdir "$T/web"
	head -c 8000000 /dev/urandom >"$T/web/file"
	for family in 4 6; do
		use_family $family
		start web$family "$LAN" nghttpd --no-tls -a $LAN_IP -d "$T/web" 8443
		wait_for listens "$LAN" 8443
		expect 0 in_ns "$PEER" curl -sS -g -m 30 --http2-prior-knowledge -o "$T/got" \
			-w '%{http_version} %{num_connects}' "http://$(url_of $LAN_IP):8443/file"
		is "version and connections" "2 1" "$OUT"
		cmp "$T/web/file" "$T/got" || die "the file is not what was sent"
		stop web$family
	done
	rm -r "$T/web"
	counters_agree wt0
}

# Datagrams are put together and divided again on their way; none may change its size or its place.
test_bursts_of_datagrams_stay_what_they_were() {
	local family before
	forwarding_topology "$1"
	run_forwarder
	for family in 4 6; do
		use_family $family
		start burst$family "$LAN" python3 "$SELFTESTS/tools/burst.py" serve $LAN_IP 5000
		wait_for grep -q ready "$T/burst$family.out"
		before=$(forwarder tx_packets)
		burst $(printf '1200 %.0s' {1..40}) 700
		burst 1000 1000 400 1000 1200 1200 2 2 2 1300
		is "sent failed" 0 "$(forwarder tx_failed)"
		# from Linux 6.12 on the kernel divides what leaves
		! is_linux 6.12 ||
			[ $(($(forwarder tx_packets) - before)) -lt 50 ] ||
			die "$(($(forwarder tx_packets) - before)) packets were sent one by one"
	done
	# larger than the MTU behind the forwarder: divided by nobody, and sent in fragments
	use_family 4
	ip -n "$ROUTER" link set lan0 mtu 1280
	burst 1270 1270 1270 1270
	counters_agree wt0
}

# burst SIZE...: all come back as they were, in their order, whether the sender's kernel divides them
# or the sender
burst() {
	local how
	for how in ask whole; do
		expect 0 in_ns "$PEER" timeout 30 \
			python3 "$SELFTESTS/tools/burst.py" $how $LAN_IP 5000 "$@"
		is "datagrams" "$# of $#" "$OUT"
	done
}

# All of them are open at once, each has had its exchange, and the forwarder's own memory stays small.
test_idle_connections_cost_the_forwarder_little() {
	local count=500 each=4 before
	[ -n "${SOAK:-}" ] && count=5000
	is_sanitized && each=32 # with what surrounds each allocation
	forwarding_topology "$1"
	run_forwarder
	start dial "$LAN" "$TOOLS/dial" serve 192.168.77.2 7000
	wait_for grep -q ready "$T/dial.out"
	before=$(own_memory "$(forwarder pid)")
	mkfifo "$T/hold.in"
	exec {HOLD}<>"$T/hold.in"
	nsenter --net="/run/netns/$PEER" -- "$TOOLS/dial" hold 192.168.77.2 7000 $count \
		<"$T/hold.in" >"$T/hold.out" 2>"$T/hold.err" &
	PROCESS[hold]=$!
	wait_for -t 60 grep -q open "$T/hold.out"
	is "connections" $count "$(forwarder tcp_connections)"
	[ $(($(own_memory "$(forwarder pid)") - before)) -le $((each * count)) ] ||
		die "the forwarder grew from $before kB to $(own_memory "$(forwarder pid)") kB"
	stop hold
	wait_for -t 20 forwarder_is_idle
	counters_agree wt0
}

forwarder_is_idle() {
	[ "$(forwarder tcp_connections)" = 0 ]
}

# own_memory PID: kB
own_memory() {
	sed -n 's/^RssAnon:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/$1/status"
}

# switches PID...: how often these processes have gone to sleep
switches() {
	local pid
	for pid; do
		cat "/proc/$pid/status"
	done | awk '/^voluntary_ctxt/ { n += $2 } END { print n }'
}

# sleeps_well PID...: in five seconds they wake five times, and once more at their edge.  What else
# the machine does can make them wait for locks, so that this has to become true.
sleeps_well() {
	local before after
	before=$(switches "$@")
	read -rt 5 <> <(:)
	after=$(switches "$@")
	echo "$((after - before)) in 5 s" >>"$T/woken"
	[ $((after - before)) -le 6 ]
}

# Open connections need no attention either.
test_an_idle_forwarder_lets_the_processor_sleep() {
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	run_forwarder
	use_family 4
	session idle "$PEER" tcp $LAN_IP 8080
	session idle6 "$PEER" tcp fd77::2 8080
	wait_for -t 60 sleeps_well "${PROCESS[run-wt0]}" "$(forwarder pid)"
	cat "$T/woken"
	talk idle ok
	talk idle6 ok
}
