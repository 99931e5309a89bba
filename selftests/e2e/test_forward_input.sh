# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# How packets reach the userspace forwarder: AF_XDP, or the TUN device to which TC redirects.

. "$SELFTESTS/lib/forward.sh"

tests "veth tun gso veth-9000" \
	the_input_fits_the_device_and_is_named
tests "veth tun" \
	the_tun_serves_devices_that_af_xdp_would_serve_too \
	what_af_xdp_cannot_carry_is_counted
tests "gso veth-9000" \
	gso_packets_arrive_whole
tests "veth tun gso" \
	one_to_one_nat_and_the_forwarder_go_together
tests veth-9000 \
	what_the_device_loses_is_named
tests gso \
	every_interface_has_a_device_of_its_own \
	what_nobody_judged_does_not_reach_the_forwarder \
	a_device_that_is_deleted_comes_again \
	af_xdp_on_a_device_that_brings_gso_packets_is_warned_of \
	a_device_that_begins_to_bring_gso_packets_gets_the_tun
tests veth \
	an_mtu_beyond_a_chunk_brings_the_tun_and_back

# input_policy INPUT [MODE]: the policy "forward" with that way in
input_policy() {
	sed "s/routing: userspace/&, forwarder_input: $1${2:+, $2}/" "$T/forward.yaml" >"$T/$1.yaml"
}

# answers [OPTION...]: TCP and UDP of both families from the peer to the LAN
answers() {
	local family
	for family in 4 6; do
		use_family $family
		probe ok "$PEER" tcp $LAN_IP 8080 -n 1000000
		probe ok "$PEER" udp $LAN_IP 8080
	done
}

# input: the way in, and the device if there is one
input() {
	status_of wt0 '.forwarder | [.input, .device // empty] | join(" ")'
}

input_is() {
	[ "$(input)" = "$1" ]
}

devices() {
	ip -n "$ROUTER" -br link show | awk '$1 ~ /^shrike/ { print $1 }' | sort | paste -sd' '
}

# checked CHECK ARGUMENT...: result and detail of a check of doctor's
checked() {
	shrike doctor wt0 "${@:2}" -j |
		jq -r --arg check "$1" '.checks[] | select(.check == $check) | "\(.result) \(.detail)"'
}

test_the_input_fits_the_device_and_is_named() {
	local input=tun why
	forwarding_topology "$1"
	case $1 in
	gso) why="the device brings GSO packets (IFF_VNET_HDR)" ;;
	*-9000) why="packets of its MTU exceed what AF_XDP carries" ;;
	*) input=af_xdp why="every frame is a single packet" ;;
	esac
	is "doctor before" "ok $input: $why" "$(checked forwarder-input -c "$T/forward.yaml")"
	run_forwarder
	if [ $input = af_xdp ]; then
		is "input" af_xdp "$(input)"
		is "devices" "" "$(devices)"
	else
		is "input" "tun shrike0" "$(input)"
		is "devices" shrike0 "$(devices)"
		is "alias" shrike:wt0 "$(ip -n "$ROUTER" -j link show shrike0 | jq -r '.[].ifalias')"
		is "addresses" "" "$(ip -n "$ROUTER" -br address show shrike0 | awk '{ print $3 }')"
		is "doctor" "ok tun: $why; device shrike0" \
			"$(checked forwarder-input -c "$T/forward.yaml")"
		matches "status" "input tun, device shrike0: " "$(shrike status wt0)"
		is "hook" "forwarder_input tun: $why" "$(status_of wt0 .hook_why)"
	fi
	is "policy show" $input "$(shrike policy show wt0 -j | jq -r .mode.forwarder_input)"
	is "errors" "" "$(cat "$T/run-wt0.err")"
	stop run-wt0
	is "devices" "" "$(devices)"
}

test_the_tun_serves_devices_that_af_xdp_would_serve_too() {
	local input
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	input_policy tun
	input_policy af_xdp
	run_shrike wt0 tun
	wait_for forwarder_runs
	answers
	session held "$PEER" tcp 192.168.77.2 8080
	talk held ok
	# there and back, by policies that come into force
	for input in af_xdp tun; do
		expect 0 shrike policy apply wt0 "$T/$input.yaml"
		wait_for input_is "$([ $input = tun ] && echo "tun shrike0" || echo af_xdp)"
		wait_for forwarder_runs
		answers
		counters_agree wt0
	done
	expect 0 shrike policy diff wt0 "$T/af_xdp.yaml"
	matches "diff" "mode.forwarder_input.*tun.*af_xdp" "$OUT"
	input_policy tun "hook: xdp"
	expect 2 shrike policy apply wt0 "$T/tun.yaml"
	matches "error" "tun.yaml:2:[0-9]+: forwarder_input: tun uses the TC hook" "$ERR"
	input_policy af_xdp "hook: tc"
	expect 2 shrike policy apply wt0 "$T/af_xdp.yaml"
	matches "error" "only XDP can hand packets to AF_XDP sockets" "$ERR"
}

# An upload in single segments would work, and waste what the device offers.
test_gso_packets_arrive_whole() {
	local family bytes packets
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	run_forwarder
	for family in 4 6; do
		use_family $family
		bytes=$(forwarder bytes_up) packets=$(forwarder rx_packets)
		probe ok "$PEER" tcp $LAN_IP 8080 -n 20000000
		wait_for connections_are 0
		bytes=$(($(forwarder bytes_up) - bytes)) packets=$(($(forwarder rx_packets) - packets))
		# acknowledgments of the download included
		[ $((bytes / packets)) -gt 4000 ] || die "$bytes bytes came in $packets packets"
	done
	counters_agree wt0
}

# Its queue is full when nobody reads: each packet beyond it is counted.
test_what_the_device_loses_is_named() {
	local sent=6000 queue=4096
	forwarding_topology "$1"
	run_forwarder
	kill -STOP "${PROCESS[run-wt0]}" # which would replace it
	kill -STOP "$(forwarder pid)"
	in_ns "$PEER" python3 -c "
import socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range($sent):
    sock.sendto(b'a', ('192.168.77.2', 9))"
	wait_for forwarded_reach $sent
	kill -CONT "$(forwarder pid)"
	kill -CONT "${PROCESS[run-wt0]}"
	wait_for received_reach $queue
	counters_agree wt0
	is "lost" $((sent - queue)) "$(forwarder rx_queue_full)"
	matches "status" "lost +rx_queue_full +$((sent - queue)) packets" "$(shrike status wt0)"
}

# forwarded_reach N: packets that the dataplane has handed over
forwarded_reach() {
	[ "$(status_of wt0 .counters.ingress.forward.packets)" -ge "$1" ]
}

# received_reach N: packets that the forwarder has taken
received_reach() {
	[ "$(forwarder rx_packets)" -ge "$1" ]
}

test_what_af_xdp_cannot_carry_is_counted() {
	local family
	forwarding_topology "$1-9000"
	serve_all "$LAN" 8080
	input_policy af_xdp
	run_shrike wt0 af_xdp
	wait_for forwarder_runs
	matches "warning" "packets of its MTU exceed what AF_XDP carries" "$(cat "$T/run-wt0.err")"
	for family in 4 6; do
		use_family $family
		probe ok "$PEER" udp $LAN_IP 8080 -n 1400
		probe timeout "$PEER" udp $LAN_IP 8080 -n 8000
	done
	wait_for counts_oversize 2
	matches "status" "packets of peers above 38[0-9]* bytes are lost" "$(shrike status wt0)"
	matches "doctor" "mtu +9000: " "$(shrike doctor wt0 -c "$T/af_xdp.yaml")"
	counters_agree wt0
}

# counts_oversize N: nothing but the kernel's own count tells of them
counts_oversize() {
	[ "$(forwarder rx_oversize)" -ge "$1" ]
}

test_every_interface_has_a_device_of_its_own() {
	forwarding_topology "$1"
	make_namespace "$PEER2"
	add_overlay "$1" 1 "$PEER2" 1420
	ip -n "$ROUTER" tuntap add mode tun name shrike1 # somebody else's
	serve_all "$LAN" 8080
	sed 's/100.64.0.0/100.65.0.0/; s/fd64/fd65/' "$T/forward.yaml" >"$T/second.yaml"
	run_forwarder
	run_shrike wt1 second
	wait_for second_forwarder_runs
	is "devices" "shrike0 shrike1 shrike2" "$(devices)"
	is "device of wt1" shrike2 "$(status_of wt1 .forwarder.device)"
	is "alias" shrike:wt1 "$(ip -n "$ROUTER" -j link show shrike2 | jq -r '.[].ifalias')"
	use_family 4
	probe ok "$PEER" tcp $LAN_IP 8080 -n 1000000
	probe ok "$PEER2" tcp $LAN_IP 8080 -n 1000000
	stop run-wt0
	is "devices" "shrike1 shrike2" "$(devices)"
	probe ok "$PEER2" tcp $LAN_IP 8080
	counters_agree wt1
}

second_forwarder_runs() {
	[ "$(status_of wt1 '.forwarder.pid // 0')" -gt 0 ]
}

# Any user may bind a socket to the device, and anybody may route there.
test_what_nobody_judged_does_not_reach_the_forwarder() {
	local before
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	run_forwarder
	answers
	wait_for connections_are 0
	before=$(forwarder rx_packets)
	in_ns "$ROUTER" python3 -c "
import os, socket
os.setgroups([])
os.setresuid(65534, 65534, 65534)
for kind in socket.SOCK_DGRAM, socket.SOCK_STREAM:
    sock = socket.socket(socket.AF_INET, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'shrike0')
    sock.setblocking(False)
    try:
        sock.connect(('192.168.77.2', 8080))
        sock.send(b'from this host')
    except BlockingIOError:
        pass
    print('sent')" >"$T/sent" || die "nothing could be sent"
	is "sent" "sent sent" "$(paste -sd' ' "$T/sent")"
	# what a peer sends to an address of the host that the host routes to the device
	ip -n "$ROUTER" route add 10.9.0.0/16 dev shrike0
	in_ns "$ROUTER" ping -c 1 -W 0.1 10.9.0.1 >/dev/null
	is "packets of others" "$before" "$(forwarder rx_packets)"
	is "guards" "forward_tun_in forward_tun_out" \
		"$(programs shrike0 | grep -o "forward_tun_[a-z]*" | sort -u | paste -sd" ")"
	counters_agree wt0
}

connections_are() {
	[ "$(forwarder tcp_connections)" = "$1" ]
}

test_a_device_that_is_deleted_comes_again() {
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	run_forwarder
	ip -n "$ROUTER" link del shrike0
	wait_for starts_are 2
	is "input" "tun shrike0" "$(input)"
	answers
	counters_agree wt0
}

starts_are() {
	[ "$(forwarder starts)" = "$1" ]
}

test_af_xdp_on_a_device_that_brings_gso_packets_is_warned_of() {
	local lack="the device brings GSO packets (IFF_VNET_HDR)"
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	input_policy af_xdp
	is "doctor" "note af_xdp: policy file, but $lack" \
		"$(checked forwarder-input -c "$T/af_xdp.yaml")"
	run_shrike wt0 af_xdp
	wait_for forwarder_runs
	is "warning" "shrike: warning: wt0: forwarder_input is af_xdp, but $lack: these are lost or \
come out merged; 'auto' would take tun" "$(cat "$T/run-wt0.err")"
	probe ok "$PEER" udp 192.168.77.2 8080
	counters_agree wt0
}

# A device that is persistent is what its next owner wants it to be.
test_a_device_that_begins_to_bring_gso_packets_gets_the_tun() {
	PERSISTENT=1 forwarding_topology tun
	serve_all "$LAN" 8080
	run_forwarder
	is "input" af_xdp "$(input)"
	answers
	stop pump-wt0
	start_pump gso "$PEER" p0 wt0
	wait_for input_is "tun shrike0"
	wait_for forwarder_runs
	answers
	counters_agree wt0
}

# All that the peer sends is translated; over veth its checksums are unfinished.
test_one_to_one_nat_and_the_forwarder_go_together() {
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	{
		sed 's#source: .100.64.0.0/16#&, 10.9.0.5, "fd09::5"#' "$T/forward.yaml"
		cat <<-EOF2
			nat:
			  one_to_one:
			    - {original: 10.9.0.5, translated: 100.64.0.2}
			    - {original: "fd09::5", translated: "fd64::2"}
		EOF2
	} >"$T/nat.yaml"
	run_shrike wt0 nat
	wait_for forwarder_runs
	is "input" "tun shrike0" "$(input)"
	answers
	is "originals" "10.9.0.5 fd09::5" \
		"$(shrike conntrack list wt0 -j | jq -r '[.[].src] | unique | join(" ")')"
	is "corrupt" 0 "$(forwarder rx_corrupt)"
	counters_agree wt0
}

test_an_mtu_beyond_a_chunk_brings_the_tun_and_back() {
	local family
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	run_forwarder
	is "input" af_xdp "$(input)"
	answers
	ip -n "$ROUTER" link set wt0 mtu 9000
	wait_for input_is "tun shrike0"
	wait_for forwarder_runs
	ip -n "$PEER" link set p0 mtu 9000
	answers
	for family in 4 6; do
		use_family $family
		pings ok "$PEER" $LAN_IP -s 8500
	done
	counters_agree wt0
	ip -n "$PEER" link set p0 mtu 1420
	ip -n "$ROUTER" link set wt0 mtu 1420
	wait_for input_is af_xdp
	wait_for forwarder_runs
	answers
	counters_agree wt0
}
