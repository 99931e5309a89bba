# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Metrics: what they say, and in which forms.

. "$SELFTESTS/lib/nat.sh"

tests "veth tun" \
	metrics_say_what_status_says
tests "veth" \
	metrics_of_routing_by_nat_say_what_status_says \
	prometheus_reads_the_metrics_and_the_alert_rules \
	dashboard_alerts_and_manual_name_metrics_that_exist \
	rules_beyond_a_bound_are_summed_up \
	a_file_is_replaced_whole_or_not_at_all \
	an_interface_without_protection_is_a_figure

METRICS=$SELFTESTS/tools/metrics.py

# The status, before and after the metrics, has to be the same: then the metrics are of that moment.
read_all() {
	expect 0 shrike status wt0 -j
	cp "$T/expect.out" "$T/status"
	expect 0 shrike metrics wt0 --openmetrics
	cp "$T/expect.out" "$T/metrics"
	expect 0 shrike policy show wt0 -j
	cp "$T/expect.out" "$T/policy"
	expect 0 shrike status wt0 -j
	cmp -s "$T/status" "$T/expect.out"
}

figures_are_the_same() {
	wait_for read_all
	expect 0 "$METRICS" same "$T/status" "$T/policy" "$T/metrics"
	echo "$OUT"
}

traffic() {
	probe ok "$PEER" tcp 192.168.77.2 8080
	probe ok "$PEER" udp 192.168.77.2 8080
	pings ok "$PEER" 192.168.77.2
	pings lost "$PEER" 100.64.0.1
	session held "$PEER" tcp 192.168.77.2 8080
	talk held ok
}

test_metrics_say_what_status_says() {
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	run_forwarder
	traffic
	counters_agree wt0
	echo "version: 2" >"$T/bad.yaml"
	expect 2 shrike policy apply wt0 "$T/bad.yaml"
	figures_are_the_same
	is "the last attempt" "0 1" "$("$METRICS" sum "$T/metrics" shrike_policy_last_reload_successful)"
	is "the rule that allowed it" "3 1" "$("$METRICS" sum "$T/metrics" shrike_rule_packets_total rule=lan |
		sed 's/^[4-9]/3/')"
	is "an established connection of TCP" "1 1" \
		"$("$METRICS" sum "$T/metrics" shrike_connections protocol=tcp ip_version=4 state=established)"
	stop run-wt0 KILL
	wait_for eval '[ "$(status_of wt0 .running)" = false ]'
	figures_are_the_same
}

test_metrics_of_routing_by_nat_say_what_status_says() {
	nat_topology "$1"
	run_nat
	traffic
	counters_agree wt0
	figures_are_the_same
	is "uplinks" "1 1" "$("$METRICS" sum "$T/metrics" shrike_nat_uplink_attached uplink=lan0)"
}

test_prometheus_reads_the_metrics_and_the_alert_rules() {
	local promtool
	forwarding_topology "$1"
	run_forwarder
	expect 0 shrike metrics wt0 --openmetrics
	cp "$T/expect.out" "$T/metrics"
	expect 0 "$METRICS" openmetrics "$T/metrics"
	is "the last line" "# EOF" "$(tail -n 1 "$T/metrics")"
	promtool=$("$SELFTESTS/promtool") || skip "there is no promtool: selftests/promtool --fetch gets it"
	expect 0 shrike metrics wt0
	cp "$T/expect.out" "$T/metrics"
	is "what promtool says" "" "$("$promtool" check metrics <"$T/metrics" 2>&1 || echo "status $?")"
	expect 0 "$promtool" check rules "$TREE/dist/alerts.yaml"
	expect 0 "$promtool" test rules "$SELFTESTS/alerts.test.yaml"
}

test_dashboard_alerts_and_manual_name_metrics_that_exist() {
	nat_topology "$1"
	run_nat
	expect 0 shrike metrics -j
	cp "$T/expect.out" "$T/families"
	expect 0 "$METRICS" names "$T/families" "$TREE/dist/grafana-dashboard.json" "$TREE/dist/alerts.yaml" \
		"$SELFTESTS/alerts.test.yaml"
	man --local-file --ascii --no-hyphenation "$TREE/docs/man/shrike-metrics.7" >"$T/manual" 2>/dev/null
	expect 0 "$METRICS" manual "$T/families" "$T/manual"
	expect 0 jq -e '[.panels[].targets[].expr] | length > 20' "$TREE/dist/grafana-dashboard.json"
}

test_rules_beyond_a_bound_are_summed_up() {
	local i
	topology "$1"
	policy many < <(
		echo "peer_acl:"
		for ((i = 0; i < 1200; i++)); do
			echo "- {id: r$i, action: allow, source: [100.64.1.$((i % 250))], protocol: tcp," \
				"destination_ports: [$((i + 1))]}"
		done
		echo "- {id: last, action: allow, source: [100.64.0.2], protocol: icmp}"
		echo "- {id: _other, action: deny, source: [100.64.0.3], protocol: icmp}"
	)
	run_shrike wt0 many
	pings ok "$PEER" 100.64.0.1
	pings lost "$PEER" 100.64.0.1 -I 100.64.0.3
	expect 0 shrike metrics wt0 --openmetrics
	cp "$T/expect.out" "$T/metrics"
	is "series of rules" 1001 "$(grep -c '^shrike_rule_packets_total' "$T/metrics")"
	is "those beyond the bound" "1 1" \
		"$("$METRICS" sum "$T/metrics" shrike_rule_packets_total rule=_other action=allow)"
	is "the rule of that name" "1 1" \
		"$("$METRICS" sum "$T/metrics" shrike_rule_packets_total rule=_other action=deny)"
}

test_a_file_is_replaced_whole_or_not_at_all() {
	local before
	topology "$1"
	policy none </dev/null
	run_shrike wt0 none
	mkdir "$T/textfile"
	(umask 077 && shrike metrics wt0 --write "$T/textfile/shrike.prom") || die "cannot write"
	is "its mode" 644 "$(stat -c %a "$T/textfile/shrike.prom")"
	expect 0 shrike metrics wt0
	is "its figures" "$(grep -c . <<<"$OUT")" "$(grep -c . "$T/textfile/shrike.prom")"
	before=$(stat -c %i "$T/textfile/shrike.prom")
	expect 0 shrike metrics wt0 -w "$T/textfile/shrike.prom"
	is "what is printed" "" "$OUT"
	[ "$(stat -c %i "$T/textfile/shrike.prom")" != "$before" ] || die "the file was written to"
	is "files" shrike.prom "$(ls -A "$T/textfile")"
	expect 1 shrike metrics wt0 -w "$T/nowhere/shrike.prom"
	is_one_error_line "$ERR" "^shrike: .*nowhere/shrike.prom: No such file or directory"
	expect 1 shrike metrics wt0 -w "$T/textfile"
	is_one_error_line "$ERR"
	# no room: what was there stays, and nothing else
	mkdir "$T/small"
	mount -t tmpfs -o size=16k "$ID" "$T/small" || die "no tmpfs"
	at_end "umount '$T/small'"
	echo old >"$T/small/shrike.prom"
	expect 1 shrike metrics wt0 -w "$T/small/shrike.prom"
	is_one_error_line "$ERR" "^shrike: .*: No space left on device"
	is "files" "shrike.prom old" "$(ls -A "$T/small") $(cat "$T/small/shrike.prom")"
	expect 2 shrike metrics wt0 -j -w "$T/textfile/x"
	is_one_error_line "$ERR"
	expect 2 shrike metrics wt0 wt1
	is_one_error_line "$ERR"
	expect 1 eval 'shrike metrics wt0 >/dev/full'
}

test_an_interface_without_protection_is_a_figure() {
	topology "$1"
	expect 0 shrike metrics wt0
	matches "not attached" 'shrike_attached\{interface="wt0"\} 0' "$OUT"
	expect 0 shrike metrics nosuch0
	matches "not there" 'shrike_attached\{interface="nosuch0"\} 0' "$OUT"
	expect 2 shrike metrics 'no/such'
	is_one_error_line "$ERR"
}
