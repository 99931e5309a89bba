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
