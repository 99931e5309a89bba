# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The systemd unit, run by a systemd of its own: process, mount and cgroup namespaces in which it is
# the first process, in the router's network namespace.  It sees no unit but ours and the targets
# that those name; what it would change of this machine is read-only or its own.

tests "veth tun" \
	the_unit_runs_and_confines_the_service \
	a_restart_keeps_forwarded_connections \
	a_restart_is_all_that_an_upgrade_takes
tests "veth" \
	the_unit_waits_reloads_and_is_watched \
	the_unit_lets_the_service_route_by_nat \
	the_unit_lets_the_service_serve_metrics \
	the_unit_of_the_flow_log_logs_over_restarts
tests "veth" \
	the_unit_that_follows_netbird_follows
tests "unit" \
	the_units_are_rated_well \
	the_unit_that_follows_netbird_differs_in_nothing_else

. "$SELFTESTS/lib/nat.sh"
. "$SELFTESTS/lib/netbird.sh"
. "$SELFTESTS/lib/rights.sh"
. "$SELFTESTS/lib/systemd.sh"

# boot_systemd POLICY: until it takes orders; it ends when process "systemd" is killed
boot_systemd() {
	local unit
	[ -x $SYSTEMD ] || skip "there is no systemd"
	own_cgroup
	write_targets
	for unit in shrike@.service shrike-netbird@.service shrike-flowlog@.service; do
		mkdir "$T/units/$unit.d"
		sed 's|@SBINDIR@|/run/sbin|' "$TREE/dist/$unit" >"$T/units/$unit"
		# there is no journal
		printf '[Service]\nStandardOutput=append:/run/shrike.out\nStandardError=append:/run/shrike.err\n' \
			>"$T/units/$unit.d/output.conf"
		# who looks for leaks traces the process, which the unit forbids
		is_sanitized && printf '[Service]\nEnvironment=ASAN_OPTIONS=detect_leaks=0\n' \
			>"$T/units/$unit.d/sanitizer.conf"
	done
	start systemd "$ROUTER" bash -c 'echo 0 >"$1/cgroup.procs" && shift && exec "$@"' own-cgroup \
		"$T/cgroup/$CGROUP" unshare --pid --mount --uts --ipc --cgroup --fork --kill-child \
		--mount-proc bash -c '
			mount -t tmpfs tmpfs /run && mount -t cgroup2 cgroup2 /sys/fs/cgroup &&
			mount -t bpf bpf /sys/fs/bpf && mount --bind -o ro /proc/sys /proc/sys &&
			mkdir /run/units /run/sbin /run/etc /run/etc/shrike && cp -R "$1"/units /run &&
			cp "$1/$2.yaml" /run/etc/shrike/wt0.yaml && cp "$3" /run/sbin/shrike &&
			mount -t overlay -o lowerdir=/run/etc:/etc overlay /etc &&
			mount -t tmpfs tmpfs /tmp && mount -t tmpfs tmpfs /var/tmp && # PrivateTmp=
			mount -t tmpfs tmpfs /var/log &&
			mount -t tmpfs tmpfs /var/lib && # StateDirectory=
			mount --make-rshared / && # as systemd does outside of containers
			export container=shrike SYSTEMD_UNIT_PATH=/run/units &&
			exec "$4" --system --unit=multi-user.target --log-target=console' \
		boot "$T" "$1" "$SHRIKE" $SYSTEMD
	wait_for systemd_is_up
}

# forwarders_were N: have become ready so far
forwarders_were() {
	[ "$(in_systemd grep -c "forwarder is ready" /run/shrike.out)" = "$1" ]
}

# service PROPERTY
service() {
	in_systemd systemctl show -P "$1" shrike@wt0
}

# processes_of_the_service: run, and the forwarder, as this namespace numbers them
processes_of_the_service() {
	pgrep --ns "$(pgrep -P "${PROCESS[systemd]}")" --nslist pid -f "^/run/sbin/shrike run" | sort -n
}

# is_pinned: with a link that survives its process
is_pinned() {
	local pins
	pins=$(in_systemd find /sys/fs/bpf/shrike -type f -printf '%f ') || return
	[[ $pins == *prog_ingress* ]] && { ! has_tcx || [[ $pins == *link_egress* ]]; }
}

# may_write PATH: may run?
may_write() {
	in_systemd nsenter --mount --target "$(service MainPID)" test -w "$1"
}

# its private /tmp and /var/tmp, if they are not in those of systemd alone
temporary_directories_outside() {
	local dirs dir
	mapfile -t dirs < <(in_systemd find /tmp /var/tmp -maxdepth 1 -name 'systemd-private-*')
	[ ${#dirs[@]} = 2 ] || die "private directories: ${dirs[*]}"
	for dir in "${dirs[@]}"; do
		[ ! -e "$dir" ] || echo "$dir"
	done
}

forwards_for_peers() {
	local family
	for family in 4 6; do
		use_family $family
		probe ok "$PEER" tcp "$LAN_IP" 8080 -n 1000000
		probe ok "$PEER" udp "$LAN_IP" 8080
		pings ok "$PEER" "$LAN_IP"
	done
}

# has_died PID: as this namespace numbers it
has_died() {
	! kill -0 "$1" 2>/dev/null
}

has_restarted() {
	[ "$(service NRestarts)" = 1 ] && [ "$(service ActiveState)" = active ] && forwarders_were 2
}

generation_is_two() {
	in_systemd grep -q "generation 2 in force" /run/shrike.out
}

has_ended() {
	[ "$(service ActiveState)" = inactive ]
}

nothing_of_the_service_is_left() {
	is "result" success "$(service Result)"
	is_bare wt0 || die "still there: $(programs wt0)"
	is "pins" "" "$(in_systemd find /sys/fs/bpf/shrike -type f)"
}

test_the_unit_runs_and_confines_the_service() {
	local pids set none=0000000000000000
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	boot_systemd forward
	expect 0 in_systemd systemctl start shrike@wt0
	wait_for forwarders_were 1
	is_protected wt0 || die "not protected"
	forwards_for_peers

	mapfile -t pids < <(processes_of_the_service)
	is "processes" 2 ${#pids[@]}
	set=$(printf '%016x' $((1 << 12 | 1 << 13 | 1 << 14 | 1 << 21))) # NET_ADMIN, NET_RAW, IPC_LOCK, SYS_ADMIN
	is "run" "$set $set $set $none" "$(capabilities "${pids[0]}" Prm Eff Bnd Amb)"
	is "forwarder" "$none $none $none $none" "$(capabilities "${pids[1]}" Prm Eff Inh Amb)"
	# it cannot become nobody, and need not
	is "user of the forwarder" "0 0 0 0" "$(user_of "${pids[1]}")"
	is "system calls of the forwarder" filtered "$(system_calls "${pids[1]}")"
	is_pinned || die "not pinned"
	is "pins for others" "" "$(in_systemd find /sys/fs/bpf/shrike -perm /077)"
	is "when the kernel kills the forwarder for its memory" continue "$(service OOMPolicy)"
	may_write /run/shrike/bpf || die "run may not pin"
	may_write /run/shrike/cgroup && die "run may make cgroups"
	is "temporary directories of this machine" "" "$(temporary_directories_outside)"

	expect 0 in_systemd systemctl reload shrike@wt0
	wait_for generation_is_two
	is "said" "" "$(in_systemd cat /run/shrike.err)"
	expect 0 in_systemd umount /sys/fs/bpf
	expect 0 in_systemd mount -t bpf bpf /sys/fs/bpf
	wait_for is_pinned
	in_systemd systemctl kill --kill-whom=main -s KILL shrike@wt0
	wait_for has_died "${pids[0]}" # and it takes a second to start again
	is_protected wt0 || die "not protected"
	wait_for has_restarted
	forwards_for_peers
	is_pinned || die "not pinned"

	# the signal to end goes to run alone, and has to kill a forwarder that cannot leave
	mapfile -t pids < <(processes_of_the_service)
	kill -STOP "${pids[1]}"
	in_systemd systemctl kill --kill-whom=main shrike@wt0
	wait_for has_ended
	nothing_of_the_service_is_left
	expect 0 in_systemd systemctl start shrike@wt0
	wait_for forwarders_were 3
	expect 0 in_systemd systemctl stop shrike@wt0
	nothing_of_the_service_is_left
	stop systemd KILL
}

# install BINARY: for the next start
install() {
	in_systemd sh -c 'cat >/run/sbin/new && chmod 755 /run/sbin/new && mv /run/sbin/new /run/sbin/shrike' \
		<"$1"
}

# restart N: until the forwarder is ready for the Nth time; the interface is protected throughout
restart() {
	expect 0 in_systemd systemctl restart shrike@wt0
	is_protected wt0 || die "not protected"
	wait_for forwarders_were "$1"
	is "left to the next process" $(($1 - 1)) \
		"$(in_systemd grep -c "left to the next process" /run/shrike.out)"
	is "said" "" "$(in_systemd cat /run/shrike.err)"
}

# sessions OUTCOME NAME...: one more exchange on each
sessions() {
	local name
	for name in "${@:2}"; do
		talk "$name" "$1"
	done
}

# What is handed over is what a rule still allows.
test_a_restart_keeps_forwarded_connections() {
	local family
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	serve_all "$LAN" 9090
	boot_systemd forward
	expect 0 in_systemd systemctl start shrike@wt0
	wait_for forwarders_were 1
	for family in 4 6; do
		use_family $family
		session kept$family "$PEER" tcp $LAN_IP 8080
		session cut$family "$PEER" tcp $LAN_IP 9090
		session datagrams$family "$PEER" udp $LAN_IP 8080
	done
	sessions ok kept4 kept6 cut4 cut6 datagrams4 datagrams6
	transfer_server "$LAN" 192.168.77.2 9000
	begin_transfer stall stall 192.168.77.2 9000 20000000
	wait_for grep -q waiting "$T/stall.out"
	begin_transfer many many 192.168.77.2 9000 300
	wait_for -t 60 grep -q "open after" "$T/many.out"

	restart 2
	sessions ok kept4 kept6 cut4 cut6 datagrams4 datagrams6
	end_transfer stall
	end_transfer many
	probe ok "$PEER" tcp 192.168.77.2 8080 -n 3000000

	forward_policy without 9090
	in_systemd cp /dev/stdin /run/etc/shrike/wt0.yaml <"$T/without.yaml" # below /etc
	restart 3
	sessions reset cut4 cut6
	sessions ok kept4 kept6
	forwards_for_peers
	expect 0 in_systemd systemctl stop shrike@wt0
	sessions reset kept4 kept6
	nothing_of_the_service_is_left
	stop systemd KILL
}

test_a_restart_is_all_that_an_upgrade_takes() {
	newer_version
	another_version foreign "s/instance_v2/instance_v9/g"
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	boot_systemd forward
	expect 0 in_systemd systemctl start shrike@wt0
	wait_for forwarders_were 1
	session held "$PEER" tcp 192.168.77.2 8080
	talk held ok
	install "$T/newer"
	restart 2
	talk held ok

	# what it finds it cannot read
	install "$T/foreign"
	expect 0 in_systemd systemctl restart shrike@wt0
	wait_for forwarders_were 3
	matches "said" "^shrike: wt0: all begins anew: .*another version of shrike" \
		"$(in_systemd cat /run/shrike.err)"
	forwards_for_peers
	expect 0 in_systemd systemctl stop shrike@wt0
	nothing_of_the_service_is_left
	stop systemd KILL
}

# says TEXT: the service, of its state
says() {
	[[ $(service StatusText) == *"$1"* ]]
}

# is_in STATE: the service
is_in() {
	[ "$(service ActiveState)" = "$1" ]
}

has_been_replaced() {
	[ "$(service NRestarts)" = 1 ] && is_in active
}

# new_policy: standard input, for the next reload
new_policy() {
	in_systemd cp /dev/stdin /run/etc/shrike/wt0.yaml # below /etc
}

# WATCHDOG: seconds, in place of those of the unit; unset: 6
test_the_unit_waits_reloads_and_is_watched() {
	local pids i kept=() hung_at
	topology "$1"
	serve_all "$ROUTER" 8001
	policy kept <<-EOF
		mode: {routing: disabled}
		peer_acl: [{id: kept, action: allow, source: [any], protocol: tcp}]
	EOF
	ip -n "$ROUTER" link set wt0 down
	ip -n "$ROUTER" link set wt0 name later0
	boot_systemd kept
	in_systemd sh -c 'printf "[Service]\nWatchdogSec=$0\n" \
		>/run/units/shrike@.service.d/watchdog.conf' "${WATCHDOG:-6}"
	expect 0 in_systemd systemctl daemon-reload
	expect 0 in_systemd systemctl start --no-block shrike@wt0
	wait_for says "waiting for the interface"
	is "state" activating "$(service ActiveState)"
	ip -n "$ROUTER" link set later0 name wt0
	ip -n "$ROUTER" link set wt0 up
	wait_for is_in active
	is_protected wt0 || die "ready, and not protected"
	wait_for says "generation 1, 1 rule, routing disabled"
	expect 0 shrike status wt0 --check
	session kept "$PEER" tcp 100.64.0.1 8001
	talk kept ok

	new_policy <<<"version: 2"
	expect 1 in_systemd systemctl reload shrike@wt0
	matches "said" "/etc/shrike/wt0.yaml:1:" "$(in_systemd cat /run/shrike.err)"
	is "state" active "$(service ActiveState)"
	wait_for says "last reload failed"
	expect 3 shrike status wt0 --check
	matches "its line" "^wt0: not healthy: the last reload failed: /etc/shrike/wt0.yaml:1:" "$OUT"
	rule_is_in_force wt0 kept || die "the policy has gone"
	{ cat "$T/kept.yaml" && echo "mss_clamp: false"; } | new_policy
	expect 0 in_systemd systemctl reload shrike@wt0
	wait_for says "generation 2, 1 rule, routing disabled"
	expect 0 shrike status wt0 --check
	is "the history" "700 2" "$(in_systemd sh -c 'cd /var/lib/shrike && stat -c %a . &&
		find . -path "*/wt0/history/0*" | wc -l' | xargs)"
	# by the signal, which the unit does not use
	new_policy <<<"version: 2"
	in_systemd systemctl kill --kill-whom=main -s HUP shrike@wt0
	wait_for says "last reload failed"
	new_policy <"$T/kept.yaml"
	in_systemd systemctl kill --kill-whom=main -s HUP shrike@wt0
	wait_for says "generation 3, 1 rule, routing disabled"

	for i in {1..20}; do
		session "kept$i" "$PEER" tcp 100.64.0.1 8001
		kept+=("kept$i")
	done
	sessions ok "${kept[@]}"
	mapfile -t pids < <(processes_of_the_service)
	kill -STOP "${pids[0]}"
	hung_at=${EPOCHREALTIME/./}
	wait_for -t 120 has_been_replaced
	echo "a run that hangs is replaced after $(((${EPOCHREALTIME/./} - hung_at) / 1000)) ms"
	is_protected wt0 || die "not protected"
	sessions ok kept "${kept[@]}"
	[ "$(status_of wt0 .counters.ingress.residue)" = 0 ] || die "packets without a verdict"
	expect 0 in_systemd systemctl stop shrike@wt0
	nothing_of_the_service_is_left
	stop systemd KILL
}

# By a device of its own, which has to forward: no other setting of the kernel may be written.
test_the_unit_lets_the_service_route_by_nat() {
	local before file
	nat_topology "$1"
	before=$(host_settings)
	boot_systemd nat
	expect 0 in_systemd systemctl start shrike@wt0
	wait_for forwarders_were 1
	is "routing" nat "$(routing wt0)"
	forwards_for_peers
	may_write /proc/sys/net/ipv6/conf/lo/forwarding || die "run may not let its device forward"
	for file in ipv4/ip_forward ipv4/conf/all/forwarding ipv6/conf/all/forwarding; do
		may_write /proc/sys/net/$file && die "run may let the host forward"
	done
	may_write /proc/sys/kernel/core_pattern && die "run may write settings of the kernel"
	is "settings of the host" "$before" "$(host_settings)"
	restart 2
	forwards_for_peers
	expect 0 in_systemd systemctl stop shrike@wt0
	nothing_of_the_service_is_left
	is "settings of the host" "$before" "$(host_settings)"
	stop systemd KILL
}

test_the_unit_lets_the_service_serve_metrics() {
	local socket=/run/shrike-metrics/wt0/http
	topology "$1"
	policy none </dev/null
	boot_systemd none
	expect 0 in_systemd bash -c 'printf "[Service]\nEnvironment=\"SHRIKE_OPTIONS=--metrics unix:$0\"\n" \
		>/run/units/shrike@.service.d/metrics.conf' $socket
	expect 0 in_systemd systemctl daemon-reload
	expect 0 in_systemd systemctl start shrike@wt0
	wait_for in_systemd curl --silent --fail --unix-socket $socket http://shrike/metrics
	in_systemd curl --silent --unix-socket $socket http://shrike/metrics >"$T/text"
	grep -q '^shrike_attached{interface="wt0"} 1' "$T/text" || die "no figures: $(head "$T/text")"
	is "directory" "755 666" "$(in_systemd stat -c %a "${socket%/*}" $socket | xargs)"
	expect 0 in_systemd systemctl stop shrike@wt0
	expect 2 in_systemd ls "${socket%/*}"
	nothing_of_the_service_is_left
	stop systemd KILL
}

unit_is_inactive() {
	[ "$(in_systemd systemctl is-active "$1")" = inactive ]
}

test_the_unit_that_follows_netbird_follows() {
	local child
	topology "$1"
	serve_all "$ROUTER" 8001
	policy base <<<'mode: {routing: native}'
	network_map 7 "$(in_rule 100.64.0.2 tcp 8001)"
	boot_systemd base
	in_systemd mkdir /run/daemon
	in_systemd tee /run/daemon/map.json <"$T/map.json" >/dev/null
	in_systemd tee /run/daemon/netbird.py <"$SELFTESTS/tools/netbird.py" >/dev/null
	start daemon "$ROUTER" nsenter --target "$(pgrep -P "${PROCESS[systemd]}")" --all -- \
		/usr/bin/python3 /run/daemon/netbird.py /run/netbird.sock /run/daemon
	wait_for grep -q ready "$T/daemon.out"
	expect 0 in_systemd systemctl start shrike-netbird@wt0
	wait_for follows 7
	probe ok "$PEER" tcp 100.64.0.1 8001
	is "bundles left" "" "$(in_systemd find /tmp -name 'netbird.debug.*')"
	child=$(in_systemd pgrep shrike-netbird)
	is "capabilities" 0000000000000000 "$(in_systemd awk '$1 == "CapEff:" { print $2 }' \
		"/proc/$child/status")"
	# one of the two units at a time
	expect 0 in_systemd systemctl start shrike@wt0
	wait_for unit_is_inactive shrike-netbird@wt0
	stop systemd KILL
}

# logged JQ-CONDITION: some record of the flow log fulfils it
logged() {
	in_systemd cat /var/log/shrike/wt0.ndjson | jq -se "any(.[]; $1)" >/dev/null
}

test_the_unit_of_the_flow_log_logs_over_restarts() {
	local before
	topology "$1"
	serve_all "$ROUTER" 8001
	policy base <<-EOF
		mode: {routing: native}
		peer_acl: [{id: web, action: allow, source: [any], destination_ports: [8001]}]
	EOF
	boot_systemd base
	expect 0 in_systemd systemctl start shrike@wt0 shrike-flowlog@wt0
	# it tries again until the interface is protected
	wait_for eval '[ "$(bpftool_log on)" = 1 ]'
	probe ok "$PEER" tcp 100.64.0.1 8001
	wait_for logged '.type == "start" and .dst == "100.64.0.1"'
	before=$(in_systemd systemctl show -P MainPID shrike-flowlog@wt0)
	in_systemd systemctl kill --kill-whom=main -s KILL shrike-flowlog@wt0
	probe ok "$PEER" tcp fd64::1 8001
	wait_for logged '.type == "start" and .dst == "fd64::1"'
	[ "$(in_systemd systemctl show -P MainPID shrike-flowlog@wt0)" != "$before" ] || die "it was not killed"
	expect 0 in_systemd mv /var/log/shrike/wt0.ndjson /var/log/shrike/moved
	expect 0 in_systemd systemctl reload shrike-flowlog@wt0
	probe ok "$PEER" udp 100.64.0.1 8001
	wait_for logged '.type == "start" and .protocol == "udp"'
	is "mode of the folder" 750 "$(in_systemd stat -c %a /var/log/shrike)"
	expect 0 in_systemd systemctl stop shrike-flowlog@wt0
	expect 0 in_systemd systemctl stop shrike@wt0
	stop systemd KILL
}

# bpftool_log FIELD: of the flow log that the service's programs have
bpftool_log() {
	in_systemd sh -c "$(type -P bpftool)"' -j map dump pinned /sys/fs/bpf/shrike/*/wt0/flow_gate_v2' |
		jq ".[0].formatted.value.log.$1"
}

test_the_units_are_rated_well() {
	local name unit tenths
	type -P systemd-analyze >/dev/null || skip "there is no systemd-analyze"
	# /tmp, where the daemon leaves bundles, costs two
	while read -r name tenths; do
		unit=$T/$name@wt0.service
		sed 's|@SBINDIR@|/usr/sbin|' "$TREE/dist/$name@.service" >"$unit" || die "no unit"
		expect 0 systemd-analyze security --offline=true "--threshold=$tenths" "$unit"
		tail -n 1 <<<"$OUT"
	done <<<$'shrike 29\nshrike-netbird 31\nshrike-flowlog 23'
}

test_the_unit_that_follows_netbird_differs_in_nothing_else() {
	is "what differs" "After Conflicts Description ExecStart PrivateTmp ReadWritePaths" "$(
		diff <(grep -v '^#' "$TREE/dist/shrike@.service") \
			<(grep -v '^#' "$TREE/dist/shrike-netbird@.service") |
			sed -n 's/^[<>] \([A-Za-z]*\)=.*/\1/p' | sort -u | paste -sd ' ')"
}
