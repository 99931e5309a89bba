# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Incident reports, and what is hidden in them.

. "$SELFTESTS/lib/netbird.sh"

tests "veth" \
	a_report_has_what_the_commands_say_and_its_owner_alone_reads_it \
	an_anonymised_report_has_no_address_and_no_name_of_the_host \
	an_anonymised_report_has_no_path_and_nothing_of_a_policy_that_was_refused \
	an_anonymised_report_has_no_name_that_netbird_gives_or_is_to_give \
	why_answers_from_a_report_as_where_it_was_written \
	why_answers_from_an_anonymised_report_with_its_policies_and_names \
	simulate_judges_the_packets_of_a_report_again \
	a_file_that_is_no_report_is_refused_and_nothing_of_it_extracted \
	a_report_that_is_interrupted_leaves_no_file \
	a_report_names_the_package_it_needs

report_policy() {
	policy acme <<-EOF
		# the vault of ACME is 10.99.9.9
		mode: {routing: disabled}
		names: {laptop-anna: [100.64.0.2, "fd64::2"]}
		peer_acl:
		  - {id: ssh-from-ops, description: for Anna, action: allow, source: [laptop-anna, "set:office"],
		     protocol: tcp, destination_ports: [8001]}
		  - {id: never, action: allow, source: [100.64.0.2], protocol: tcp, destination_ports: [8001]}
		sets: {office: [100.64.0.0/24, 172.20.7.0/24], spare: []}
	EOF
}

# unpack REPORT: into $T/REPORT
unpack() {
	mkdir "$T/$1"
	tar --zstd -xf "$T/$1.tar.zst" -C "$T/$1"
}

open_traffic() {
	topology veth
	serve_all "$ROUTER" 8001
	report_policy
	run_shrike wt0 acme
	session held "$PEER" tcp 100.64.0.1 8001
	talk held ok
	session held6 "$PEER" tcp fd64::1 8001
	talk held6 ok
	probe timeout "$PEER" udp 100.64.0.1 9999 -t 200
}

test_a_report_has_what_the_commands_say_and_its_owner_alone_reads_it() {
	open_traffic
	expect 0 shrike report wt0 "$T/whole.tar.zst"
	is "the output" "$T/whole.tar.zst" "$OUT"
	is "the mode" 600 "$(stat -c %a "$T/whole.tar.zst")"
	unpack whole
	is "the files" "conntrack doctor history manifest policy recorder stats status status-check unused version" \
		"$(cd "$T/whole" && find . -name '*.json' | sed 's|^./||; s|.json$||' | LC_ALL=C sort | xargs)"
	is "connections" 100.64.0.2 "$(jq -r '[.[].src] | map(select(contains("."))) | unique | .[0]' \
		"$T/whole/conntrack.json")"
	is "the policies" "1.yaml now.yaml" "$(cd "$T/whole/policies" && echo *)"
	expect 0 diff "$T/acme.yaml" "$T/whole/policies/1.yaml"
	is "parts that failed" 0 "$(jq '[.files[] | select(.status != 0 and .status != 3)] | length' \
		"$T/whole/manifest.json")"
	expect 1 shrike report wt0 "$T/whole.tar.zst"
	matches "a file that is there" "whole.tar.zst: File exists" "$ERR"
	expect 2 shrike report wt0 "$T/whole.zip"
	expect 1 shrike report wt0 "$T/no/where.tar.zst"
	expect 0 shrike report none0 "$T/none.tar.zst"
	matches "what could not be had" "warning: status.json: none0" "$ERR"
}

test_an_anonymised_report_has_no_address_and_no_name_of_the_host() {
	open_traffic
	expect 0 shrike report wt0 "$T/hidden.tar.zst" --anonymise
	unpack hidden
	is "what is left" "" "$(cd "$T/hidden" && grep -rlaE \
		'100\.64\.0\.|172\.20\.7\.|10\.99\.9\.|fd64::|anna|Anna|ACME|acme|office|spare|ssh-from|never"' .)"
	is "anonymised" true "$(jq .anonymised "$T/hidden/manifest.json")"
	is "a rule is the same everywhere" true "$(jq -s '.[0].peer_acl[0].id as $id |
		[.[1][] | select(.family == "ipv4").rule == $id] | all' \
		"$T/hidden/policy.json" "$T/hidden/conntrack.json")"
	is "the peer is in the network of its set" true "$(python3 - "$T/hidden" <<-'EOF'
		import ipaddress, json, sys
		policy = json.load(open(sys.argv[1] + "/policy.json"))
		flows = json.load(open(sys.argv[1] + "/conntrack.json"))
		nets = [ipaddress.ip_network(p) for s in policy["sets"].values() for p in s]
		peers = {ipaddress.ip_address(f["src"]) for f in flows if f["family"] == "ipv4"}
		print(str(bool(peers) and all(any(p in n for n in nets) for p in peers)).lower())
	EOF
	)"
}

test_an_anonymised_report_has_no_path_and_nothing_of_a_policy_that_was_refused() {
	topology veth
	mkdir "$T/acme.d"
	cat >"$T/acme.d/vault.yaml" <<-EOF
		names: {laptop-anna: [100.64.0.2]}
		peer_acl: [{id: ssh-from-ops, action: allow, source: [laptop-anna], protocol: tcp, destination_ports: [22]}]
	EOF
	policy whole <<-EOF
		include: [acme.d/]
		tests: [{assert: "laptop-anna cannot reach self tcp/23"}]
	EOF
	run_shrike wt0 whole
	probe timeout "$PEER" tcp 100.64.0.1 8002
	policy secret <<-EOF
		names: {acme-boss: [100.64.0.3]}
		peer_acl: [{id: acme-vault, action: allow, source: [acme-boss], protocol: tcp}]
		tests: [{assert: "acme-boss cannot reach self tcp/22"}]
	EOF
	expect 2 shrike policy apply wt0 "$T/secret.yaml"
	matches "why" "acme-boss cannot reach" "$(shrike status wt0 -j | jq -r '.[0].last_failure.why')"
	expect 0 shrike report wt0 "$T/hidden.tar.zst" --anonymise
	unpack hidden
	is "what is left" "" "$(cd "$T/hidden" && grep -raoE '.{40}(acme|boss|vault|anna|ssh-from|whole|secret).{20}' .)"
	expect 0 shrike policy check "$T/hidden/policies/now.yaml"
	expect 0 "$SHRIKE" why --from "$T/hidden.tar.zst" --dport 8002
	matches "the rule of the included file" "x[0-9a-f]+ \\(line [0-9]+\\): destination port 8002 is not 22" "$OUT"
}

test_an_anonymised_report_has_no_name_that_netbird_gives_or_is_to_give() {
	topology veth
	policy base <<-EOF
		peer_acl: [{id: own, action: allow, source: [laptop-anna, acme-boss], protocol: icmp}]
	EOF
	network_map 7 "$(in_rule 100.64.0.2 tcp 8001)"
	run_daemon
	run_following base
	wait_for follows 7
	is "missing" acme-boss "$(netbird '.missing_names | join(" ")')"
	probe timeout "$PEER" tcp 100.64.0.1 8002
	expect 0 shrike report wt0 "$T/hidden.tar.zst" --anonymise
	unpack hidden
	is "what is left" "" "$(cd "$T/hidden" && grep -raoE '.{20}(acme|boss|anna|netbird\.cloud|nb/ptcp|nb\.sock).{20}' .)"
	is "the name that is missing" true "$(jq -n --slurpfile status "$T/hidden/status.json" --slurpfile now "$T/hidden/policies/now.yaml" \
		'$now[0].peer_acl[0].source[1] == $status[0][0].netbird.missing_names[0]')"
}

# outside COMMAND...: as another user, without any right and in a namespace with nothing in it
outside() {
	ip netns exec "$LAN" setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs \
		--bounding-set=-all "$@"
}

# readable REPORT: by everybody
readable() {
	chmod 755 "$T"
	chmod 644 "$T/$1.tar.zst"
}

test_why_answers_from_a_report_as_where_it_was_written() {
	open_traffic
	probe timeout "$PEER" tcp 100.64.0.1 8002
	policy second <<-EOF
		mode: {routing: disabled}
		names: {laptop-anna: [100.64.0.2, "fd64::2"]}
		peer_acl: [{id: other, action: allow, source: [any], protocol: udp}]
	EOF
	expect 0 shrike policy apply wt0 "$T/second.yaml"
	expect 0 shrike report wt0 "$T/whole.tar.zst"
	readable whole
	for args in "" "-j" "--dport 8002" "--rule ssh-from-ops -v" "laptop-anna"; do
		expect 0 shrike why -i wt0 $args
		there=$OUT
		expect 0 outside "$SHRIKE" why --from "$T/whole.tar.zst" $args
		is "why $args" "$there" "$OUT"
	done
	matches "the policy of then" "By policy 1 of the history" "$(shrike why --from "$T/whole.tar.zst" --dport 8002)"
	is "of the last millisecond" 0 "$(shrike why --from "$T/whole.tar.zst" --since 1ms -j | jq '.kinds | length')"
	expect 0 shrike why --from "$T/whole.tar.zst" -w "$T/past.pcapng" --dport 8002
	matches "the capture" 8002 "$(tshark -r "$T/past.pcapng" -T fields -e tcp.dstport)"
	expect 2 shrike why --from "$T/whole.tar.zst" -i wt0
	expect 2 shrike why --from "$T/whole.tar.zst" --follow
}

test_why_answers_from_an_anonymised_report_with_its_policies_and_names() {
	open_traffic
	probe timeout "$PEER" tcp 100.64.0.1 8002
	expect 0 shrike report wt0 "$T/hidden.tar.zst" --anonymise
	readable hidden
	expect 0 outside "$SHRIKE" why --from "$T/hidden.tar.zst" --dport 8002
	matches "a name for a name, the reason, and the nearest rule" \
		"in TCP x[0-9a-f]+:[0-9]+ -> [0-9.]+:8002: drop peer_acl_default.*x[0-9a-f]+ \\(line [0-9]+\\): destination port 8002 is not 8001" "$OUT"
	is "the rule is in the policy" true "$(outside "$SHRIKE" why --from "$T/hidden.tar.zst" -j --dport 8001 |
		jq -r '.kinds[0].rule' | { read -r id && mkdir "$T/hidden" &&
		tar --zstd -xf "$T/hidden.tar.zst" -C "$T/hidden" &&
		jq --arg id "$id" '[.peer_acl[].id] | contains([$id])' "$T/hidden/policies/now.yaml"; })"
	expect 0 shrike policy check "$T/hidden/policies/now.yaml"
}

test_simulate_judges_the_packets_of_a_report_again() {
	open_traffic
	probe timeout "$PEER" tcp 100.64.0.1 8002
	for report in whole hidden; do
		expect 0 shrike report wt0 "$T/$report.tar.zst" $([ $report = whole ] || echo --anonymise)
		expect 0 "$SHRIKE" simulate --pcap "$T/$report.tar.zst" -j
		is "to ports of $report" "8001 peer_acl_allowed 8002 peer_acl_default" \
			"$(echo "$OUT" | jq -rs '[.[] | select(.stages[0].message | test("TCP.*:800[12]$")) |
				"\(.stages[0].message[-4:]) \(.reason)"] | unique | join(" ")')"
	done
	policy better <<-EOF
		peer_acl: [{id: all, action: allow, source: [any], protocol: all}]
	EOF
	expect 0 "$SHRIKE" simulate --pcap "$T/whole.tar.zst" -c "$T/better.yaml" -j
	is "by another policy" pass "$(echo "$OUT" |
		jq -rs '[.[] | select(.stages[0].message | test("TCP.*:8002$")).verdict] | unique | join(" ")')"
}

test_a_file_that_is_no_report_is_refused_and_nothing_of_it_extracted() {
	mkdir "$T/evil" "$T/policies"
	printf 'text' >"$T/text.tar.zst"
	: >"$T/empty.tar.zst"
	truncate -s 3G "$T/evil/recorder.json"
	(cd "$T/evil" && tar --format=pax -cf - recorder.json | zstd -q -1 >"$T/bomb.tar.zst")
	rm "$T/evil/recorder.json"
	printf '{"interface":"../../x"}' >"$T/evil/recorder.json"
	(cd "$T/evil" && cp recorder.json x && tar -P --transform 's|^x$|../policies/x|' -cf - x recorder.json |
		zstd -q >"$T/json.tar.zst")
	for file in text empty json bomb; do
		expect 2 "$SHRIKE" why --from "$T/$file.tar.zst"
		matches "$file" "^shrike: .*/$file.tar.zst: " "$ERR"
		[ "$(printf '%s\n' "$ERR" | wc -l)" = 1 ] || die "more than a line: $ERR"
	done
	expect 1 "$SHRIKE" why --from "$T/none.tar.zst"
	expect 2 "$SHRIKE" why --from "$T"
	is "what was extracted" "" "$(ls "$T/policies")"
}

test_a_report_that_is_interrupted_leaves_no_file() {
	topology veth
	report_policy
	run_shrike wt0 acme
	for signal in TERM INT HUP; do
		# what is started in the background ignores SIGINT
		start report "$ROUTER" env --default-signal=INT "$SHRIKE" report wt0 "$T/half.tar.zst"
		wait_for test -e "$T/half.tar.zst"
		stop report $signal
		is "the status of $signal" "$((128 + $(kill -l $signal)))" "$STATUS"
		[ ! -e "$T/half.tar.zst" ] || die "half of a report is left"
	done
}

test_a_report_names_the_package_it_needs() {
	topology veth
	report_policy
	run_shrike wt0 acme
	for command in "report wt0 $T/x.tar.zst" "why --from $T/x.tar.zst"; do
		expect 1 ip netns exec "$ROUTER" unshare --mount sh -c \
			'mount --bind /dev/null "$(readlink -f /usr/lib/*/libarchive.so.13)" && exec "$@"' \
			sh "$SHRIKE" $command
		matches "$command" "need libarchive .package libarchive13" "$ERR"
	done
	[ ! -e "$T/x.tar.zst" ] || die "a file is left"
}
