# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Routes to domains while `run` follows NetBird's daemon: with its firewall the addresses come from
# nftables, without it from the answers of its DNS forwarder.  The daemon is tools/netbird.py, its
# forwarder dnsmasq on the same port, its firewall nft(8).

. "$SELFTESTS/lib/forward.sh"
. "$SELFTESTS/lib/netbird.sh"

tests "veth tun" \
	a_name_that_is_resolved_opens_its_address_until_it_expires \
	a_set_of_nftables_opens_what_is_in_it

tests "tun" \
	an_old_client_asks_the_port_that_is_translated \
	only_the_answers_of_this_host_open_anything \
	only_what_root_of_this_host_answers_opens_anything \
	addresses_of_domains_survive_a_map_a_daemon_and_a_restart \
	an_answer_of_many_addresses_comes_into_force_at_once \
	a_set_that_goes_with_its_table_cuts_nobody \
	a_full_set_cuts_nobody_and_status_says_so

alone "tun" \
	names_by_the_thousand_keep_no_revocation_waiting \
	thousands_of_domain_sets_are_filled_within_seconds

# domain_map SERIAL DOMAIN...: the daemon's map: peers may reach TCP port 8080 behind the domains
domain_map() {
	local serial=$1
	shift
	jq -n --arg serial "$serial" '{NetworkMap: {
		Serial: $serial,
		peerConfig: {address: "100.64.0.1/16", fqdn: "router.netbird.cloud",
			RoutingPeerDnsResolutionEnabled: true},
		remotePeers: [], FirewallRules: [], firewallRulesIsEmpty: true,
		Routes: [{ID: "dom", Network: "192.0.2.0/32", NetworkType: "3", Peer: "me", NetID: "dom",
			Domains: $ARGS.positional, Masquerade: false}],
		routesFirewallRules: [["0.0.0.0/0", "192.0.2.0/32"], ["::/0", "192.0.2.0/32"]] | map({
			sourceRanges: [.[0]], destination: .[1], action: "ACCEPT", protocol: "TCP",
			PortInfo: {port: 8080}, isDynamic: true, domains: $ARGS.positional,
			PolicyID: "ZG9tcG9saWN5", RouteID: "dom"})}}' \
		--args "$@" >"$T/netbird.json"
	mv "$T/netbird.json" "$T/map.json"
}

# set_of DOMAIN...: its name, as NetBird makes it
set_of() {
	echo "nb-$(printf '%s\n' "$@" | LC_ALL=C sort | tr -d '\n' | sha256sum | head -c 8)"
}

# start_daemon: and its socket is there
start_daemon() {
	start netbird "$ROUTER" /usr/bin/python3 "$SELFTESTS/tools/netbird.py" "$T/netbird.sock" "$T"
	wait_for grep -q ready "$T/netbird.out"
}

# another_map ARGUMENT...: as domain_map, and the daemon says so
another_map() {
	domain_map "$@"
	kill -USR1 "${PROCESS[netbird]}"
	wait_for has_serial "$1"
}

has_serial() {
	grep -q "map of serial $1 is in force" "$T/run-wt0.out"
}

# follow [OPTION...]: the daemon has a map with these domains, and run has it in force
follow() {
	topology "$LINK"
	kernel_forwards 1
	serve_all "$LAN" 8080
	domain_map 1 intranet.example.com '*.apps.example.com'
	start_daemon
	policy own </dev/null
	run_following 1 "$@"
}

# run_following SERIAL [OPTION...]: and the map of that serial is in force
run_following() {
	local serial=$1
	shift
	start run-wt0 "$ROUTER" "$SHRIKE" run wt0 -c "$T/own.yaml" \
		--netbird="$T/netbird.sock" "$@"
	until_protected wt0
	wait_for has_serial "$serial"
}

# forwarder OPTION...: the daemon's, with the names of these options of dnsmasq
forwarder() {
	start dns "$ROUTER" dnsmasq -k -C /dev/null --no-resolv --no-hosts --user= --pid-file= --port=22054 \
		--listen-address=100.64.0.1 --bind-interfaces --log-facility=- "$@"
	wait_for has_forwarder
}

has_forwarder() {
	in_ns "$ROUTER" ss -Hnul 'sport = 22054' | grep -q .
}

# resolve NAME TYPE [OPTION...]: from the peer; OUT holds the addresses
resolve() {
	local name=$1 type=$2
	shift 2
	OUT=$(in_ns "$PEER" dig +short +tries=1 +time=5 -p 22054 @100.64.0.1 "$@" "$name" "$type")
}

# content SET: the addresses of a set in force
content() {
	shrike policy show wt0 -j | jq -r ".sets.\"$1\" // [] | join(\" \")"
}

content_is() {
	[ "$(content "$1")" = "$2" ]
}

test_a_name_that_is_resolved_opens_its_address_until_it_expires() {
	local set
	LINK=$1 follow --netbird-hold 0
	forwarder --host-record=intranet.example.com,192.168.77.2,fd77::2,2 \
		--host-record=mail.apps.example.com,192.168.77.2,60 \
		--host-record=www.example.com,192.168.77.2,60
	set=$(set_of intranet.example.com '*.apps.example.com')
	probe timeout "$PEER" tcp 192.168.77.2 8080
	resolve www.example.com A
	is "address" 192.168.77.2 "$OUT"
	resolve intranet.example.com A
	is "address" 192.168.77.2 "$OUT"
	# a SYN that comes before the policy does is sent again after a second
	probe ok "$PEER" tcp 192.168.77.2 8080
	is "content" 192.168.77.2 "$(content "$set")"
	probe timeout "$PEER" tcp fd77::2 8080
	resolve intranet.example.com AAAA
	probe ok "$PEER" tcp fd77::2 8080
	# as long as a connection uses it, and no longer
	resolve intranet.example.com A
	session used "$PEER" tcp 192.168.77.2 8080
	wait_for content_is "$set" 192.168.77.2
	talk used ok
	probe timeout "$PEER" tcp fd77::2 8080
	stop used
	resolve mail.apps.example.com A
	probe ok "$PEER" tcp 192.168.77.2 8080
}

test_an_old_client_asks_the_port_that_is_translated() {
	LINK=$1 follow
	forwarder --host-record=intranet.example.com,192.168.77.2,60
	OUT=$(in_ns "$PEER" dig +short +tries=1 +time=5 -p 5353 @100.64.0.1 intranet.example.com A)
	is "address" 192.168.77.2 "$OUT"
	probe ok "$PEER" tcp 192.168.77.2 8080
}

test_only_the_answers_of_this_host_open_anything() {
	LINK=$1 follow
	forwarder --host-record=intranet.example.com,192.168.77.2,60
	# one that is routed: of a server in the LAN on the same port
	start other-dns "$LAN" dnsmasq -k -C /dev/null --no-resolv --no-hosts --user= --pid-file= --port=22054 \
		--host-record=intranet.example.com,192.168.77.2,60
	policy own <<-EOF
		route_acl: [{id: dns, action: allow, source: [any], destination: [192.168.77.2],
		  protocol: udp, destination_ports: [22054]}]
	EOF
	kill -HUP "${PROCESS[run-wt0]}"
	wait_for rule_is_in_force wt0 dns
	wait_for answers_in_lan
	# and one over TCP, which is this host's
	probe timeout "$PEER" tcp 192.168.77.2 8080
	resolve intranet.example.com A +tcp
	probe ok "$PEER" tcp 192.168.77.2 8080
}

answers_in_lan() {
	[ "$(in_ns "$PEER" dig +short +tries=1 +time=1 -p 22054 @192.168.77.2 \
		intranet.example.com A)" = 192.168.77.2 ]
}

# answers NETNS UID FROM PORT NAME ADDRESS [MORE...]: to the peer, see tools/dns_answers.py
answers() {
	local ns=$1 uid=$2
	shift 2
	in_ns "$ns" setpriv --reuid "$uid" --regid "$uid" --clear-groups /usr/bin/python3 - \
		"$1" "$2" 100.64.0.2 "${@:3}" <"$SELFTESTS/tools/dns_answers.py"
}

test_only_what_root_of_this_host_answers_opens_anything() {
	local set
	LINK=$1 follow
	set=$(set_of intranet.example.com '*.apps.example.com')
	answers "$ROUTER" 12345 100.64.0.1 5353 intranet.example.com 192.168.77.3
	answers "$ROUTER" 12345 100.64.0.1 22054 intranet.example.com 192.168.77.4
	# the port is the forwarder's on its own address alone, and a packet may say another than its socket
	forwarder --host-record=intranet.example.com,192.168.77.2,60
	answers "$ROUTER" 12345 127.0.0.1=100.64.0.1 22054 intranet.example.com 192.168.77.5
	# what is forwarded may leave with this host's address
	in_ns "$ROUTER" nft "add table ip nat
		add chain ip nat post { type nat hook postrouting priority 100; }
		add rule ip nat post ip saddr 192.168.77.0/24 oifname wt0 masquerade"
	answers "$LAN" 0 192.168.77.2 22054 intranet.example.com 192.168.77.6
	answers "$LAN" 0 192.168.77.2 5353 intranet.example.com 192.168.77.7
	# translated answers have this port, and nobody else's count
	answers "$ROUTER" 0 100.64.0.1 5353 intranet.example.com 192.168.77.8
	# they are read in their order, so those were read before this one
	resolve intranet.example.com A
	wait_for content_is "$set" 192.168.77.2
	probe ok "$PEER" tcp 192.168.77.2 8080
}

test_addresses_of_domains_survive_a_map_a_daemon_and_a_restart() {
	LINK=$1 follow --netbird-interval 1
	forwarder --host-record=intranet.example.com,192.168.77.2,60
	resolve intranet.example.com A
	session open "$PEER" tcp 192.168.77.2 8080
	# another domain beside this one makes another set, which has what is known of both
	another_map 2 intranet.example.com '*.apps.example.com' new.example.com
	talk open ok
	is "content" 192.168.77.2 \
		"$(content "$(set_of intranet.example.com '*.apps.example.com' new.example.com)")"
	# a domain that is gone takes its addresses along
	another_map 3 new.example.com
	talk open timeout
	probe timeout "$PEER" tcp 192.168.77.2 8080
	another_map 4 intranet.example.com
	resolve intranet.example.com A
	probe ok "$PEER" tcp 192.168.77.2 8080
	stop netbird
	probe ok "$PEER" tcp 192.168.77.2 8080
	start_daemon
	wait_for grep -q "SubscribeEvents" "$T/netbird.out"
	probe ok "$PEER" tcp 192.168.77.2 8080
	# a run that takes over has the addresses of the one before, though nobody resolves
	stop run-wt0 KILL
	run_following 4
	probe ok "$PEER" tcp 192.168.77.2 8080
}

test_a_set_of_nftables_opens_what_is_in_it() {
	local set
	LINK=$1 follow
	set=$(set_of intranet.example.com '*.apps.example.com')
	in_ns "$ROUTER" nft "add table ip netbird; add table ip6 netbird
		add set ip netbird $set { type ipv4_addr; flags interval; }
		add set ip6 netbird $set { type ipv6_addr; flags interval; }
		add element ip netbird $set { 192.168.77.2 }
		add element ip6 netbird $set { fd77::2 }"
	wait_for content_is "$set" "192.168.77.2 fd77::2"
	probe ok "$PEER" tcp 192.168.77.2 8080
	session gone "$PEER" tcp fd77::2 8080
	in_ns "$ROUTER" nft "delete element ip6 netbird $set { fd77::2 }"
	wait_for content_is "$set" 192.168.77.2
	talk gone timeout
	in_ns "$ROUTER" nft flush set ip netbird "$set"
	wait_for content_is "$set" ""
	probe timeout "$PEER" tcp 192.168.77.2 8080
	# answers do not open what NetBird has not put there
	forwarder --host-record=intranet.example.com,192.168.77.2,60
	resolve intranet.example.com A
	probe timeout "$PEER" tcp 192.168.77.2 8080
}

test_a_set_that_goes_with_its_table_cuts_nobody() {
	local set
	LINK=$1 follow
	set=$(set_of intranet.example.com '*.apps.example.com')
	in_ns "$ROUTER" nft "add table ip netbird
		add set ip netbird $set { type ipv4_addr; flags interval; }
		add element ip netbird $set { 192.168.77.2 }"
	wait_for content_is "$set" 192.168.77.2
	session open "$PEER" tcp 192.168.77.2 8080
	in_ns "$ROUTER" nft "delete table ip netbird"
	in_ns "$ROUTER" nft "add table ip netbird
		add set ip netbird $set { type ipv4_addr; flags interval; }
		add element ip netbird $set { 192.168.77.9 }"
	wait_for content_is "$set" "192.168.77.2 192.168.77.9"
	talk open ok
}

test_a_full_set_cuts_nobody_and_status_says_so() {
	local set many
	LINK=$1 follow
	set=$(set_of intranet.example.com '*.apps.example.com')
	many=$(printf '10.0.%d.1,' {1..200}; printf '10.1.%d.1,' {1..200}; printf '10.2.%d.1,' {1..200}
		printf '10.3.%d.1,' {1..200}; printf '10.4.%d.1,' {1..200}; printf '10.5.%d.1,' {1..200})
	in_ns "$ROUTER" nft "add table ip netbird
		add set ip netbird $set { type ipv4_addr; flags interval; }
		add element ip netbird $set { ${many}192.168.77.2 }"
	wait_for holds "$set" 1201
	session open "$PEER" tcp 192.168.77.2 8080
	is "full sets" 0 "$(netbird .full_sets)"
	# as the daemon is started again
	in_ns "$ROUTER" nft "delete table ip netbird"
	wait_for holds "$set" 1024
	talk open ok
	is "full sets" 1 "$(netbird .full_sets)"
	expect 0 shrike status wt0
	matches "status" "; domain set $set is full" "$OUT"
	# nor does it cut anybody that others resolve names
	answers "$ROUTER" 0 100.64.0.1 22054 'h%d.apps.example.com' 10.9.0.1 1000 0 1
	wait_for has_address "$set" 10.9.0.1
	talk open ok
	is "size" 1024 "$(content "$set" | wc -w)"
}

# holds SET N: addresses
holds() {
	[ "$(content "$1" | wc -w)" = "$2" ]
}

# has_address SET ADDRESS
has_address() {
	[[ " $(content "$1") " == *" $2 "* ]]
}

test_an_answer_of_many_addresses_comes_into_force_at_once() {
	local set before
	LINK=$1 follow
	set=$(set_of intranet.example.com '*.apps.example.com')
	before=$(status_of wt0 .generation)
	answers "$ROUTER" 0 100.64.0.1 22054 intranet.example.com 10.9.0.1 1 0 64
	wait_for holds "$set" 64
	# the child reports it in several messages, of which the first may come alone
	[ $(($(status_of wt0 .generation) - before)) -le 3 ] || die "it took too many generations"
}

# waited: for a processor, by all that a map takes, ms
waited() {
	echo $((($(waited_for_processor "${PROCESS[run-wt0]}") + $(waited_for_processor "$(follower)") +
		$(waited_for_processor "${PROCESS[netbird]}")) / 1000000))
}

test_names_by_the_thousand_keep_no_revocation_waiting() {
	local set changed last ms waits
	LINK=$1 follow --netbird-interval 1
	set=$(set_of intranet.example.com '*.apps.example.com')
	domain_map 2 intranet.example.com '*.apps.example.com'
	jq --argjson rule "$(in_rule 100.64.0.2 icmp)" '.NetworkMap.FirewallRules = [$rule]
		| .NetworkMap.firewallRulesIsEmpty = false' "$T/map.json" >"$T/pings.json"
	mv "$T/pings.json" "$T/map.json"
	kill -USR1 "${PROCESS[netbird]}"
	wait_for has_serial 2
	start names "$ROUTER" /usr/bin/python3 "$SELFTESTS/tools/dns_answers.py" 100.64.0.1 22054 100.64.0.2 \
		'h%d.apps.example.com' 10.0.0.1 1000000 1000
	wait_for holds "$set" 1024
	start pings "$PEER" ping -n -D -i 0.01 100.64.0.1
	wait_for grep -q "icmp_seq=50" "$T/pings.out"
	domain_map 3 intranet.example.com '*.apps.example.com'
	waits=$(waited)
	changed=$(date +%s%N)
	kill -USR1 "${PROCESS[netbird]}"
	wait_for has_serial 3
	waits=$(($(waited) - waits))
	stop pings INT
	stop names
	last=$(sed -n 's/^\[\([0-9]*\)\.\([0-9]*\)\].*icmp_seq.*/\1\2000/p' "$T/pings.out" | tail -n 1)
	ms=$(((last - changed) / 1000000))
	echo "from the event to the last answer: $ms ms, $waits without a processor"
	[ $((ms - waits)) -le $((1500 * ${SLOWNESS:-1})) ] ||
		die "the last answer came $ms ms after the event, $waits without a processor"
}

test_thousands_of_domain_sets_are_filled_within_seconds() {
	local n=2500 begun waited pid ms
	LINK=$1 follow
	forwarder --host-record=name1000.example.com,192.168.77.2,60
	jq --argjson n $n '.NetworkMap |= (.Serial = "2"
		| .routesFirewallRules = [.routesFirewallRules[0] as $rule | range($n) as $i
			| $rule | .domains = ["name\($i).example.com"]])' "$T/map.json" >"$T/large.json"
	mv "$T/large.json" "$T/map.json"
	kill -USR1 "${PROCESS[netbird]}"
	wait_for has_serial 2
	in_ns "$ROUTER" python3 - >"$T/sets" <<-EOF
		import hashlib
		print("add table ip netbird")
		for i in range($n):
		    name = "nb-" + hashlib.sha256(b"name%d.example.com" % i).hexdigest()[:8]
		    print("add set ip netbird %s { type ipv4_addr; flags interval; }" % name)
		    print("add element ip netbird %s { 10.9.%d.%d }" % (name, i // 250, i % 250))
	EOF
	in_ns "$ROUTER" nft -f "$T/sets"
	wait_for content_is "$(set_of name$((n - 1)).example.com)" 10.9.9.249
	pid=${PROCESS[run-wt0]}
	wait_for rests "$pid" # the changes before this one are in force
	begun=$(date +%s%N)
	waited=$(waited_for_processor "$pid")
	in_ns "$ROUTER" nft add element ip netbird "$(set_of name7.example.com)" '{ 192.168.77.2 }'
	wait_for reaches_lan
	waited=$(($(waited_for_processor "$pid") - waited))
	ms=$((($(date +%s%N) - begun - waited) / 1000000))
	echo "a change took $ms ms, and $((waited / 1000000)) ms without a processor"
	[ $ms -lt $((2000 * ${SLOWNESS:-1})) ] || die "a change takes $ms ms"
}

# rests PID: it waits for events
rests() {
	[ "$(cut -d' ' -f3 "/proc/$1/stat")" = S ]
}

reaches_lan() {
	[ "$(in_ns "$PEER" "$TOOLS/peer" ask tcp 192.168.77.2 8080 -t 100)" = ok ]
}
