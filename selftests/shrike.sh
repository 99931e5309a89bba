# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The command under test, on the router.

# shrike ARGUMENT...: in the router's network namespace, with the test's bpffs
shrike() {
	in_ns "$ROUTER" "$SHRIKE" "$@"
}

# policy NAME: standard input becomes $T/NAME.yaml, after the version
policy() {
	{
		echo "version: 1"
		cat
	} >"$T/$1.yaml"
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

# pins: the directory of the router's pins
pins() {
	echo "$SHRIKE_BPFFS/shrike/netns-$(stat -Lc %i "/run/netns/$ROUTER")"
}

# is_one_error_line TEXT [REGEX]: an error is one line that begins as promised
is_one_error_line() {
	is "lines of the error" 1 "$(grep -c . <<<"$1")"
	matches "the error" "${2:-^shrike: [^ ].*: .+}" "$1"
}

# The following read the JSON of the command; its shape is known here alone.

status_of() {
	shrike status "$1" -j | jq -r "(if type == \"array\" then .[0] else . end) | $2"
}

# dropped IFACE REASON: packets, both directions
dropped() {
	status_of "$1" "[.. | objects | .$2? // empty | .packets? // .] | add // 0"
}

# routing IFACE: native, userspace or disabled
routing() {
	status_of "$1" '.routing.mode? // .routing'
}

# attached IFACE: true or false
attached() {
	status_of "$1" '.attached'
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

# counters_agree IFACE: what came in is what passed, was forwarded or dropped, exactly
counters_agree() {
	is "packets without a verdict" "0 0" "$(status_of "$1" '.counters | [.ingress, .egress] |
		map(.seen.packets - ([.verdict[].packets] | add)) | join(" ")')"
}
