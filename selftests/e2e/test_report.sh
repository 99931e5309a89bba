# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Incident reports, and what is hidden in them.

tests "veth" \
	a_report_has_what_the_commands_say_and_its_owner_alone_reads_it \
	an_anonymised_report_has_no_address_and_no_name_of_the_host \
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
		'100\.64\.|172\.20\.|10\.99\.|fd64:|anna|Anna|ACME|acme|office|spare|ssh-from|never"' .)"
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

test_a_report_names_the_package_it_needs() {
	topology veth
	report_policy
	run_shrike wt0 acme
	for command in "report wt0 $T/x.tar.zst"; do
		expect 1 ip netns exec "$ROUTER" unshare --mount sh -c \
			'mount --bind /dev/null "$(readlink -f /usr/lib/*/libarchive.so.13)" && exec "$@"' \
			sh "$SHRIKE" $command
		matches "$command" "need libarchive .package libarchive13" "$ERR"
	done
	[ ! -e "$T/x.tar.zst" ] || die "a file is left"
}
