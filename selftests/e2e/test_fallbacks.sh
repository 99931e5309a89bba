# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What a kernel or a device lacks: doctor says what is chosen instead, and that is what runs.

tests "veth tun" \
	doctor_names_the_hooks_that_are_then_used \
	a_driver_without_native_xdp_gets_generic_xdp_when_it_is_asked_for \
	beside_a_program_that_has_xdp_doctor_names_tc_which_then_works \
	doctor_says_which_congestion_control_there_is

# checked CHECK [OPTION...]: result and detail of one of doctor's checks for wt0
checked() {
	local check=$1
	shift
	shrike doctor wt0 "$@" -j |
		jq -r --arg check "$check" '.checks[] | select(.check == $check) |
			"\(.result) \(.detail)"'
}

# tc_kind DIRECTION: how TC programs are attached on this kernel
tc_kind() {
	if has_tcx; then
		echo "tcx/$1"
	else
		echo "clsact/$1"
	fi
}

test_doctor_names_the_hooks_that_are_then_used() {
	local ingress
	topology "$1"
	kernel_forwards 1
	serve_all "$ROUTER" 8001
	policy web <<-EOF
		peer_acl: [{id: web, action: allow, source: [any], protocol: tcp, destination_ports: [8001]}]
	EOF
	if has_tcx; then
		is "tc" "ok TCX links" "$(checked tc)"
	else
		is "tc" "note no TCX before Linux 6.6: clsact filters instead" "$(checked tc)"
	fi
	if [ "$1" = veth ]; then
		matches "hook" "^ok xdp-native: " "$(checked hook -c "$T/web.yaml")"
		ingress=xdp
	else
		ingress=$(tc_kind ingress)
		matches "hook" "^ok tc: .*${ingress%/*}" \
			"$(checked hook -c "$T/web.yaml" | tr '[:upper:]' '[:lower:]')"
	fi
	run_shrike wt0 web
	matches "programs" "^$ingress .*"$'\n'"$(tc_kind egress) [^"$'\n'"]*$" "$(programs wt0)"
	matches "attached" "^ok .*, hook ${ingress%/*}" "$(checked attached)"
	probe ok "$PEER" tcp 100.64.0.1 8001
	probe timeout "$PEER" tcp fd64::1 8002
	counters_agree wt0
}

test_a_driver_without_native_xdp_gets_generic_xdp_when_it_is_asked_for() {
	local wanted=xdp-generic hook=xdpgeneric
	topology "$1"
	kernel_forwards 1
	serve_all "$ROUTER" 8001
	[ "$1" = veth ] && wanted=xdp-native hook=xdp
	policy web <<-EOF
		mode: {hook: xdp}
		peer_acl: [{id: web, action: allow, source: [any], protocol: tcp, destination_ports: [8001]}]
	EOF
	matches "hook" "^ok $wanted: policy file$" "$(checked hook -c "$T/web.yaml")"
	run_shrike wt0 web
	matches "programs" "^$hook " "$(programs wt0)"
	is "hook" $wanted "$(status_of wt0 .hook)"
	probe ok "$PEER" tcp fd64::1 8001 -n 300000
	probe timeout "$PEER" tcp 100.64.0.1 8002
	counters_agree wt0
}

# XDP holds one program, as nobody brings a dispatcher for several.
test_beside_a_program_that_has_xdp_doctor_names_tc_which_then_works() {
	local hook before
	topology "$1"
	kernel_forwards 1
	serve_all "$ROUTER" 8001
	for hook in xdp tc; do
		policy $hook <<-EOF
			mode: {hook: $hook}
			peer_acl: [{id: web, action: allow, source: [any], protocol: tcp, destination_ports: [8001]}]
		EOF
	done
	is "hook points" "ok free; XDP holds one program, there is no dispatcher for several" \
		"$(checked hook-points -c "$T/xdp.yaml")"
	start occupant "$ROUTER" "$TOOLS/hooks" occupy xdp wt0
	wait_for grep -q ready "$T/occupant.out"
	before=$(programs wt0)
	expect 1 shrike doctor wt0 -c "$T/xdp.yaml"
	matches "hook points" "^bad .*(occupant, id ${before//[!0-9]/}).*xdp.*one program.*hook:" \
		"$(checked hook-points -c "$T/xdp.yaml")"
	is "hook points" "ok free; XDP is left to others" \
		"$(checked hook-points -c "$T/tc.yaml")"
	run_shrike wt0 tc
	matches "programs" "^$before"$'\n'"$(tc_kind ingress) .*$(tc_kind egress) " "$(programs wt0)"
	probe ok "$PEER" tcp 100.64.0.1 8001
	probe ok "$PEER" tcp fd64::1 8001
	probe timeout "$PEER" tcp fd64::1 8002
	counters_agree wt0
	stop run-wt0
	is "programs" "$before" "$(programs wt0)"
}

test_doctor_says_which_congestion_control_there_is() {
	topology "$1"
	if modprobe -q tcp_bbr 2>/dev/null ||
		grep -qw bbr /proc/sys/net/ipv4/tcp_available_congestion_control; then
		is "congestion control" "ok bbr for forwarded connections" \
			"$(checked congestion-control)"
	else
		matches "congestion control" \
			"^note no bbr .*: $(cat /proc/sys/net/ipv4/tcp_congestion_control)," \
			"$(checked congestion-control)"
	fi
}
