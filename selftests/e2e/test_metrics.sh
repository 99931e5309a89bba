# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Metrics: what they say, in which forms, and serving them to anybody.

. "$SELFTESTS/lib/nat.sh"
. "$SELFTESTS/lib/rights.sh"

tests "veth tun" \
	metrics_say_what_status_says
tests "veth" \
	metrics_of_routing_by_nat_say_what_status_says \
	prometheus_reads_the_metrics_and_the_alert_rules \
	dashboard_alerts_and_manual_name_metrics_that_exist \
	rules_beyond_a_bound_are_summed_up \
	a_file_is_replaced_whole_or_not_at_all \
	an_interface_without_protection_is_a_figure \
	run_serves_metrics_over_http \
	run_serves_metrics_on_a_unix_socket \
	addresses_that_are_none_are_refused \
	who_serves_has_no_rights_and_is_replaced
alone "veth" \
	clients_that_are_slow_or_many_keep_nobody_from_metrics

PORT=9817
METRICS=$SELFTESTS/tools/metrics.py

# scrape [OPTION...]: with curl; the answer's head is in $T/head
scrape() {
	in_ns "$ROUTER" curl --silent --show-error --max-time 20 --dump-header "$T/head" "$@"
}

metrics_url() {
	echo "http://127.0.0.1:$PORT/metrics"
}

# run_metrics IFACE POLICY [OPTION...]: `shrike run` that serves metrics on PORT
run_metrics() {
	local iface=$1 policy=$2
	shift 2
	start "run-$iface" "$ROUTER" "$SHRIKE" run "$iface" -c "$T/$policy.yaml" \
		--metrics "127.0.0.1:$PORT" "$@"
	until_protected "$iface"
}

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
	start log "$ROUTER" "$SHRIKE" flowlog wt0
	wait_for eval '[ "$(status_of wt0 .flow_log.reader)" = "${PROCESS[log]}" ]'
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
	is "the flow log has a reader" "1 1" "$("$METRICS" sum "$T/metrics" shrike_flowlog_reader)"
	stop log
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
	promtool=$("$SELFTESTS/unpacked" prometheus promtool) ||
		skip "there is no promtool: selftests/unpacked --fetch prometheus promtool gets it"
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

# serves_attached N: what run serves of wt0
serves_attached() {
	scrape "$(metrics_url)" >"$T/served" && grep -q "shrike_attached{interface=\"wt0\"} $1" "$T/served"
}

test_an_interface_without_protection_is_a_figure() {
	topology "$1"
	expect 0 shrike metrics wt0
	matches "not attached" 'shrike_attached\{interface="wt0"\} 0' "$OUT"
	expect 0 shrike metrics nosuch0
	matches "not there" 'shrike_attached\{interface="nosuch0"\} 0' "$OUT"
	expect 2 shrike metrics 'no/such'
	is_one_error_line "$ERR"
	policy none </dev/null
	run_metrics wt0 none
	remove_overlay "$1" 0
	wait_for serves_attached 0
	add_overlay "$1" 0 "$PEER" 1420
	until_protected wt0
	wait_for serves_attached 1
}

head_has() {
	grep -qi "^$1" "$T/head" || die "no $1 in: $(cat "$T/head")"
}

test_run_serves_metrics_over_http() {
	local accept="application/openmetrics-text;version=1.0.0,application/openmetrics-text"
	accept="$accept;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
	topology "$1"
	policy none </dev/null
	run_metrics wt0 none
	scrape "$(metrics_url)" >"$T/text" || die "no metrics"
	head_has "HTTP/1.1 200 "
	head_has "Content-Type: text/plain; version=0.0.4; charset=utf-8"
	expect 0 shrike metrics
	is "families" "$(grep "^# TYPE" "$T/expect.out")" "$(grep "^# TYPE" "$T/text")"
	scrape -H "Accept: $accept" "$(metrics_url)" >"$T/open" || die "no metrics"
	head_has "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8"
	expect 0 "$METRICS" openmetrics "$T/open"
	scrape -H "Accept: application/openmetrics-text;q=0.1, text/plain" "$(metrics_url)" >/dev/null
	head_has "Content-Type: text/plain"
	is "HEAD" "" "$(scrape --head "$(metrics_url)" -o /dev/null)"
	head_has "Content-Length: [1-9]"
	is "a path that is none" 404 "$(scrape -o /dev/null -w '%{http_code}' "$(metrics_url)x")"
	is "the root" 200 "$(scrape -o /dev/null -w '%{http_code}' "http://127.0.0.1:$PORT/")"
	is "another method" 405 "$(scrape -o /dev/null -w '%{http_code}' -d x "$(metrics_url)")"
	head_has "Allow: GET, HEAD"
	is "a head that is too long" 431 "$(scrape -o /dev/null -w '%{http_code}' \
		-H "X: $(head -c 30000 /dev/zero | tr '\0' x)" "$(metrics_url)")"
	start other "$ROUTER" "$SHRIKE" run wt1 -c "$T/none.yaml" --metrics "127.0.0.1:$PORT"
	await_end other
	is "the port is taken" 1 $STATUS
	is_one_error_line "$(cat "$T/other.err")" "^shrike: .*cannot listen on 127.0.0.1:$PORT: Address already in use"
	# what it had is what the next one takes over
	stop run-wt0 KILL
	run_metrics wt0 none
	wait_for grep -q "in force" "$T/run-wt0.out"
	scrape "$(metrics_url)" -o /dev/null || die "no metrics"
	stop run-wt0
	is "exit status" 0 $STATUS
	is "errors" "" "$(cat "$T/run-wt0.err")"
}

test_run_serves_metrics_on_a_unix_socket() {
	topology "$1"
	policy none </dev/null
	umask 077 # as the unit has
	start run-wt0 "$ROUTER" "$SHRIKE" run wt0 -c "$T/none.yaml" --metrics "unix:$T/socket"
	until_protected wt0
	is "its mode" 666 "$(stat -c %a "$T/socket")"
	scrape --unix-socket "$T/socket" http://shrike/metrics >"$T/text" || die "no metrics"
	grep -q "^shrike_attached{interface=\"wt0\"} 1" "$T/text" || die "no figures"
	# whoever was killed leaves a file that is in nobody's way
	stop run-wt0 KILL
	[ -S "$T/socket" ] || die "the socket has gone"
	start run-wt0 "$ROUTER" "$SHRIKE" run wt0 -c "$T/none.yaml" --metrics "unix:$T/socket"
	wait_for grep -q "in force" "$T/run-wt0.out"
	scrape --unix-socket "$T/socket" http://shrike/metrics -o /dev/null || die "no metrics"
	expect 1 shrike run wt1 -c "$T/none.yaml" --metrics "unix:$T/socket"
	is_one_error_line "$ERR" "^shrike: .*Address already in use"
	stop run-wt0
	[ ! -e "$T/socket" ] || die "the socket is still there"
	echo precious >"$T/file"
	expect 1 shrike run wt0 -c "$T/none.yaml" --metrics "unix:$T/file"
	is "a file that is no socket" precious "$(cat "$T/file")"
}

test_addresses_that_are_none_are_refused() {
	local address
	topology "$1"
	for address in "" 9817 127.0.0.1 127.0.0.1: 127.0.0.1:0 127.0.0.1:65536 127.0.0.1:x ::1:9817 \
		"[127.0.0.1]:9817" "[::1:9817" localhost:9817 unix: unix:relative "unix:/$(printf '%0120d' 0)"; do
		expect 2 shrike run wt0 --metrics "$address"
		is_one_error_line "$ERR" "^shrike: --metrics: "
	done
	is_bare wt0 || die "attached in spite of that"
	# of an address that comes later, and of all
	policy none </dev/null
	for address in "[fd64::77]:$PORT" "100.64.0.77:$PORT" ":$PORT"; do
		start run-wt0 "$ROUTER" "$SHRIKE" run wt0 -c "$T/none.yaml" --metrics "$address"
		until_protected wt0
		[[ $address != :* ]] || wait_for scrape "$(metrics_url)" -o /dev/null
		stop run-wt0
		is "exit status" 0 $STATUS
	done
}

# child_of NAME: the process of that name that the run of wt0 has forked
child_of() {
	pgrep -x -P "${PROCESS[run-wt0]}" "$1"
}

test_who_serves_has_no_rights_and_is_replaced() {
	local child before none=0000000000000000
	topology "$1"
	policy none </dev/null
	run_metrics wt0 none
	wait_for scrape "$(metrics_url)" -o /dev/null
	child=$(child_of shrike-metrics)
	is "capabilities" "$none $none $none $none" "$(capabilities "$child" Prm Eff Inh Amb)"
	is "no_new_privs" 1 "$(no_new_privs "$child")"
	is "system calls" filtered "$(system_calls "$child")"
	is "user" "65534 65534 65534 65534" "$(user_of "$child")"
	is "descriptors: three, two sockets, and to wait" 7 "$(find "/proc/$child/fd" -type l | wc -l)"
	kill -KILL "$child"
	wait_for scrape "$(metrics_url)" -o /dev/null
	before=$(child_of shrike-metrics)
	[ "$before" != "$child" ] || die "it is the same process"
	# one that hangs
	kill -STOP "$before"
	wait_for scrape --max-time 30 "$(metrics_url)" -o /dev/null
	[ "$(child_of shrike-metrics)" != "$before" ] || die "it is still there"
	stop run-wt0
	is "exit status" 0 $STATUS
	is_bare wt0 || die "still there: $(programs wt0)"
}

test_clients_that_are_slow_or_many_keep_nobody_from_metrics() {
	local i before used
	topology "$1"
	policy none </dev/null
	run_metrics wt0 none
	ip -n "$ROUTER" address add 127.0.0.2/8 dev lo
	# of one address: the seventeenth is turned away, another address is served
	mkfifo "$T/hold"
	start slow "$ROUTER" bash -c 'exec "$0" slow 127.0.0.1 "$1" 40 <>"$2"' "$METRICS" $PORT "$T/hold"
	wait_for grep -q ready "$T/slow.out"
	wait_for grep -q "ended 24" "$T/slow.out"
	scrape --interface 127.0.0.2 "$(metrics_url)" -o /dev/null || die "another address is not served"
	# those that are slow have ten seconds
	wait_for -t 20 grep -q "ended 40" "$T/slow.out"
	scrape "$(metrics_url)" -o /dev/null || die "nobody is served"
	stop slow KILL
	# from many addresses: who comes last is served
	for i in 1 2 3 4 5 6; do
		start "slow$i" "$ROUTER" bash -c 'exec "$0" slow ::ffff:127.0.0.1 "$1" 15 <>"$2"' \
			"$METRICS" $PORT "$T/hold"
		wait_for grep -q ready "$T/slow$i.out"
		scrape --interface 127.0.0.2 "$(metrics_url)" -o /dev/null || die "nobody is served"
	done
	for i in 1 2 3 4 5 6; do
		stop "slow$i" KILL
	done
	# as often as it goes: few collections
	before=$(awk '{ print $14 + $15 + $16 + $17 }' "/proc/${PROCESS[run-wt0]}/stat")
	in_ns "$ROUTER" timeout 5 bash -c 'while curl -s -o /dev/null "$0"; do :; done' "$(metrics_url)"
	used=$(($(awk '{ print $14 + $15 + $16 + $17 }' "/proc/${PROCESS[run-wt0]}/stat") - before))
	is "no more than a fifth of a processor in 5 s" yes "$([ $used -le 100 ] && echo yes || echo "$used")"
	kill -0 "$(child_of shrike-metrics)" || die "the server has gone"
	stop run-wt0
	is "errors" "" "$(cat "$T/run-wt0.err")"
}
