# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What the tests of `routing: nat` share.

. "$SELFTESTS/lib/forward.sh"

# nat_topology LINK[-MTU]: with the policy "nat", and echo servers in the LAN
nat_topology() {
	forwarding_topology "$1"
	sed "s/routing: userspace/routing: nat/" "$T/forward.yaml" >"$T/nat.yaml"
	serve_all "$LAN" 8080
}

# run_nat: `shrike run` with the policy "nat", until all of it is there
run_nat() {
	run_shrike wt0 nat "$@"
	wait_for forwarder_runs
	is "routing" nat "$(routing wt0)"
}

# is_tracked PORT: a connection from or to it
is_tracked() {
	shrike conntrack list wt0 | grep -q "$1"
}

# is_told_mtu MTU ADDR: a peer who pings with more
is_told_mtu() {
	in_ns "$PEER" ping -n -c 1 -W 1 -M do -s 1350 "$2" 2>&1 | grep -Eq "mtu ?= ?$1"
}

# mtu_is MTU: of wt0, as run knows it
mtu_is() {
	[ "$(forwarder mtu)" = "$1" ]
}

# mapped_peers FAMILY WHAT: two peers learn their mapped ports from a server, and do what mapped.py says
mapped_peers() {
	use_family "$1"
	start "mapped$1" "$LAN" python3 "$SELFTESTS/tools/mapped.py" serve 3478 "$LAN_IP"
	wait_for grep -q ready "$T/mapped$1.out"
	expect 0 in_ns "$PEER" python3 "$SELFTESTS/tools/mapped.py" "$2" 3478 "$LAN_IP" \
		"${PEER_IP%2}2" "${PEER_IP%2}3"
}
