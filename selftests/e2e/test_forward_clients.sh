# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The userspace forwarder with the clients and servers that people use, and what happens to a
# connection when its entry or its forwarder goes.  SOAK=1 makes the transfers a gigabyte and the
# connections 5,000.

. "$SELFTESTS/forward.sh"

tests "veth tun" \
	an_answer_opens_nothing_after_its_entry_was_flushed

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

# late_server NAME: answers one datagram to port 5000 of $LAN_IP once $T/NAME.go is there
late_server() {
	start "$1" "$LAN" python3 -c "
import os, socket, time
server = socket.socket(socket.AF_INET6 if ':' in '$LAN_IP' else socket.AF_INET, socket.SOCK_DGRAM)
server.bind(('$LAN_IP', 5000))
print('ready', flush=True)
data, peer = server.recvfrom(2000)
print('asked', flush=True)
while not os.path.exists('$T/$1.go'):
    time.sleep(0.01)
server.sendto(data, peer)"
	wait_for grep -q ready "$T/$1.out"
}
