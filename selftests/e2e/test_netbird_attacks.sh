# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What must not keep a rule in force that NetBird has revoked: a peer, a host or a moment.

. "$SELFTESTS/lib/netbird.sh"

tests "veth" \
	a_map_that_does_not_come_into_force_is_tried_again \
	an_older_map_comes_with_the_reload \
	an_older_map_comes_when_a_unit_reloads \
	a_damaged_bundle_is_fetched_again \
	a_daemon_that_says_goodbye_is_left \
	a_serial_that_is_no_number_is_refused \
	peers_cannot_spoil_the_map \
	a_host_of_many_networks_is_followed

# revokes SERIAL: the map lets nobody reach port 8001 any more, but port 8002
revokes() {
	network_map "$1" "$(in_rule 100.64.0.2 tcp 8002)"
}

# is_revoked SERIAL: that map is in force
is_revoked() {
	wait_for follows "$1"
	probe timeout "$PEER" tcp 100.64.0.1 8001
	probe ok "$PEER" tcp 100.64.0.1 8002
}

# edits PROGRAM: the daemon's map becomes what jq makes of it
edits() {
	jq "$1" "$T/map.json" >"$T/map.new"
	mv "$T/map.new" "$T/map.json"
}

test_a_map_that_does_not_come_into_force_is_tried_again() {
	prepare "$1"
	may_open 8
	revokes 8
	map_changes
	wait_for is_stale "Too many open files"
	probe ok "$PEER" tcp 100.64.0.1 8001
	# the daemon says nothing of it again
	may_open 1000
	is_revoked 8
	is "why" null "$(netbird .why)"
}

test_an_older_map_comes_with_the_reload() {
	prepare "$1"
	revokes 6
	map_changes
	wait_for is_stale "serial 6, which is older"
	probe ok "$PEER" tcp 100.64.0.1 8001
	kill -HUP "${PROCESS[run-wt0]}"
	is_revoked 6
}

test_an_older_map_comes_when_a_unit_reloads() {
	prepare "$1"
	revokes 6
	map_changes
	wait_for is_stale "serial 6, which is older"
	# which is what ExecReload= says
	grep -q "^ExecReload=.*/shrike policy apply %i " "$TREE/dist/shrike-netbird@.service" ||
		die "the unit reloads otherwise"
	expect 0 shrike policy apply wt0 "$T/base.yaml"
	is_revoked 6
}

test_a_damaged_bundle_is_fetched_again() {
	prepare "$1"
	daemon_is '{"fault": "truncated"}'
	revokes 8
	map_changes
	wait_for is_stale "no zip archive"
	daemon_is '{}'
	is_revoked 8
}

test_a_daemon_that_says_goodbye_is_left() {
	prepare "$1"
	kill -HUP "${PROCESS[daemon]}"
	wait_for is_stale "it has ended the connection|refused|No such file"
	revokes 8
	mv "$T/daemon.out" "$T/daemon.before"
	start next-daemon "$ROUTER" /usr/bin/python3 "$SELFTESTS/tools/netbird.py" "$T/nb.sock" "$T"
	is_revoked 8
}

test_a_serial_that_is_no_number_is_refused() {
	local serial
	prepare "$1"
	for serial in '"-1"' '"99999999999999999999999"' '"1e9"' '"12x"' '""' -3 '{}'; do
		revokes 8
		edits ".NetworkMap.Serial = $serial"
		map_changes
		wait_for is_stale "Serial is no number"
		network_map 7 "$(in_rule 100.64.0.2 tcp 8001)"
		map_changes
		wait_for follows 7
	done
	revokes 8
	map_changes
	is_revoked 8
}

test_peers_cannot_spoil_the_map() {
	prepare "$1"
	revokes 8
	# a fqdn may be anything, and a peer says itself what its agentVersion is
	edits '.NetworkMap.remotePeers += [("any.x", "self", "", ".", "..", "a..b", "-x.y", "a" * 300,
		"b" * 64 + ".x", "ünï.x", "x\u0001y.z", "x\ny: {}", "10", "10.0.0.0/8", "set:foo",
		"true", "null", "~", "0x10", "\"}],\"x\":{", "netbird", "none.x", "LAPTOP-Bert.x",
		"laptop-anna\u0000.x") as $name | {wgPubKey: $name, fqdn: $name,
		agentVersion: "\u0000\u001b", allowedIps: ["100.64.0.9/32"]}]'
	map_changes
	is_revoked 8
	policy base <<-EOF2
		mode: {routing: native}
		peer_acl:
		  - {id: by-name, action: allow, source: [laptop-anna], protocol: tcp, destination_ports: [8003]}
	EOF2
	kill -HUP "${PROCESS[run-wt0]}"
	wait_for rule_is_in_force wt0 by-name
	is "addresses of the name" '["100.64.0.2","fd64::2"]' \
		"$(shrike policy show -j wt0 | jq -c '.. | objects | select(.id? == "by-name") | .source')"
	# what packs well
	network_map 9 "$(in_rule 100.64.0.2 tcp 8001)"
	edits '.NetworkMap.remotePeers += [{wgPubKey: "k", agentVersion: ("a" * 4000000)}]'
	map_changes
	wait_for follows 9
	probe ok "$PEER" tcp 100.64.0.1 8001
}

test_a_host_of_many_networks_is_followed() {
	local i
	prepare "$1"
	for ((i = 0; i < 300; i++)); do
		echo "address add 10.$((i / 250)).$((i % 250)).1/24 dev lo"
	done | ip -n "$ROUTER" -batch -
	revokes 8
	map_changes
	is_revoked 8
	# but where all of them are to be blocked, none must be left out
	daemon_is '{"config": {"20": true}}'
	network_map 9 "$(in_rule 100.64.0.2 tcp 8001)"
	map_changes
	wait_for is_stale "more than 256 networks, too many for NetBird's --block-lan-access"
	is "serial" 8 "$(netbird .serial)"
}
