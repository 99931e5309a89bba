# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What every test uses: expectations, waiting, background processes, cleaning up.
#
# The first expectation that does not hold ends the test.  T is its directory, ID its prefix for
# names that others can see.  On an emulated machine SLOWNESS times the time is given.

declare -A PROCESS=()    # name -> pid of what start() started and stop() has not ended
declare -A SESSION_IN=() # name -> descriptor on which a session takes its orders
declare -A SESSION_OUT=()
AT_END=() # what at_end() was given

# die WHY: the test has failed.
die() {
	echo "$*" >"$T/why"
	echo "FAILED: $*"
	exit 1
}

# skip WHY: the test cannot be made here.
skip() {
	echo "$*" >"$T/why"
	exit 77
}

# is WHAT EXPECTED ACTUAL
is() {
	[ "$2" = "$3" ] || die "$1: expected '$2', got '$3'"
	echo "$1: $3"
}

# matches WHAT REGEX TEXT: an extended regular expression
matches() {
	[[ $3 =~ $2 ]] || die "$1: expected /$2/, got '$3'"
	echo "$1: $3"
}

# expect STATUS COMMAND...: runs it; OUT and ERR hold what it printed.
expect() {
	local wanted=$1 status
	shift
	"$@" >"$T/expect.out" 2>"$T/expect.err" </dev/null
	status=$?
	OUT=$(head -c 1000000 "$T/expect.out")
	ERR=$(head -c 100000 "$T/expect.err")
	[ $status -eq "$wanted" ] ||
		die "$*: expected exit status $wanted, got $status: ${ERR:0:300} ${OUT:0:300}"
	echo "exit status $status: $*"
}

# at_end COMMAND: a line of shell for when all processes of the test have ended; what it prints was left
at_end() {
	AT_END+=("$1")
}

# what nobody ever writes to: a read of it with a time limit is a pause without a process of its own
exec {PAUSE}<> <(:)

# wait_for [-t SECONDS] COMMAND...: until it succeeds.  It is given half a minute, which a test that fails
# takes, and one that passes on a busy machine; -t is for what is promised to be done by then.  Who
# has waited for long is in no hurry, and looking takes the processor from what is waited for.
wait_for() {
	local seconds=30 deadline wait pause=20 longest=150
	if [ "$1" = -t ]; then
		seconds=$2
		shift 2
	fi
	seconds=$((seconds * ${SLOWNESS:-1}))
	[ "${SLOWNESS:-1}" -eq 1 ] || pause=400 longest=400
	deadline=$((${EPOCHREALTIME//[!0-9]/} + seconds * 1000000))
	until "$@" >/dev/null 2>&1; do
		[ "${EPOCHREALTIME//[!0-9]/}" -lt $deadline ] || die "not so after $seconds s: $*"
		printf -v wait '0.%03d' $pause
		read -rt "$wait" -u "$PAUSE"
		pause=$((pause * 5 / 4))
		[ $pause -le $longest ] || pause=$longest
	done
}

# rounds FEW MANY: how often a fault is tried, MANY in `make soak`
rounds() {
	[ -n "${SOAK:-}" ] && echo "$2" || echo "$1"
}

# bytes N: how many to send where N are wanted; a tenth on an emulated machine
bytes() {
	echo $(($1 / (${SLOWNESS:-1} > 1 ? 10 : 1)))
}

# not COMMAND...: for wait_for
not() {
	! "$@"
}

# start NAME NETNS COMMAND...: in the background; its output goes to $T/NAME.out and .err.
start() {
	local name=$1 ns=$2
	shift 2
	# here, or who looks at once may see what an earlier one of this name has said
	: >"$T/$name.out"
	: >"$T/$name.err"
	# no function here: the pid must be that of the command, which nsenter becomes
	nsenter --net="/run/netns/$ns" -- "$@" >"$T/$name.out" 2>"$T/$name.err" </dev/null &
	PROCESS[$name]=$!
	echo "started $name, pid $!: ${*//"$T/"/}"
}

# stop NAME [SIGNAL]: ends what start() started; STATUS is its exit status.
stop() {
	local pid=${PROCESS[$1]}
	unset "PROCESS[$1]"
	kill -"${2:-TERM}" "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	STATUS=$?
	echo "stopped $1, pid $pid: exit status $STATUS"
}

# await_end NAME [SECONDS]: waits for it to end by itself; STATUS is its exit status.
await_end() {
	local pid=${PROCESS[$1]}
	wait_for -t "${2:-60}" not kill -0 "$pid"
	wait "$pid"
	STATUS=$?
	unset "PROCESS[$1]"
}

# in_ns NETNS COMMAND...: leaves mounts alone, unlike ip netns exec.
in_ns() {
	local ns=$1
	shift
	nsenter --net="/run/netns/$ns" -- "$@"
}

# serve NAME NETNS tcp|udp ADDR PORT: an echo server; its log is $T/NAME.log.
serve() {
	local name=$1 ns=$2
	shift 2
	start "$name" "$ns" "$TOOLS/peer" serve "$@" -l "$T/$name.log" >/dev/null
	wait_for grep -q ready "$T/$name.out"
}

# serve_all NETNS PORT: TCP and UDP over both families; their logs are
# $T/lan-PORT-udp4.log and so on, after the namespace.
serve_all() {
	local protocol
	for protocol in tcp udp; do
		serve "${1#"$ID"-}-$2-${protocol}4" "$1" $protocol 0.0.0.0 "$2"
		serve "${1#"$ID"-}-$2-${protocol}6" "$1" $protocol :: "$2"
	done
}

# probe OUTCOME NETNS tcp|udp ADDR PORT [OPTION...]: one exchange by tools/peer.c
probe() {
	local wanted=$1 ns=$2 patience=$((5000 * ${SLOWNESS:-1})) got
	shift 2
	[ "$wanted" = timeout ] && patience=600
	got=$(in_ns "$ns" "$TOOLS/peer" ask "${@:1:3}" -t $patience "${@:4}")
	is "$* from ${ns#"$ID"-}" "$wanted" "$got"
}

# pings OUTCOME NETNS ADDR [OPTION...]: ok or lost; OUT is what ping printed.
pings() {
	local wanted=$1 ns=$2 addr=$3 got=ok seconds=$((5 * ${SLOWNESS:-1}))
	shift 3
	[ "$wanted" = lost ] && seconds=0.6
	OUT=$(in_ns "$ns" ping -n -c 1 -W $seconds "$@" "$addr" 2>&1) ||
		got=lost
	is "ping $addr $* from ${ns#"$ID"-}" "$wanted" "$got"
}

# session NAME NETNS tcp|udp ADDR PORT [OPTION...]: a connection that stays, for talk
session() {
	local name=$1 ns=$2 in out
	shift 2
	mkfifo "$T/$name.in" "$T/$name.reply"
	exec {in}<>"$T/$name.in" {out}<>"$T/$name.reply"
	SESSION_IN[$name]=$in SESSION_OUT[$name]=$out
	nsenter --net="/run/netns/$ns" -- "$TOOLS/peer" hold "$@" <"$T/$name.in" \
		>"$T/$name.reply" &
	PROCESS[$name]=$!
	is "session $name, $*" ok "$(session_reply "$name")"
}

session_reply() {
	local line=silence
	read -rt $((25 * ${SLOWNESS:-1})) -u "${SESSION_OUT[$1]}" line
	echo "$line"
}

# talk NAME OUTCOME: one more exchange on the session.  TCP that has been cut for a while doubles
# its pauses between attempts, so success may take as long again.
talk() {
	local patience=$((20000 * ${SLOWNESS:-1}))
	[ "$2" = timeout ] && patience=1000
	echo $patience >&"${SESSION_IN[$1]}"
	is "session $1" "$2" "$(session_reply "$1")"
}

# The ids of all BPF programs that this test holds: in processes, by pins, on interfaces.
program_ids() {
	local pid pin ns
	for pid in "${PROCESS[@]}"; do
		cat /proc/"$pid"/fdinfo/* 2>/dev/null | sed -n 's/^prog_id:[[:space:]]*//p'
	done
	for pin in $(find "$SHRIKE_BPFFS" -name 'prog_*' 2>/dev/null); do
		bpftool -j prog show pinned "$pin" 2>/dev/null | jq '.id'
	done
	for ns in "${NAMESPACES[@]}"; do
		in_ns "$ns" "$TOOLS/hooks" list wt0 2>/dev/null |
			cut -d' ' -f2
	done
}

is_gone() {
	local id
	for id; do
		bpftool prog show id "$id" >/dev/null 2>&1 && return 1
	done
	return 0
}

# Leaves nothing, or says what stayed in $WORK/ID.leftover, for which the whole run fails.
clean_up() {
	local status=$? pid ns ids command
	trap - EXIT
	trap '' INT TERM HUP
	dump_output
	ids=$(program_ids | sort -un)
	for pid in "${PROCESS[@]}"; do
		kill -TERM "$pid" 2>/dev/null
	done
	for pid in "${PROCESS[@]}"; do
		timeout $((3 * ${SLOWNESS:-1})) tail --pid="$pid" -f /dev/null || kill -KILL "$pid" 2>/dev/null
	done
	for ns in "${NAMESPACES[@]}"; do
		ip netns del "$ns"
	done
	umount "$SHRIKE_BPFFS"
	# shellcheck disable=SC2086
	(wait_for is_gone $ids) >/dev/null ||
		echo "BPF programs" $ids >"$WORK/$ID.leftover"
	for command in "${AT_END[@]}"; do
		(eval "$command") >>"$WORK/$ID.leftover"
	done
	find "$T" -mindepth 1 ! -name why -delete
	exit $status
}

# What the background processes said, for the output of a test that failed.
dump_output() {
	local file
	for file in "$T"/*.out "$T"/*.err; do
		[ -s "$file" ] && [ "$(cat "$file")" != ready ] || continue
		echo "--- ${file##*/}"
		head -c 3000 "$file"
	done
}
