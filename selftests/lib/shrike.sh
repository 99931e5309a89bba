# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The command under test, on the router.

# shrike ARGUMENT...: in the router's network namespace, with the test's bpffs
shrike() {
	local run=(in_ns "$ROUTER" timeout $((60 * ${SLOWNESS:-1})) "$SHRIKE" "$@")
	# what is written to /dev/full is to fail here, and not in tee
	if [ -z "${JSON_CORPUS:-}" ] || [[ " $* " != *" -j "* ]] || [ -c /dev/fd/1 ]; then
		"${run[@]}"
		return
	fi
	# for tools/json_keys.py: the last of each command of each test; a reader may go before the end
	"${run[@]}" | tee -p "$JSON_CORPUS/$1-${2//[^a-z]/}-$ID"
	return "${PIPESTATUS[0]}"
}

# policy NAME: standard input becomes $T/NAME.yaml, after the version
policy() {
	{
		echo "version: 1"
		cat
	} >"$T/$1.yaml"
}

# another_version NAME SED-SCRIPT: $T/NAME, which must be another binary
another_version() {
	LC_ALL=C sed "$2" "$SHRIKE" >"$T/$1"
	chmod 755 "$T/$1"
	cmp -s "$SHRIKE" "$T/$1" && die "this is no other version"
	is "size" "$(stat -Lc %s "$SHRIKE")" "$(stat -c %s "$T/$1")"
}

# newer_version: $T/newer, which differs in its version alone
newer_version() {
	local version
	version=$("$SHRIKE" version -j | jq -r .version)
	# not among the versions of libraries: LIBBPF_0.1.0
	another_version newer "s/\\([^_0-9.]\\)${version//./\\.}/\\19.9.9/g"
	is "version" 9.9.9 "$("$T/newer" version -j | jq -r .version)"
}

# is_sanitized: built with SANITIZE=1, which takes more memory, and terabytes of addresses
is_sanitized() {
	grep -q __asan_init "$SHRIKE"
}

# programs IFACE: what the kernel runs there, a line per program
programs() {
	local direction
	in_ns "$ROUTER" "$TOOLS/hooks" list "$1" || return 1
	for direction in ingress egress; do
		tc -n "$ROUTER" filter show dev "$1" $direction 2>/dev/null |
			sed -n "s/.* bpf .*handle.*/clsact\/$direction &/p"
	done
}

# is_linux VERSION: or later
is_linux() {
	[ "$(printf '%s\n%s\n' "$1" "$(uname -r)" | sort -V | head -n 1)" = "$1" ]
}

# has_tcx: Linux 6.6 or later
has_tcx() {
	is_linux 6.6
}

# is_protected IFACE: both directions have a program
is_protected() {
	local found
	found=$(programs "$1") && [[ $found == *xdp* || $found == */ingress* ]] &&
		[[ $found == */egress* ]]
}

is_bare() {
	[ -z "$(programs "$1")" ]
}

# programs_are IFACE LINES: as programs() gave them before
programs_are() {
	[ "$(programs "$1")" = "$2" ]
}

# run_shrike IFACE POLICY [NAME=VALUE...]: `shrike run` in the background as process run-IFACE
run_shrike() {
	local iface=$1 policy=$2
	shift 2
	start "run-$iface" "$ROUTER" env "$@" "$SHRIKE" run "$iface" -c "$T/$policy.yaml"
	until_protected "$iface"
}

# until_protected IFACE: or until run gives up
until_protected() {
	wait_for is_protected_or_over "$1"
	kill -0 "${PROCESS[run-$1]}" 2>/dev/null || die "run ended: $(cat "$T/run-$1.err")"
}

is_protected_or_over() {
	is_protected "$1" || ! kill -0 "${PROCESS[run-$1]}" 2>/dev/null
}

# The table of confirmed TCP connections over IPv4, by its name; bpftool shows its entries
CT_TCP4=ct_tcp4_v2

# pins: the directory of the router's pins
pins() {
	echo "$SHRIKE_BPFFS/shrike/netns-$(stat -Lc %i "/run/netns/$ROUTER")"
}

# nothing_is_pinned: the kernel's own pins, which the first bpffs of a machine gets, aside
nothing_is_pinned() {
	is "pins" "" "$(find "$SHRIKE_BPFFS/shrike" -mindepth 1 ! -name 'netns-*' 2>/dev/null)"
}

# is_one_error_line TEXT [REGEX]: an error is one line that begins as promised
is_one_error_line() {
	is "lines of the error" 1 "$(grep -c . <<<"$1")"
	matches "the error" "${2:-^shrike: [^ ].*: .+}" "$1"
}

# The following read what the command prints for programs; its shape is known here alone.

# status_of IFACE JQ-FILTER
status_of() {
	shrike status "$1" -j | jq -r ".[0] | $2"
}

# dropped IFACE REASON: packets that came in
dropped() {
	status_of "$1" ".counters.ingress.drop_reasons.$2.packets // 0"
}

# routing IFACE: native, userspace or disabled
routing() {
	status_of "$1" .routing
}

# is_attached IFACE: what status says, which must be what the kernel says
is_attached() {
	[ "$(status_of "$1" .attached)" = true ]
}

# connections IFACE: how many are tracked
connections() {
	shrike conntrack count "$1"
}

connections_reach() {
	[ "$(connections "$1")" -ge "$2" ]
}

RULE_IDS='[.. | objects | .id? // empty] | join(" ")'

# rule_is_in_force IFACE ID
rule_is_in_force() {
	shrike policy show "$1" -j | jq -e --arg id "$2" '[.. | objects | .id?] | index($id)' \
		>/dev/null
}

# traffic_of_wt0: what the device itself has counted, whatever the dataplane says
traffic_of_wt0() {
	ip -n "$ROUTER" -s -j link show dev wt0 |
		jq -c '.[0].stats64 | [.rx.packets, .tx.packets]'
}

# counters_agree IFACE: what came is what passed, was forwarded or dropped, exactly, and what was
# forwarded is received, relayed or in a loss that has a name.  Packets may be on their way while the
# counters are read, so it has to become true, not to be true at once.
counters_agree() {
	wait_for counters_agree_now "$1"
	echo "counters of $1: $(status_of "$1" "[.counters[] | .seen.packets] | join(\" in, \")") out"
}

counters_agree_now() {
	status_of "$1" '.counters | [.ingress, .egress, .uplink] | map(
		.residue == 0 and
		.seen.packets == .pass.packets + .forward.packets +
			([.drop_reasons[].packets] | add // 0) and
		.seen.bytes == .pass.bytes + .forward.bytes +
			([.drop_reasons[].bytes] | add // 0) and
		.drop.packets == ([.drop_reasons[].packets] | add // 0) and
		.pass.packets + .forward.packets == ([.pass_reasons[].packets] | add // 0)
	) | all' | grep -qx true &&
		status_of "$1" '.forwarder | (.unreceived // 0) == 0 and (.unrelayed // 0) == 0' |
		grep -qx true &&
		status_of "$1" '.nat == null or .nat.unsent == 0' |
		grep -qx true
}
