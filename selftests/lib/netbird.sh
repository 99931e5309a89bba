# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# NetBird's daemon as tools/netbird.py plays it, and `shrike run` that follows it.

# in_rule ADDRESS PROTOCOL [PORT]: of FirewallRules; the policy is called after protocol and port
in_rule() {
	jq -nc --arg peer "$1" --arg protocol "${2^^}" --arg port "${3:-}" \
		'{PeerIP: $peer, Direction: "IN", Action: "ACCEPT", Protocol: $protocol, Port: $port,
		  PolicyID: ("p" + ($protocol | ascii_downcase) + $port | @base64)}'
}

# route_rule SOURCE DESTINATION PROTOCOL: of routesFirewallRules
route_rule() {
	jq -nc --arg source "$1" --arg destination "$2" --arg protocol "${3^^}" \
		'{sourceRanges: [$source], action: "ACCEPT", destination: $destination,
		  protocol: $protocol, PolicyID: ("r" | @base64)}'
}

# network_map SERIAL [IN-RULE...] [-- ROUTE-RULE...]: becomes the daemon's
network_map() {
	local serial=$1 in=() route=()
	shift
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		in+=("$1")
		shift
	done
	shift
	route=("$@")
	jq -n --arg serial "$serial" \
		--argjson in "[$(IFS=,; echo "${in[*]}")]" \
		--argjson route "[$(IFS=,; echo "${route[*]}")]" \
		'{NetworkMap: {Serial: $serial,
		  peerConfig: {address: "100.64.0.1/16", fqdn: "router.netbird.cloud"},
		  remotePeers: [{allowedIps: ["100.64.0.2/32", "fd64::2/128"],
				 fqdn: "laptop-anna.netbird.cloud"}],
		  FirewallRules: $in, firewallRulesIsEmpty: ($in | length == 0),
		  routesFirewallRules: $route, routesFirewallRulesIsEmpty: ($route | length == 0)
		}}' >"$T/map.new"
	mv "$T/map.new" "$T/map.json"
}

# run_daemon [COMMAND...]: which runs it
run_daemon() {
	at_end "sed -n 's/.*bundle //p' '$T/daemon.out' | sed 'p; s/$/.real/' | xargs rm -f"
	start daemon "$ROUTER" "$@" /usr/bin/python3 "$SELFTESTS/tools/netbird.py" "$T/nb.sock" "$T"
	wait_for grep -q ready "$T/daemon.out"
}

# daemon_is JSON: how it behaves from now on
daemon_is() {
	echo "$1" >"$T/daemon.new"
	mv "$T/daemon.new" "$T/daemon.json"
}

# map_changes: the daemon says so
map_changes() {
	kill -USR1 "${PROCESS[daemon]}"
}

# run_following POLICY [OPTION...]: `shrike run` in the background as process run-wt0
run_following() {
	local policy=$1
	shift
	start run-wt0 "$ROUTER" "$SHRIKE" run wt0 -c "$T/$policy.yaml" "--netbird=$T/nb.sock" \
		--netbird-interval 1 "$@"
	until_protected wt0
}

# netbird FIELD: what status says of following
netbird() {
	status_of wt0 ".netbird | $1"
}

# follows SERIAL: the map of that serial is in force, and nothing keeps the next one away
follows() {
	[ "$(netbird '"\(.serial) \(.stale)"')" = "$1 false" ]
}

# is_stale REGEX: no newer map is in force, because
is_stale() {
	[[ $(netbird .why) =~ $1 ]]
}

# fetches: how many bundles the daemon was asked for
fetches() {
	grep -c DebugBundle "$T/daemon.out"
}

fetches_are() {
	[ "$(fetches)" = "$1" ]
}

# follower: the process that listens to the daemon
follower() {
	pgrep -P "${PROCESS[run-wt0]}" shrike-netbird
}

# prepare LINK: a policy that lets pings in, a daemon that lets TCP to port 8001 in, and both run
prepare() {
	topology "$1"
	serve_all "$ROUTER" 8001
	serve_all "$ROUTER" 8002
	policy base <<-EOF2
		mode: {routing: native}
		peer_acl:
		  - {id: own-ping, action: allow, source: [any], protocol: icmp}
	EOF2
	network_map 7 "$(in_rule 100.64.0.2 tcp 8001)"
	run_daemon
	run_following base
	wait_for follows 7
}

# may_open N: files that `run` may open beside those that it has
may_open() {
	local open=("/proc/${PROCESS[run-wt0]}/fd/"*)
	prlimit --pid "${PROCESS[run-wt0]}" --nofile="$((${#open[@]} + $1)):"
}
