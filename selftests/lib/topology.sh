# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The network of the tests:
#
#	peer                  router                              lan
#	p0 100.64.0.2/16 ──── wt0 100.64.0.1/16
#	   fd64::2/64             fd64::1/64
#	   100.64.0.3             lan0 192.168.77.1/24 ────────── eth0 192.168.77.2/24
#	   fd64::3                     fd77::1/64                      fd77::2/64
#
# shrike protects wt0 of the router.  The link between peer and router is a veth pair (Ethernet),
# two TUN devices with a pump between them (IP without a link header, as WireGuard; "gso": which
# carry GSO packets, as those of wireguard-go since 2023), or WireGuard
# itself where the kernel has it, over a veth pair of its own (u0, under0; 10.90.0.0/30).  With
# PUMP_OPTIONS the link of veth pairs or TUN devices is a slow line: see tools/tunpump.c.  With
# PERSISTENT TUN devices outlive their pump.  A second
# overlay, wt1 to peer2 on 100.65.0.0/16 and fd65::/64, comes with add_overlay.

NAMESPACES=()
PEER=$ID-peer
PEER2=$ID-peer2
ROUTER=$ID-router
LAN=$ID-lan

make_namespace() {
	ip netns add "$1" || die "cannot make network namespace $1"
	NAMESPACES+=("$1")
	ip -n "$1" link set lo up
	# addresses are usable at once, and no router solicitations among the counted packets
	in_ns "$1" sysctl -qw net.ipv6.conf.all.accept_dad=0 \
		net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.router_solicitations=0
}

# pair NETNS_A DEVICE_A NETNS_B DEVICE_B MTU
pair() {
	ip link add "$2" netns "$1" mtu "$5" type veth peer name "$4" netns "$3" mtu "$5" ||
		die "cannot make the veth pair $2, $4"
}

# lay_line PEER_NETNS PEER_DEVICE ROUTER_DEVICE MTU: two veth pairs, and the slow line between them
lay_line() {
	local device ns line=$ID-line-$3
	make_namespace "$line"
	in_ns "$line" sysctl -qw net.ipv6.conf.all.disable_ipv6=1
	pair "$1" "$2" "$line" "$2" "$4"
	pair "$ROUTER" "$3" "$line" "$3" "$4"
	while read -r ns device; do
		# a cable carries packets as they are on the wire
		in_ns "$ns" ethtool -K "$device" tx off tso off gso off gro off >/dev/null 2>&1
		ip -n "$line" link set "$device" up
		ip -n "$ns" link set "$device" up
	done <<<"$1 $2"$'\n'"$ROUTER $3"
	# shellcheck disable=SC2086
	start "pump-$3" "$ROUTER" "$TOOLS/tunpump" -e $PUMP_OPTIONS "$line" "$2" "$line" "$3"
	wait_for grep -q ready "$T/pump-$3.out"
}

# plug LINK PEER_NETNS PEER_DEVICE ROUTER_DEVICE MTU: only the two devices
plug() {
	case $1 in
	veth)
		if [ -n "${PUMP_OPTIONS:-}" ]; then
			lay_line "${@:2}"
		else
			pair "$2" "$3" "$ROUTER" "$4" "$5"
		fi
		;;
	tun | gso)
		if [ -n "${PERSISTENT:-}" ]; then
			ip -n "$2" tuntap add mode tun name "$3"
			ip -n "$ROUTER" tuntap add mode tun name "$4"
		fi
		start_pump "$@"
		ip -n "$2" link set "$3" mtu "$5"
		ip -n "$ROUTER" link set "$4" mtu "$5"
		;;
	wireguard)
		lay_under "$2" "${3#p}"
		tunnel "$ROUTER" "$4" "$T/$3.key" "$T/$4.key" "10.90.${3#p}.2" "$5"
		tunnel "$2" "$3" "$T/$4.key" "$T/$3.key" "10.90.${3#p}.1" "$5"
		;;
	*) die "no such link: $1" ;;
	esac
}

# start_pump LINK PEER_NETNS PEER_DEVICE ROUTER_DEVICE: the cable between two TUN devices
start_pump() {
	# shellcheck disable=SC2046,SC2086
	start "pump-$4" "$ROUTER" "$TOOLS/tunpump" $([ "$1" = gso ] && echo -g) \
		${PUMP_OPTIONS:-} "$2" "$3" "$ROUTER" "$4"
	wait_for grep -q ready "$T/pump-$4.out"
}

# lay_under PEER_NETNS NUMBER: what the tunnel's own packets take, and keys for both ends
lay_under() {
	ip link add "u$2" netns "$1" type veth peer name "under$2" netns "$ROUTER" ||
		die "cannot make the veth pair u$2, under$2"
	give "$1" "u$2" "10.90.$2.2/30"
	give "$ROUTER" "under$2" "10.90.$2.1/30"
	(umask 077 && wg genkey >"$T/p$2.key" && wg genkey >"$T/wt$2.key") ||
		die "cannot make keys"
}

# tunnel NETNS DEVICE PEER_KEY_FILE KEY_FILE ENDPOINT MTU: one end
tunnel() {
	local port=5182${2#"${2%?}"}
	ip -n "$1" link add "$2" mtu "$6" type wireguard || die "cannot make the WireGuard device $2"
	in_ns "$1" wg set "$2" private-key "$4" listen-port "$port" peer "$(wg pubkey <"$3")" \
		allowed-ips 0.0.0.0/0,::/0 endpoint "$5:$port" || die "cannot set up $2"
}

# give NETNS DEVICE ADDRESS...: up, with these addresses
give() {
	local ns=$1 device=$2 address
	shift 2
	for address; do
		# shellcheck disable=SC2046
		ip -n "$ns" address add "$address" dev "$device" \
			$([[ $address == *:* ]] && echo nodad) || die "cannot add $address"
	done
	ip -n "$ns" link set "$device" up
}

# add_overlay LINK NUMBER PEER_NETNS MTU: wtNUMBER of the router and its peer
add_overlay() {
	local link=$1 n=$2 ns=$3 mtu=$4
	plug "$link" "$ns" "p$n" "wt$n" "$mtu"
	give "$ROUTER" "wt$n" "100.6$((4 + n)).0.1/16" "fd6$((4 + n))::1/64"
	give "$ns" "p$n" "100.6$((4 + n)).0.2/16" "100.6$((4 + n)).0.3/16" \
		"fd6$((4 + n))::2/64" "fd6$((4 + n))::3/64"
	# never chosen as a source unless it is asked for
	ip -n "$ns" address change "fd6$((4 + n))::3/64" dev "p$n" preferred_lft 0
	ip -n "$ns" route add default via "100.6$((4 + n)).0.1" src "100.6$((4 + n)).0.2"
	ip -n "$ns" -6 route add default via "fd6$((4 + n))::1" src "fd6$((4 + n))::2"
	wait_for device_is_ready "$ROUTER" "wt$n"
	wait_for device_is_ready "$ns" "p$n"
}

# No address of the device is tentative, and it has its carrier.
device_is_ready() {
	ip -n "$1" -br link show dev "$2" | grep -q LOWER_UP &&
		! ip -n "$1" -6 address show dev "$2" tentative | grep -q inet6
}

# remove_overlay LINK NUMBER: the devices vanish
remove_overlay() {
	ip -n "$ROUTER" link del "wt$2"
	[[ $1 == @(tun|gso) ]] && await_end "pump-wt$2"
	if [ "$1" = wireguard ]; then # whose other end would stay
		ip -n "$ROUTER" link del "under$2"
		ip -n "$([ "$2" = 0 ] && echo "$PEER" || echo "$PEER2")" link del "p$2"
	fi
	wait_for not ip -n "$ROUTER" link show "wt$2"
}

# topology LINK [MTU]: peer, router and lan, without forwarding
topology() {
	local ns
	for ns in "$PEER" "$ROUTER" "$LAN"; do
		make_namespace "$ns"
	done
	add_overlay "$1" 0 "$PEER" "${2:-1420}"
	ip link add lan0 netns "$ROUTER" type veth peer name eth0 netns "$LAN" ||
		die "cannot make the veth pair lan0, eth0"
	give "$ROUTER" lan0 192.168.77.1/24 fd77::1/64
	give "$LAN" eth0 192.168.77.2/24 fd77::2/64
	ip -n "$LAN" route add default via 192.168.77.1
	ip -n "$LAN" -6 route add default via fd77::1
	wait_for device_is_ready "$ROUTER" lan0
	wait_for device_is_ready "$LAN" eth0
}

# kernel_forwards 0|1: what `routing: auto` looks at
kernel_forwards() {
	in_ns "$ROUTER" sysctl -qw "net.ipv4.ip_forward=$1" \
		"net.ipv6.conf.all.forwarding=$1"
}

# use_family 4|6: sets FAMILY, and the addresses by their owner
use_family() {
	FAMILY=$1
	if [ "$1" = 4 ]; then
		ROUTER_IP=100.64.0.1 PEER_IP=100.64.0.2 PEER_OTHER_IP=100.64.0.3
		LAN_IP=192.168.77.2 ROUTER_LAN_IP=192.168.77.1 ANYWHERE=0.0.0.0
		IP_HEADER=20
	else
		ROUTER_IP=fd64::1 PEER_IP=fd64::2 PEER_OTHER_IP=fd64::3
		LAN_IP=fd77::2 ROUTER_LAN_IP=fd77::1 ANYWHERE=::
		IP_HEADER=40
	fi
}
