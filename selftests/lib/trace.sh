# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What the tests of traces share: a policy, and live traces in the background.

trace_policy() {
	policy trace <<-EOF
		mode: {routing: ${1:-auto}}
		peer_acl:
		  - {id: ssh, action: allow, source: [100.64.0.0/16, "fd64::/64"], protocol: tcp,
		     destination_ports: [22, 8001]}
		  - {id: ping, action: allow, source: [any], protocol: icmp}
		  - {id: never, action: deny, source: [100.64.0.0/16], protocol: tcp, destination_ports: [23]}
		route_acl:
		  - {id: web, action: allow, source: [100.64.0.0/10, "fd64::/64"], destination: [any],
		     protocol: tcp, destination_ports: [80]}
	EOF
}

# mac NETNS DEVICE
mac() {
	ip -n "$1" -j link show dev "$2" | jq -r '.[0].address'
}

# know_each_other: on Ethernet, so that neither end asks for the other's address meanwhile
know_each_other() {
	ip -n "$ROUTER" neighbour replace 100.64.0.2 dev wt0 lladdr "$(mac "$PEER" p0)" \
		nud permanent
	ip -n "$PEER" neighbour replace 100.64.0.1 dev p0 lladdr "$(mac "$ROUTER" wt0)" \
		nud permanent
}

# fields JQ-EXPRESSION: of what trace has just printed as JSON
fields() {
	jq -r "$1" <<<"$OUT"
}

# maps_in_force NAME: ids of those that the programs on wt0 use
maps_in_force() {
	local maps id
	maps=$(bpftool -j map list |
		jq --arg name "$1" '[.[] | select(.name == $name) | .id]')
	programs wt0 | while read -r _ id _; do
		bpftool -j prog show id "$id" |
			jq --argjson maps "$maps" '.map_ids - (.map_ids - $maps) | .[]'
	done | sort -u
}

# tracing: non-empty while a live trace is in force
tracing() {
	local id
	for id in $(maps_in_force trace_filter_v1); do
		bpftool -j map dump id "$id" | jq '.[] | select(.formatted.value.active == 1) | "on"'
	done
}

is_tracing() {
	[ -n "$(tracing)" ]
}

# live ARGUMENT...: a live trace in the background, process live, once it is in force
live() {
	start live "$ROUTER" "$SHRIKE" trace live -i wt0 "$@"
	wait_for is_tracing
}

# traced N JQ-CONDITION: so many records of the live trace fulfil it
traced() {
	[ "$(jq -s "[.[] | select($2)] | length" "$T/live.out")" = "$1" ]
}

# has_tshark: as on every machine; the guests of the kernel tests are too small for it
has_tshark() {
	command -v tshark >/dev/null && return
	[ "${SLOWNESS:-1}" -gt 1 ] || die "tshark is not installed"
	return 1
}
