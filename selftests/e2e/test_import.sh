# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Policies made of what other programs have.

tests "file" \
	a_network_map_becomes_a_policy \
	what_is_no_network_map_is_refused
tests "tun" \
	an_imported_policy_judges_as_the_map_says \
	a_rule_keeps_its_id_and_hits_when_the_map_changes

MAP=$SELFTESTS/../tests/corpus/netbird/network_map.json

test_a_network_map_becomes_a_policy() {
	expect 0 "$SHRIKE" policy import netbird "$MAP"
	echo "$OUT" >"$T/policy.yaml"
	matches "a warning" "^shrike: warning: FirewallRules\[10\]: .*NetBird skips such rules.*left out" \
		"$ERR"
	is "warnings that the file has too" "$(sed 's/^shrike: warning: //' <<<"$ERR")" \
		"$(sed -n 's/^# \* //p' "$T/policy.yaml")"
	expect 0 "$SHRIKE" policy check "$T/policy.yaml" -j
	is "its rules" 15 "$(jq .rules <<<"$OUT")"
	expect 0 "$SHRIKE" policy import netbird "$MAP" -j
	echo "$OUT" >"$T/policy.json"
	is "lists" 'peer_acl 10, route_acl 5' \
		"$(jq -r '"peer_acl \(.peer_acl | length), route_acl \(.route_acl | length)"' \
			"$T/policy.json")"
	expect 0 "$SHRIKE" policy check "$T/policy.json"
	# the network map by itself, on standard input
	jq .NetworkMap "$MAP" >"$T/map.json"
	is "the policy of the map alone" "$(cat "$T/policy.json")" \
		"$("$SHRIKE" policy import netbird - -j <"$T/map.json" 2>/dev/null)"
}

test_what_is_no_network_map_is_refused() {
	local text
	for text in '' '{' '{}' '[]' 'version: 1' '{"NetworkMap": {"FirewallRules": 7}}' \
		'{"a": 1, "a": 2}' '{"NetworkMap": null, "NetworkMapEnvelope": {}}'; do
		echo "$text" >"$T/bad.json"
		expect 2 "$SHRIKE" policy import netbird "$T/bad.json"
		is "output" "" "$OUT"
		is_one_error_line "$ERR" "^(shrike: )?$T/bad\.json:([0-9]+:[0-9]+:)? [^ ]"
	done
	expect 2 "$SHRIKE" policy import netbird "$T/none.json"
	is_one_error_line "$ERR" "^shrike: $T/none\.json: No such file"
	expect 2 "$SHRIKE" policy import netbird "$T"
	is_one_error_line "$ERR" "^shrike: $T: "
	expect 2 "$SHRIKE" policy import netbird
	is_one_error_line "$ERR"
	expect 2 "$SHRIKE" policy import tailscale "$MAP"
	is_one_error_line "$ERR"
	expect 0 "$SHRIKE" policy import --help
	expect 0 "$SHRIKE" policy import netbird --help
}

# map RULES: a network map with these peer rules becomes $T/imported.yaml
map() {
	echo "{\"NetworkMap\": {\"FirewallRules\": [$1]}}" >"$T/map.json"
	expect 0 "$SHRIKE" policy import netbird "$T/map.json"
	echo "$OUT" >"$T/imported.yaml"
}

test_an_imported_policy_judges_as_the_map_says() {
	topology "$1"
	serve_all "$ROUTER" 8001
	serve_all "$ROUTER" 8003
	map '{"PeerIP": "100.64.0.2", "Protocol": "TCP", "PortInfo": {"range": {"start": 8001, "end": 8002}}},
		{"PeerIP": "0.0.0.0", "Protocol": "UDP", "Port": "8003"},
		{"PeerIP": "100.64.0.3", "Protocol": "ALL", "Action": "DROP"},
		{"PeerIP": "0.0.0.0", "Protocol": "ALL", "Direction": "OUT"}'
	run_shrike wt0 imported
	probe ok "$PEER" tcp 100.64.0.1 8001
	probe timeout "$PEER" tcp 100.64.0.1 8003
	probe timeout "$PEER" tcp fd64::1 8001
	probe ok "$PEER" udp 100.64.0.1 8003
	probe ok "$PEER" udp fd64::1 8003
	probe timeout "$PEER" udp 100.64.0.1 8003 -s 100.64.0.3
	pings lost "$PEER" 100.64.0.1
	is "drops by the rule that denies" 1 "$(dropped wt0 peer_acl_denied)"
}

# rule PEER PORT: a rule of the policy "p" that lets this peer in
rule() {
	echo "{\"PolicyID\": \"cA==\", \"PeerIP\": \"$1\", \"Protocol\": \"TCP\", \"Port\": \"$2\"}"
}

hits() {
	shrike policy show wt0 -j | jq -r '[.peer_acl[] | "\(.id) \(.hits.packets)"] | join(", ")'
}

test_a_rule_keeps_its_id_and_hits_when_the_map_changes() {
	topology "$1"
	serve_all "$ROUTER" 8001
	map "$(rule 100.64.0.2 8001)"
	run_shrike wt0 imported
	session kept "$PEER" tcp 100.64.0.1 8001
	talk kept ok
	is "hits" "nb/p/in/tcp/8001 1" "$(hits)"
	# another port, before the first one, and another peer
	map "$(rule 100.64.0.9 22), $(rule 100.64.0.9 8001), $(rule 100.64.0.2 8001)"
	expect 0 shrike policy diff wt0 "$T/imported.yaml" -j
	is "rules that are new" "nb/p/in/tcp/22" "$(jq -r '[.changes.rules.added[].id] | join(" ")' <<<"$OUT")"
	expect 0 shrike policy apply wt0 "$T/imported.yaml"
	talk kept ok
	is "hits" "nb/p/in/tcp/22 0, nb/p/in/tcp/8001 2" "$(hits)"
	# what is left of the rule is cut for whom it no longer names
	map "$(rule 100.64.0.9 8001)"
	expect 0 shrike policy apply wt0 "$T/imported.yaml"
	talk kept timeout
	is "hits" "nb/p/in/tcp/8001 2" "$(hits)"
}
