# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Names of addresses: in rules, in filters, and where addresses are shown.

tests "veth tun" \
	names_stand_for_addresses_and_are_shown
test_names_stand_for_addresses_and_are_shown() {
	local family
	topology "$1"
	serve_all "$ROUTER" 8001
	policy named <<-EOF
		names:
		  anna: [100.64.0.2, "fd64::2"]
		  router: [100.64.0.1, "fd64::1"]
		sets: {corp: []}
		peer_acl:
		  - {id: web, action: allow, source: [anna], protocol: tcp, destination_ports: [8001]}
		tests:
		  - {from: anna, to: self, protocol: tcp, dport: 8001, expect: allowed, rule: web}
		  - {from: anna, to: router, protocol: tcp, dport: 22, expect: denied}
	EOF
	run_shrike wt0 named
	for family in 4 6; do
		use_family $family
		session in$family "$PEER" tcp $ROUTER_IP 8001
		talk in$family ok
		expect 0 shrike conntrack list wt0 --src anna -$family
		matches "the connection" "^tcp  established .* src=anna dst=router .* rule=web" "$OUT"
		expect 0 shrike conntrack list wt0 --src anna -$family --numeric
		matches "its addresses" " src=$PEER_IP dst=$ROUTER_IP " "$OUT"
		expect 0 shrike conntrack list wt0 --dst router -$family -j
		is "JSON" "$PEER_IP anna $ROUTER_IP router" \
			"$(jq -r '.[] | "\(.src) \(.src_name) \(.dst) \(.dst_name)"' <<<"$OUT")"
	done
	is "of either family" 2 "$(shrike conntrack count wt0 --src anna)"
	is "of the other end" 0 "$(shrike conntrack count wt0 --src router)"
	expect 2 shrike conntrack count wt0 --src bert
	is_one_error_line "$ERR" "^shrike: address: 'bert' is neither an address nor a name"
	expect 2 shrike monitor wt0 --src bert
	is_one_error_line "$ERR"
	expect 2 shrike trace live -i wt0 --host bert
	is_one_error_line "$ERR"

	expect 0 shrike trace in anna self -p tcp --dport 8001 --sport 50000 -i wt0
	matches "a trace" "Packet trace anna:50000 -> router:8001 \(TCP\)" "$OUT"
	expect 0 shrike trace in anna fd64::1 -p tcp --dport 8001 --sport 50000 -i wt0 --numeric
	matches "of the other end's family" "Packet trace \[fd64::2\]:50000 -> \[fd64::1\]:8001" "$OUT"
	expect 0 shrike trace in anna router -p tcp --dport 8001 -i wt0 -j
	is "JSON" "100.64.0.2 anna 100.64.0.1 router web" \
		"$(jq -r '"\(.packet.src) \(.packet.src_name) \(.packet.dst) \(.packet.dst_name) \(.rule)"' \
			<<<"$OUT")"
	expect 2 shrike trace in bert self -i wt0
	is_one_error_line "$ERR" "^shrike: source: 'bert' is neither"
	expect 2 shrike trace in 100.64.0.300 self -i wt0
	is_one_error_line "$ERR" "^shrike: source: '100.64.0.300' is no"

	expect 0 shrike policy show wt0
	matches "the rules" " web  *anna  *local " "$OUT"
	expect 0 shrike policy show wt0 --names
	is "the names" "anna 100.64.0.2 fd64::2
router 100.64.0.1 fd64::1" "$OUT"
	expect 0 shrike policy show wt0 -j
	is "names in JSON" '{"100.64.0.2":"anna","fd64::2":"anna"}' \
		"$(jq -c '.peer_acl[0].source_names' <<<"$OUT")"
	# a set that changes leaves them as they are
	expect 0 shrike policy set wt0 corp add 10.0.0.0/8
	is "names" 2 "$(shrike policy show wt0 --names | wc -l)"
	talk in4 ok
	# the completion offers them
	. "$TREE/dist/shrike.bash-completion"
	is "completion" anna "$(_shrike_kind ends | grep ^an)"
	is "of rules" web "$(_shrike_kind rules)"
	is "of sets" corp "$(_shrike_kind sets)"
}
