# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Routing by NAT with more of the clients and servers that people use.  Not all of them are
# dependencies of the tests: those that are not there are not tried.  SOAK=1 makes requests 5,000.

. "$SELFTESTS/lib/nat.sh"

# tests_with COMMANDS TEST...: on three kinds of devices, where there are all of these commands
tests_with() {
	local command
	for command in $1; do
		command -v "$command" >/dev/null || return
	done
	shift
	tests "veth tun gso" "$@"
}

tests_with wget files_are_fetched_by_http
tests_with tracepath tracepath_finds_the_path_and_its_mtu
tests_with "mtr mtr-packet" mtr_shows_both_hops
tests_with "nghttpd h2load" many_requests_share_connections
tests_with ab each_request_has_a_connection_of_its_own
tests_with "redis-server redis-benchmark" a_database_is_asked_in_turn_and_in_advance
tests_with sipp calls_are_set_up_and_end
tests_with "sshd ssh scp ssh-keygen" shells_copy_files_and_forward_ports
tests_with chronyd clocks_are_compared
! python3 -c "import pyftpdlib" 2>/dev/null ||
	tests_with curl files_are_fetched_by_ftp_in_passive_mode

requests() {
	rounds 300 5000
}

# url ADDR: as it stands in a URL
url() {
	[[ $1 == *:* ]] && echo "[$1]" || echo "$1"
}

# web_server: of the folder $T/web, with a file of 3 MB, on port 8000
web_server() {
	mkdir -p "$T/web"
	head -c 3000000 /dev/urandom >"$T/web/file"
	echo small >"$T/web/small"
	start web$family "$LAN" python3 -m http.server -b $LAN_IP -d "$T/web" 8000
	wait_for listens "$LAN" 8000
}

test_files_are_fetched_by_http() {
	local family
	nat_topology "$1"
	run_nat
	for family in 4 6; do
		use_family $family
		web_server
		expect 0 in_ns "$PEER" wget -q -T 20 -O "$T/got" "http://$(url $LAN_IP):8000/file"
		cmp "$T/web/file" "$T/got" || die "the file is not what was sent"
		stop web$family
	done
	rm -r "$T/web"
	counters_agree wt0
}

test_tracepath_finds_the_path_and_its_mtu() {
	local family
	nat_topology "$1"
	run_nat
	ip -n "$ROUTER" link set lan0 mtu 1380
	ip -n "$LAN" link set eth0 mtu 1380
	for family in 4 6; do
		use_family $family
		expect 0 in_ns "$PEER" timeout 60 tracepath -$family -n -m 4 $LAN_IP
		matches "the router" " 1: +$ROUTER_IP " "$OUT"
		matches "the end" " 2: +$LAN_IP .* reached" "$OUT"
		matches "the path's MTU" "pmtu 1380" "$OUT"
	done
	counters_agree wt0
}

test_mtr_shows_both_hops() {
	local family how
	nat_topology "$1"
	run_nat
	for family in 4 6; do
		use_family $family
		for how in "" "--udp" "--tcp -P 8080"; do
			# shellcheck disable=SC2086
			expect 0 in_ns "$PEER" timeout 60 mtr -$family -n -r -c 2 -i 0.3 -G 2 $how $LAN_IP
			is "hops of mtr $how" "$ROUTER_IP 0.0% $LAN_IP 0.0%" \
				"$(awk '/\|--/ { print $2, $3 }' <<<"$OUT" | paste -sd' ')"
		done
	done
	counters_agree wt0
}

test_many_requests_share_connections() {
	local family n
	n=$(requests)
	nat_topology "$1"
	run_nat
	mkdir "$T/web"
	head -c 20000 /dev/urandom >"$T/web/file"
	for family in 4 6; do
		use_family $family
		start web$family "$LAN" nghttpd --no-tls -a $LAN_IP -d "$T/web" 8443
		wait_for listens "$LAN" 8443
		expect 0 in_ns "$PEER" timeout 120 h2load -n "$n" -c 20 -m 10 "http://$(url $LAN_IP):8443/file"
		matches "requests" " $n succeeded, 0 failed, 0 errored, 0 timeout" "$OUT"
		stop web$family
	done
	rm -r "$T/web"
	counters_agree wt0
}

test_each_request_has_a_connection_of_its_own() {
	local family n
	n=$(requests)
	nat_topology "$1"
	run_nat
	for family in 4 6; do
		use_family $family
		web_server
		expect 0 in_ns "$PEER" timeout 300 ab -q -n "$n" -c 20 "http://$(url $LAN_IP):8000/small"
		matches "complete" "Complete requests: +$n" "$OUT"
		matches "failed" "Failed requests: +0" "$OUT"
		stop web$family
	done
	rm -r "$T/web"
	counters_agree wt0
}

test_a_database_is_asked_in_turn_and_in_advance() {
	local family pipeline
	nat_topology "$1"
	run_nat
	for family in 4 6; do
		use_family $family
		start redis$family "$LAN" redis-server --bind $LAN_IP --port 6379 --save "" \
			--protected-mode no --dir "$T"
		wait_for listens "$LAN" 6379
		for pipeline in 1 16; do
			expect 0 in_ns "$PEER" timeout 120 redis-benchmark -h $LAN_IP -q -t set,get \
				-n "$(requests)" -c 20 -P $pipeline
			matches "pipeline of $pipeline" "GET: [0-9.]+ requests per second" "$OUT"
		done
		stop redis$family
	done
	counters_agree wt0
}

test_calls_are_set_up_and_end() {
	local family
	nat_topology "$1"
	run_nat
	for family in 4 6; do
		use_family $family
		start answers$family "$LAN" sipp -sn uas -i $LAN_IP -p 5060 -nostdin
		wait_for eval '[ -n "$(in_ns "$LAN" ss -Hlun "sport = 5060")" ]'
		expect 0 in_ns "$PEER" timeout 60 sipp -sn uac "$(url $LAN_IP):5060" -nostdin -m 50 -r 50 \
			-i "$([ $family = 4 ] && echo 100.64.0.2 || echo fd64::2)" -p 5061 -d 100
		stop answers$family
	done
	counters_agree wt0
}

# The server runs as who runs the test, for the one key that is made here.
ssh_server() {
	cat >"$T/sshd_config" <<-EOF
		HostKey $T/host_key
		AuthorizedKeysFile $T/key.pub
		ListenAddress $(url $LAN_IP):2222
		PidFile none
		StrictModes no
		UsePAM no
		Subsystem sftp internal-sftp
	EOF
	start sshd$family "$LAN" "$(command -v sshd)" -D -e -f "$T/sshd_config"
	wait_for listens "$LAN" 2222
}

test_shells_copy_files_and_forward_ports() {
	local family options
	nat_topology "$1"
	run_nat
	mkdir -p /run/sshd
	ssh-keygen -q -t ed25519 -N "" -f "$T/host_key"
	ssh-keygen -q -t ed25519 -N "" -f "$T/key"
	head -c 3000000 /dev/urandom >"$T/file"
	options="-F none -i $T/key -o BatchMode=yes -o StrictHostKeyChecking=no
		-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ConnectTimeout=20"
	for family in 4 6; do
		use_family $family
		ssh_server
		# shellcheck disable=SC2086
		expect 0 in_ns "$PEER" ssh $options -p 2222 "root@$LAN_IP" 'echo "from ${SSH_CLIENT%% *}"'
		is "whom the server sees" "from $ROUTER_LAN_IP" "$OUT"
		# shellcheck disable=SC2086
		expect 0 in_ns "$PEER" scp $options -P 2222 "$T/file" "root@$(url $LAN_IP):$T/copy"
		cmp "$T/file" "$T/copy" || die "the copy is another"
		# shellcheck disable=SC2086
		start forward$family "$PEER" ssh $options -p 2222 -N \
			-L "7000:$(url $LAN_IP):8080" "root@$LAN_IP"
		wait_for listens "$PEER" 7000
		probe ok "$PEER" tcp 127.0.0.1 7000 -n 100000
		stop forward$family
		stop sshd$family
	done
	counters_agree wt0
}

test_clocks_are_compared() {
	local family
	nat_topology "$1"
	run_nat
	for family in 4 6; do
		use_family $family
		printf '%s\n' "local stratum 8" "allow" "cmdport 0" "pidfile $T/chronyd.pid" \
			"bindaddress $LAN_IP" >"$T/chrony.conf"
		start chronyd$family "$LAN" chronyd -d -x -u root -f "$T/chrony.conf"
		wait_for eval '[ -n "$(in_ns "$LAN" ss -Hlun "sport = 123")" ]'
		expect 0 in_ns "$PEER" chronyd -Q -t 20 -u root -f /dev/null "cmdport 0" \
			"pidfile $T/client.pid" "server $LAN_IP iburst maxsamples 1"
		matches "the clock" "System clock wrong by" "$OUT$ERR"
		stop chronyd$family
	done
	counters_agree wt0
}

ftp_server() {
	start ftp$family "$LAN" python3 -m pyftpdlib -i $LAN_IP -p 2121 -d "$T/web" -r 50000-50100
	wait_for listens "$LAN" 2121
}

test_files_are_fetched_by_ftp_in_passive_mode() {
	local family how
	nat_topology "$1"
	run_nat
	mkdir "$T/web"
	head -c 3000000 /dev/urandom >"$T/web/file"
	for family in 4 6; do
		use_family $family
		ftp_server
		for how in "" --disable-epsv; do
			[ "$family$how" != 6--disable-epsv ] || continue # PASV is of IPv4
			# shellcheck disable=SC2086
			expect 0 in_ns "$PEER" curl -sS -g -m 30 $how -o "$T/got" \
				"ftp://$(url $LAN_IP):2121/file"
			cmp "$T/web/file" "$T/got" || die "the file is not what was sent"
		done
		stop ftp$family
	done
	rm -r "$T/web"
	counters_agree wt0
}
