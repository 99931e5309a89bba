# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What people see at a terminal of 80 columns and 24 lines.

. "$SELFTESTS/lib/nat.sh"

tests veth \
	what_a_terminal_shows_fits \
	events_and_packets_fit_as_they_come \
	json_is_not_broken_on_a_terminal \
	counts_have_units_on_request \
	flags_of_connections_are_shown_at_a_terminal

terminal_policy() {
	policy "$1" <<-EOF
		mode: {routing: userspace}
		names: {laptop-of-somebody: [100.64.0.2, "fd64::2"]}
		sets: {corp: [172.20.0.0/16, "2001:db8:20::/48", 172.22.0.0/16, 172.24.0.0/16]}
		peer_acl:
		  - id: nb/a-policy-of-a-long-name/in/tcp/8000-8999
		    action: allow
		    source: [100.64.0.0/16, 100.65.40.0/24, laptop-of-somebody, "2001:db8:1:2::/64"]
		    protocol: tcp
		    source_ports: [1024-65535]
		    destination_ports: [22, 8000-8999]
		  - {id: ping, action: allow, source: [any], protocol: icmp, icmp_types: [echo-request, 13/0]}
		route_acl:
		  - {id: web, action: ${2:-allow}, source: [100.64.0.0/10], destination: [192.168.0.0/16, "set:corp"],
		     protocol: tcp, description: "what everybody may have from the networks behind this host"}
	EOF
}

# show ARG...: what the command shows on a terminal of 80 columns, into $T/shown
show() {
	local command
	command=$(printf '%q ' "$SHRIKE" "$@")
	in_ns "$ROUTER" script -qec "stty cols 80 rows 24; $command" /dev/null | tr -d '\r' >"$T/shown"
}

# Lines that are too long or end with blanks; colours take no room.
misfits() {
	sed $'s/\e\\[[0-9;]*m//g' "$T/shown" | grep -nE '^.{81}| $'
}

test_what_a_terminal_shows_fits() {
	local command
	topology "$1"
	serve_all "$ROUTER" 8001
	serve_all "$LAN" 8002
	terminal_policy wide
	terminal_policy other deny
	run_shrike wt0 wide
	probe ok "$PEER" tcp 100.64.0.1 8001
	probe ok "$PEER" tcp fd64::1 8001
	probe ok "$PEER" tcp 192.168.77.2 8002
	pings ok "$PEER" 100.64.0.1
	probe timeout "$PEER" udp 100.64.0.1 8001
	while read -r command; do
		show $command
		[ -s "$T/shown" ] || die "$command: shows nothing"
		! misfits || die "$command: does not fit"
	done <<-EOF
		status wt0
		status wt0 -h
		status wt0 --check
		doctor wt0
		policy show wt0
		policy show wt0 -h --numeric
		policy show wt0 --names
		policy unused wt0
		policy history wt0
		policy reach wt0
		policy check $T/wide.yaml
		policy diff wt0 $T/other.yaml
		conntrack list wt0
		conntrack list wt0 -h --numeric
		stats wt0 -n 1 --interval 0.1
		stats wt0 -n 1 --interval 0.1 -h
		trace in 100.64.0.2 self --dport 8001
		version
	EOF
	show policy show wt0
	matches "titles" "^ACL +ACTION +ID .* PACKETS +LAST HIT" "$(grep ^ACL "$T/shown")"
	show conntrack list wt0
	matches "titles" "^PROTO +STATE +LEFT +BY +SOURCE +DESTINATION " "$(head -n 1 "$T/shown")"
	expect 0 shrike conntrack list wt0
	matches "lines for scripts" "^(tcp|icmp) +[a-z_0-9]+ +[0-9]+ +src=laptop-of-somebody dst=" "$OUT"
	is "blanks at ends for scripts" "" "$(shrike policy show wt0 | grep ' $')"
}

# shows NAME ARG...: in the background, on a terminal of 80 columns, into $T/NAME.out
shows() {
	local name=$1
	shift
	start "$name" "$ROUTER" script -qfec "stty cols 80 rows 24; exec $(printf '%q ' "$SHRIKE" "$@")" /dev/null
}

test_events_and_packets_fit_as_they_come() {
	local name
	topology "$1"
	serve_all "$ROUTER" 8001
	terminal_policy wide
	run_shrike wt0 wide
	shows events monitor wt0 -n 4
	shows packets trace live wt0 -v -n 3
	wait_for eval 'probe ok "$PEER" tcp fd64::1 8001 >/dev/null &&
		grep -q end "$T/events.out" && grep -q length "$T/packets.out"'
	for name in events packets; do
		await_end $name
		tr -d '\r' <"$T/$name.out" >"$T/shown"
		grep -q '^    ' "$T/shown" || die "$name: nothing had to be broken"
		! misfits || die "$name: does not fit"
	done
}

test_json_is_not_broken_on_a_terminal() {
	local command
	topology "$1"
	terminal_policy wide
	run_shrike wt0 wide
	for command in "status wt0" "policy show wt0" "doctor wt0" "policy check $T/wide.yaml"; do
		show $command -j
		is "lines of $command" 1 "$(wc -l <"$T/shown")"
		jq -e . "$T/shown" >/dev/null || die "$command: no JSON"
	done
}

test_counts_have_units_on_request() {
	topology "$1"
	terminal_policy wide
	run_shrike wt0 wide
	pings ok "$PEER" 100.64.0.1 -c 3 -i 0.1 -s 1000
	expect 0 shrike conntrack list wt0 -h -p icmp
	matches "a connection" "packets=3 bytes=3.0Ki src=.* packets=3 bytes=3.0Ki" "$OUT"
	expect 0 shrike conntrack list wt0 -p icmp
	matches "without units" "packets=3 bytes=3084 src=.* packets=3 bytes=3084" "$OUT"
	expect 0 shrike policy show wt0 -h
	expect 0 shrike policy show wt0 --human
	# what scripts get of numbers stays numbers
	expect 0 shrike conntrack list wt0 -h -j
	jq -e . "$T/expect.out" >/dev/null || die "no JSON"
	expect 2 shrike conntrack count wt0 -h
}

test_flags_of_connections_are_shown_at_a_terminal() {
	topology "$1"
	serve_all "$LAN" 8002
	terminal_policy wide
	run_shrike wt0 wide
	probe ok "$PEER" tcp 192.168.77.2 8002
	show conntrack list wt0 -p tcp
	matches "flags" "FLAGS.*forward" "$(tr '\n' ' ' <"$T/shown")"
}
