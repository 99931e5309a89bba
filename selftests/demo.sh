#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows what shrike does, with real packets: a lab of network namespaces in which the command is
# attached to wt0, first a veth device, then a TUN device, under native and userspace routing.
#
#	selftests/demo.sh		(make demo)
#
# Every line says what was tried and what happened.  The first thing that is not as announced ends
# the demo with exit status 1.  Like the tests it runs in mount and process namespaces of its own,
# with its own bpffs, and leaves nothing behind.

set -u

SELFTESTS=$(cd "$(dirname "$0")" && pwd)
TREE=$(dirname "$SELFTESTS")
SHRIKE=$(realpath -m "${SHRIKE:-$TREE/shrike}")

complain() {
	echo "demo: $*" >&2
	exit 1
}

if [ -z "${DEMO_INSIDE:-}" ]; then
	[ "$(id -u)" = 0 ] || complain "must be root, to make network namespaces"
	[ -x "$SHRIKE" ] || complain "$SHRIKE does not exist: run make first"
	work=$(mktemp -d /tmp/shrike-demo.XXXXXX) || exit 1
	trap 'rmdir "$work"' EXIT
	DEMO_INSIDE=$work setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child \
		--mount-proc "$0"
	exit
fi

. "$SELFTESTS/lib/tools.sh"
. "$SELFTESTS/lib/test.sh"

WORK=$DEMO_INSIDE
T=$WORK/files
ID=demo
SHRIKE_BPFFS=/sys/fs/bpf # of this mount namespace alone, so that paths look as they always do

. "$SELFTESTS/lib/topology.sh"
. "$SELFTESTS/lib/shrike.sh"

bold='' plain=''
[ -t 1 ] && [ -z "${NO_COLOR:-}" ] && bold=$'\e[1m' plain=$'\e[0m'
number=0
seen=() # ids of the programs that have been attached

# die WHY: to be seen even where the library's words are not
die() {
	echo "FAILED: $*" >&2
	exit 1
}

# step TEXT: the next part of the demo
step() {
	number=$((number + 1))
	printf '\n%s%d. %s%s\n\n' "$bold" $number "$*" "$plain"
}

tell() {
	echo "   $*"
}

# is_quiet WHAT EXPECTED ACTUAL
is_quiet() {
	quietly is "$@"
}

# quietly COMMAND...: of the test library, which says more than a reader wants
quietly() {
	"$@" >/dev/null
}

indent() {
	sed 's/^/   | /'
}

# typed COMMAND...: shows a command of the user's and what it prints: at most LINES_MAX lines, and
# files without the demo's directory
typed() {
	local status lines=${LINES_MAX:-100}
	printf '   # %s\n' "${*//"$T/"/}"
	"$@" >"$T/typed" 2>&1
	status=$?
	head -n "$lines" "$T/typed" | sed "s|$T/||" | indent
	[ "$(wc -l <"$T/typed")" -le "$lines" ] || echo ... | indent
	[ $status -eq 0 ] || die "$*: exit status $status"
}

# must_show WHAT REGEX: in what typed() has printed
must_show() {
	grep -Eq -- "$2" "$T/typed" || die "there is no $1 in the output above"
}

# passes PROTOCOL NETNS ADDR PORT WHY [OPTION...]: an exchange there and back, or ping; PORT - for it
passes() {
	exchange passes ok "$@"
}

# drops PROTOCOL NETNS ADDR PORT REASON [OPTION...]: and the counter of the reason rises
drops() {
	local before
	before=$(dropped wt0 "$5")
	exchange dropped timeout "$@"
	[ "$(dropped wt0 "$5")" -gt "$before" ] || die "the packet was not counted under $5"
}

exchange() {
	local verb=$1 wanted=$2 protocol=$3 ns=$4 addr=$5 port=$6 why=$7 patience=5000 got=ok
	shift 7
	[ "$verb" = dropped ] && patience=500
	if [ "$protocol" = ping ]; then
		in_ns "$ns" ping -n -c 1 -W "${patience%00}e-1" "$addr" >"$T/ping" 2>&1 || got=timeout
	else
		got=$(in_ns "$ns" "$TOOLS/peer" ask "$protocol" "$addr" "$port" "$@" -t $patience)
	fi
	[ "$port" = - ] || addr="$addr port $port"
	[ "${1:-}" != -s ] || why="$why, as it comes from $2"
	printf '   %-8s %-5s %-6s to %-27s %s\n' "$verb" "$protocol" "${ns#"$ID"-}" "$addr" "$why"
	[ "$got" = "$wanted" ] || die "expected '$wanted', got '$got'"
}

picture() {
	cat <<-'END'
		   peer                         router                              lan
		   100.64.0.2, fd64::2 ──────── wt0   100.64.0.1, fd64::1
		   100.64.0.3                   lan0  192.168.77.1, fd77::1 ─────── 192.168.77.2, fd77::2

	END
}

# lab LINK: the namespaces, and servers on the ports the policies talk about
lab() {
	local ns
	quietly topology "$1"
	kernel_forwards 1
	for ns in "$ROUTER" "$LAN"; do
		quietly serve_all "$ns" 8080
		quietly serve_all "$ns" 9090
	done
	quietly serve_all "$PEER" 7070
}

end_lab() {
	local name ns
	for name in "${!PROCESS[@]}"; do
		quietly stop "$name"
	done
	for ns in "${NAMESPACES[@]}"; do
		ip netns del "$ns"
	done
	NAMESPACES=()
	rm -f "$T"/*.out "$T"/*.err "$T"/*.log
}

write_policies() {
	policy first <<-'END'
		peer_acl:                                       # to this host
		  - id: web
		    action: allow
		    source: [100.64.0.0/16, "fd64::/64"]
		    protocol: tcp
		    destination_ports: [8080]
		  - id: ping
		    action: allow
		    source: [any]
		    protocol: icmp
		  - id: not-dot-three
		    action: deny
		    source: [100.64.0.3]
		    protocol: all
		route_acl:                                      # through this host
		  - id: lan-web
		    action: allow
		    source: [100.64.0.0/16, "fd64::/64"]
		    destination: [set:lan]
		    protocol: tcp
		    destination_ports: [8080]
		  - id: lan-udp
		    action: allow
		    source: [any]
		    destination: [192.168.77.2, "fd77::2"]
		    protocol: udp
		    destination_ports: [8080]
		sets:
		  lan: [192.168.77.0/24, "fd77::/64"]
	END
	sed '/id: lan-web/,/destination_ports/d' "$T/first.yaml" >"$T/second.yaml"
	sed 's/^version: 1/&\nmode: {routing: userspace}/' "$T/first.yaml" >"$T/userspace.yaml"
}

# attach_to_wt0 POLICY ROUTING: `shrike run` in the background; the routing that comes of it
attach_to_wt0() {
	echo "   # shrike run wt0 -c $1.yaml &"
	quietly run_shrike wt0 "$1"
	wait_for grep -q "in force" "$T/run-wt0.out"
	indent <"$T/run-wt0.out"
	tell "Programs on wt0: $(programs wt0 | awk '{ print $3 " at " $1 }' | paste -sd, | sed 's/,/, /g')"
	is_quiet "routing" "$2" "$(routing wt0)"
	mapfile -t -O "${#seen[@]}" seen < <(program_ids)
}

traffic_to_this_host() {
	passes tcp "$PEER" 100.64.0.1 8080 "rule web"
	passes tcp "$PEER" fd64::1 8080 "rule web"
	passes ping "$PEER" 100.64.0.1 - "rule ping"
	passes ping "$PEER" fd64::1 - "rule ping"
	drops tcp "$PEER" 100.64.0.1 9090 peer_acl_default
	drops udp "$PEER" fd64::1 8080 peer_acl_default
	drops tcp "$PEER" 100.64.0.1 8080 peer_acl_denied -s 100.64.0.3
}

traffic_of_this_host() {
	passes tcp "$ROUTER" 100.64.0.2 7070 "no rule needed"
	passes udp "$ROUTER" fd64::2 7070 "no rule needed"
	passes ping "$ROUTER" 100.64.0.2 - "no rule needed"
}

routed_traffic() {
	passes tcp "$PEER" 192.168.77.2 8080 "rule lan-web"
	passes tcp "$PEER" fd77::2 8080 "rule lan-web"
	passes udp "$PEER" 192.168.77.2 8080 "rule lan-udp"
	is_routed
	passes tcp "$LAN" 100.64.0.2 7070 "no rule needed: it comes from inside"
	drops tcp "$PEER" 192.168.77.2 9090 route_acl_default
	drops ping "$PEER" fd77::2 - route_acl_default
}

# The LAN's server has noted with which TTL the datagram came.
is_routed() {
	local line
	line=$(tail -n 1 "$T/lan-8080-udp4.log")
	tell "         it arrived with $line"
	[[ $line == ttl=63\ * ]] || die "a routed datagram has a TTL of 63"
}

look_around() {
	local pin
	pin=$(pins)/wt0
	quietly session live "$PEER" tcp 192.168.77.2 8080
	quietly talk live ok
	typed shrike conntrack list wt0 -p tcp --state established
	must_show "connection of the rule lan-web" "dport=8080 .*rule=lan-web"
	echo
	typed shrike policy show wt0
	must_show "rule" "lan-web"
	is_hit web
	is_hit lan-web
	is_hit not-dot-three
	echo
	typed shrike status wt0
	echo
	typed ls -C -T 0 -w 90 "$pin"
	must_show "connection table" "ct_tcp4_v2"
	echo
	LINES_MAX=30 typed bpftool map dump pinned "$pin/ct_tcp4_v2"
	must_show "field named last_seen_ns" last_seen_ns
}

# is_hit RULE: it has counted packets
is_hit() {
	local packets
	packets=$(shrike policy show wt0 -j | jq --arg id "$1" \
		'[.. | objects | select(.id? == $id) | .hits.packets // 0] | add')
	[ "${packets:-0}" -gt 0 ] || die "rule $1 has no hits"
}

change_the_policy() {
	quietly session kept "$PEER" tcp 100.64.0.1 8080
	quietly talk kept ok
	typed shrike policy apply wt0 "$T/second.yaml"
	quietly talk kept ok
	tell "works    the connection under rule web, which the new policy has as well"
	quietly talk live timeout
	tell "is cut   the connection under rule lan-web, which it no longer has"
	quietly stop kept
	quietly stop live
	rm -f "$T"/kept.* "$T"/live.*
}

# balance: the packets seen are those that passed, were forwarded, or were dropped for a reason
balance() {
	quietly counters_agree wt0
	status_of wt0 '.counters.ingress | "   Arrived: \(.seen.packets) packets = " +
		"\(.pass.packets) passed + \(.forward.packets) forwarded + \(.drop.packets) dropped (" +
		([.drop_reasons | to_entries[] | "\(.value.packets) \(.key)"] | join(" + ")) + ")"'
}

leave() {
	quietly stop run-wt0
	[ "$STATUS" = 0 ] || die "run ended with status $STATUS"
	is_bare wt0 || die "still attached: $(programs wt0)"
	[ ! -e "$(pins)/wt0" ] || die "pins are left"
	tell "SIGTERM: run has left, and neither a program on wt0 nor a pin is there any more."
}

userspace_routing() {
	attach_to_wt0 userspace userspace
	echo
	kernel_forwards 0
	wait_for grep -q "the forwarder is ready" "$T/run-wt0.out"
	tell "The kernel does not forward now.  Allowed packets go to a process of shrike's, which opens"
	tell "the connections itself; if it should die, they drop, and never slip through the kernel:"
	passes tcp "$PEER" 192.168.77.2 8080 "rule lan-web, forwarded"
	passes tcp "$PEER" fd77::2 8080 "rule lan-web, forwarded" -n 1000000
	passes udp "$PEER" fd77::2 8080 "rule lan-udp, forwarded"
	drops tcp "$PEER" 192.168.77.2 9090 route_acl_default
	typed shrike status wt0
	must_show "forwarder" "forwarder: pid"
	tell "Traffic to this host is as before:"
	passes tcp "$PEER" 100.64.0.1 8080 "rule web"
	balance
	leave
}

on_veth() {
	step "A lab: wt0 is a veth device (Ethernet) for now"
	picture
	lab veth
	step "A policy; what it does not allow is dropped"
	write_policies
	indent <"$T/first.yaml"
	echo
	typed shrike policy check "$T/first.yaml"
	step "shrike takes its place on wt0"
	attach_to_wt0 first native
	step "From the peer to this host: peer_acl"
	traffic_to_this_host
	step "From this host to the peer: connection tracking lets the answers in"
	traffic_of_this_host
	step "From the peer through this host: route_acl, then the kernel's router"
	routed_traffic
	step "What there is to see"
	look_around
	step "Another policy, without the rule lan-web, under live connections"
	change_the_policy
	step "Each packet has one verdict; then shrike leaves"
	balance
	leave
	step "Userspace routing"
	userspace_routing
	end_lab
}

on_tun() {
	step "The same with a TUN device: no link header, as a real WireGuard wt0"
	lab tun
	attach_to_wt0 first native
	echo
	traffic_to_this_host
	traffic_of_this_host
	routed_traffic
	balance
	leave
	echo
	userspace_routing
	end_lab
}

nothing_is_left() {
	(quietly wait_for is_gone "${seen[@]}") || exit
	is_quiet "namespaces" "" "$(ip netns list)"
	is_quiet "pins" "" "$(find "$SHRIKE_BPFFS" -mindepth 1 ! -type d ! -name '*.debug')"
	tell "No namespace, no program, no pin is left."
}

trap clean_up EXIT
trap 'exit 1' INT TERM HUP
mount -t tmpfs shrike-demo "$WORK" && mkdir -p /run/netns && mount -t tmpfs shrike-netns /run/netns &&
	mkdir "$T" && mount -t bpf bpf "$SHRIKE_BPFFS" || complain "cannot mount"
build_tools
on_veth
on_tun
step "Cleaned up"
nothing_is_left
