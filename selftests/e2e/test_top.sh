# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What `top` shows: numbers against what was sent, and the screen in a real terminal.

tests "veth tun" \
	rows_have_what_was_sent_also_by_connections_between_two_looks
tests veth \
	rows_are_by_peer_rule_destination_and_connection \
	rows_beyond_the_limit_are_summed_up \
	lines_are_for_people_and_bad_words_are_refused \
	a_screen_of_80_columns_leads_from_peers_to_the_trace_of_a_connection \
	an_echo_leads_to_the_trace_of_its_connection \
	a_wide_screen_shows_more_and_follows_its_size \
	keys_choose_what_is_shown \
	a_terminal_is_left_as_it_was \
	a_terminal_that_cannot_be_drawn_on_is_refused

# Nothing ends by itself while the test lasts.
top_policy() {
	policy top <<-EOF
		names: {anna: 100.64.0.2}
		timeouts: {icmp: 1h}
		peer_acl:
		  - {id: web, action: allow, source: [any], protocol: tcp, destination_ports: [8001]}
		  - {id: ping, action: allow, source: [anna], protocol: icmp}
		  - {id: no-dns, action: deny, source: [any], protocol: udp, destination_ports: [53]}
	EOF
	topology "$1"
	serve web "$ROUTER" tcp 0.0.0.0 8001
	run_shrike wt0 top
}

# sum JQ: over all intervals of process top; $s is the length of one, by which a rate is to be multiplied
sum() {
	jq -s "map(.seconds as \$s | $1) | add | round" "$T/top.out"
}

sum_is() {
	[ "$(sum "$2")" = "$1" ]
}

sums_agree() {
	[ "$(sum "$1")" = "$(sum "$2")" ]
}

has_told() {
	[ "$(jq -s length "$T/top.out")" -ge "$1" ]
}

# of_peer ADDRESS PATH: jq for what the row of a peer has there
of_peer() {
	echo "([.rows[] | select(.peer == \"$1\") | $2] | add // 0)"
}

test_rows_have_what_was_sent_also_by_connections_between_two_looks() {
	local i rate
	top_policy "$1"
	start top "$ROUTER" "$SHRIKE" top wt0 -i 0.4 -j
	wait_for has_told 1
	for i in 1 2 3; do
		pings ok "$PEER" 100.64.0.1 -s 72
		probe ok "$PEER" tcp 100.64.0.1 8001
	done
	session held "$PEER" tcp 100.64.0.1 8001
	talk held ok
	pings lost "$PEER" 100.64.0.1 -s 72 -I 100.64.0.3
	pings lost "$PEER" 100.64.0.1 -s 72 -I 100.64.0.3
	wait_for sum_is 7 "$(of_peer 100.64.0.2 .opened)"
	wait_for sum_is 2 "$(of_peer 100.64.0.3 .drops)"
	wait_for sum_is 2 "$(of_peer 100.64.0.3 .drop_reasons.peer_acl_default)"
	stop held
	wait_for sum_is 4 "$(of_peer 100.64.0.2 .ended)"
	# each packet that passed is of a connection of the peer, and each byte
	for rate in packets_per_s bytes_per_s; do
		wait_for sums_agree "$(of_peer 100.64.0.2 ".rx.$rate") * \$s" \
			"([.ingress.pass_reasons | .peer_acl_allowed, .established | .$rate] | add // 0) * \$s"
	done
	is "connections that are there" 3 "$(jq -s 'last | [.rows[].connections] | add' "$T/top.out")"
	is "lost" 0 "$(sum .lost_events)"
	stop top
	is "exit status" 0 $STATUS
}

test_rows_are_by_peer_rule_destination_and_connection() {
	local by
	top_policy "$1"
	for by in peer rule dest flow; do
		start "by-$by" "$ROUTER" "$SHRIKE" top wt0 -i 0.4 -j --by $by
		wait_for eval "[ -s $T/by-$by.out ]"
	done
	probe ok "$PEER" tcp 100.64.0.1 8001
	probe timeout "$PEER" udp 100.64.0.1 53
	wait_for has_row rule '.rule == "web" and .ended == 1 and .rx.bytes_per_s > 0'
	wait_for has_row rule '.rule == "no-dns" and .drop_reasons.peer_acl_denied == .drops and .drops > 0'
	wait_for has_row dest '.dst == "100.64.0.1" and .dport == 8001 and .protocol == "tcp" and .opened == 1'
	wait_for has_row flow '.src_name == "anna" and .sport > 0 and .dport == 8001 and .rule == "web" and .direction == "ingress"'
	wait_for has_row flow '.dport == 53 and .flow == null and .reason == "peer_acl_denied" and .rule == "no-dns" and .drops > 0'
	wait_for has_row peer '.peer == "100.64.0.2" and .peer_name == "anna" and .opened == 1'
	# the other listeners have their turn again
	for by in peer rule dest flow; do
		stop "by-$by"
	done
	session held "$PEER" tcp 100.64.0.1 8001
	expect 0 shrike top wt0 -i 0.05 -n 1 -j --by flow --rule web --numeric
	is "connections of a rule" "web" "$(jq -r '[.rows[] | "\(.rule)\(.src_name // "")"] | unique | join(" ")' <<<"$OUT")"
	expect 0 shrike top wt0 -i 0.05 -n 1 -j --by flow --dport 1
	is "none" 0 "$(jq '(.rows | length) + .connections' <<<"$OUT")"
}

# has_row BY JQ-CONDITION: in some interval
has_row() {
	jq -se "[.[].rows[] | select($2)] | length > 0" "$T/by-$1.out"
}

test_rows_beyond_the_limit_are_summed_up() {
	local port
	top_policy "$1"
	for port in 40001 40002 40003; do
		session "held$port" "$PEER" tcp 100.64.0.1 8001 -s 100.64.0.2 -p $port
	done
	start top "$ROUTER" "$SHRIKE" top wt0 -i 0.3 -j --by flow --rows 1 --sort rx
	wait_for has_told 1
	talk held40002 ok
	wait_for eval 'jq -se "[.[] | select(.rows[0].rx.packets_per_s > 0)] | length > 0" "$T/top.out"'
	is "the largest" 40002 "$(jq -rs '[.[] | .rows[0] | select(.rx.packets_per_s > 0)][0].sport' "$T/top.out")"
	is "the others" '[2,2]' "$(jq -cs 'last.others | [.rows, .connections]' "$T/top.out")"
	is "all" 3 "$(jq -s 'last.connections' "$T/top.out")"
	expect 0 shrike top wt0 -i 0.05 -n 1 --by flow --rows 1 -b
	matches "as a line" "\(2 others\) +0.0" "$OUT"
}

test_lines_are_for_people_and_bad_words_are_refused() {
	local word
	topology "$1"
	expect 1 shrike top wt0 -n 1
	is_one_error_line "$ERR" "^shrike: wt0: .*not attached"
	policy none </dev/null
	run_shrike wt0 none
	pings lost "$PEER" 100.64.0.1
	expect 0 shrike top -b -i 0.05 -n 2
	is "titles" 2 "$(grep -cE '^PEER +RX/S +TX/S +RXP/S +TXP/S +CONNS +NEW/S +DROP/S +REASON$' <<<"$OUT")"
	matches "of what" "^wt0  by peer, most bytes first  [0-9-]+T[0-9:]+Z  0\.[0-9] s  generation 1" "$OUT"
	is "blanks at the end" "" "$(grep ' $' <<<"$OUT")"
	expect 0 shrike top -i 0.05 -n 1 -h --by dest
	matches "with units" "in +0 p/s +0 B/s   pass +0  forward +0  drop +0" "$OUT"
	for word in "--by nobody" "--sort size" "--rows 0" "--rows 65537" "-n 0" "-i 0" "-i soon" "wt0 wt1" \
		"--state nowhere" "--rule"; do
		# shellcheck disable=SC2086
		expect 2 shrike top -b $word
		is_one_error_line "$ERR"
	done
	expect 2 shrike top wt0 -b -n 1 --rule nosuch
	is_one_error_line "$ERR" "rule nosuch: none in force has this id"
	# whose reader goes, within an interval of a day
	mkfifo "$T/pipe"
	start pipe "$ROUTER" sh -c 'exec "$0" top wt0 -i 86400 >"$1"' "$SHRIKE" "$T/pipe"
	head -c 0 <"$T/pipe"
	await_end pipe
	is "exit status without a reader" 0 $STATUS
	start top "$ROUTER" "$SHRIKE" top wt0 -i 0.05 -j
	wait_for has_told 1
	stop run-wt0
	await_end top
	is "exit status after the end of protection" 1 $STATUS
	is_one_error_line "$(cat "$T/top.err")" "^shrike: wt0: .*not attached"
}

# terminal NAME COLUMNS LINES [NAME=VALUE...]: a shell in a terminal of that size, with a prompt of its own
terminal() {
	local name=$1 columns=$2 lines=$3
	shift 3
	cat >"$T/$name.conf" <<-EOF
		set -g default-command "exec env PS1='ready> ' ENV= SHRIKE_BPFFS='$SHRIKE_BPFFS' $* dash"
		set -g status off
		set -s escape-time 0
		new-session -d -s main -x $columns -y $lines
	EOF
	start "$name" "$ROUTER" env -u TMUX -u NO_COLOR LC_ALL=C.UTF-8 "TMUX_TMPDIR=$T" \
		tmux -L "$name" -f "$T/$name.conf" -D
	wait_for shows "$name" "^ready> *$"
}

in_terminal() {
	TMUX_TMPDIR=$T tmux -L "$@"
}

# screen NAME: what is on it
screen() {
	in_terminal "$1" capture-pane -p -t main
}

# shows NAME REGEX: some line of the screen does; what was seen last is in the output of a test that fails
shows() {
	screen "$1" >"$T/screen-$1.out"
	grep -qE "$2" "$T/screen-$1.out"
}

# keys NAME KEY...: as tmux names them
keys() {
	in_terminal "$1" send-keys -t main "${@:2}"
}

# Only the prompt is left, so that what is typed next stands behind it.
shows_a_prompt_alone() {
	screen "$1" >"$T/screen-$1.out"
	[ "$(grep -v '^ *$' "$T/screen-$1.out")" = "ready>" ]
}

clear_screen() {
	keys "$1" clear Enter
	wait_for shows_a_prompt_alone "$1"
}

# top_in NAME OPTION...: runs in the terminal
top_in() {
	keys "$1" "$SHRIKE top wt0 -i 0.3 ${*:2}; echo status \$?" Enter
	wait_for shows "$1" "^wt0  by .*  generation 1"
}

# fits NAME COLUMNS: no line is wider, and none but the last of the screen is lost
fits() {
	is "widest line" "$2" "$(printf '%s\n' "$(screen "$1" | wc -L)" "$2" | sort -n | tail -n 1)"
}

# packets of a second peer that are dropped, all the time
noise() {
	start noise "$PEER" ping -n -i 0.2 -I 100.64.0.3 100.64.0.1
}

test_a_screen_of_80_columns_leads_from_peers_to_the_trace_of_a_connection() {
	top_policy "$1"
	session held "$PEER" tcp 100.64.0.1 8001 -s 100.64.0.2 -p 40001
	terminal tty 80 24
	top_in tty
	wait_for shows tty "^PEER +RX/S +TX/S +RXP/S +TXP/S +CONNS +NEW/S +DROP/S$"
	wait_for shows tty "^anna +0 +0 +0 +0 +1 +0 +0$"
	wait_for shows tty "^1 connections, 0/s new, 0/s ended$"
	fits tty 80
	noise
	wait_for shows tty "^drop/s: peer_acl_default "
	wait_for shows tty "^100.64.0.3 .* 0 +0 +[0-9.]+$"
	# the first row is the other peer, whose drops weigh more than an idle connection
	keys tty Down Enter
	wait_for shows tty "^CONNECTION +RX/S +TX/S +DROP/S STATE$"
	wait_for shows tty "^wt0  by flow, most bytes first, of anna  2"
	wait_for shows tty "^anna:40001>100.64.0.1:8001 tcp +0 +0 +0 established$"
	fits tty 80
	not shows tty "100.64.0.3" || die "what is of another peer is shown"
	keys tty Enter
	wait_for shows tty "^Connection Tracking: Connection opened by a peer"
	wait_for shows tty "^Final disposition: ALLOWED"
	keys tty Escape
	wait_for shows tty "^CONNECTION "
	keys tty Escape
	wait_for shows tty "^PEER "
	keys tty q
	wait_for shows tty "^status 0$"
}

test_an_echo_leads_to_the_trace_of_its_connection() {
	top_policy "$1"
	start pings "$PEER" ping -n -i 0.2 -q -I 100.64.0.2 100.64.0.1
	terminal tty 80 24
	top_in tty --by flow -p icmp
	wait_for shows tty "^anna>100.64.0.1 icmp .* icmp$"
	keys tty Home Enter
	wait_for shows tty "^Connection Tracking: Connection opened by a peer"
	keys tty q
	wait_for shows tty "^status 0$"
}

test_a_wide_screen_shows_more_and_follows_its_size() {
	top_policy "$1"
	session held "$PEER" tcp 100.64.0.1 8001 -s 100.64.0.2 -p 40001
	terminal tty 200 50
	top_in tty --by flow
	wait_for shows tty "^CONNECTION +RX/S +TX/S +RXP/S +TXP/S +DROP/S STATE +RULE$"
	wait_for shows tty "^anna:40001>100.64.0.1:8001 tcp +0 +0 +0 +0 +0 established +web$"
	keys tty p
	wait_for shows tty "^PEER .* DROP/S REASON$"
	noise
	wait_for shows tty "^100.64.0.3 .* [0-9.]+ peer_acl_default$"
	fits tty 200
	in_terminal tty resize-window -t main -x 80 -y 24
	wait_for shows tty "^PEER .* DROP/S$"
	fits tty 80
	in_terminal tty resize-window -t main -x 30 -y 5
	in_terminal tty resize-window -t main -x 104 -y 30
	wait_for shows tty "^PEER .* DROP/S REASON$"
	keys tty q
	wait_for shows tty "^status 0$"
}

test_keys_choose_what_is_shown() {
	local n
	top_policy "$1"
	for n in 1 2; do
		session "held$n" "$PEER" tcp 100.64.0.1 8001 -s "100.64.0.$((n + 1))" -p 40001
	done
	terminal tty 80 24
	top_in tty
	wait_for shows tty "^100.64.0.3 "
	keys tty r
	wait_for shows tty "^web +0 .* 2 +0 +0$"
	keys tty d
	wait_for shows tty "^100.64.0.1:8001 tcp .* 2 +0 +0$"
	keys tty ">"
	wait_for shows tty "by dest, most rx first"
	keys tty "<"
	wait_for shows tty "by dest, most bytes first"
	keys tty f
	wait_for shows tty "^anna:40001>"
	keys tty n
	wait_for shows tty "^100.64.0.2:40001>"
	keys tty / 0.3:
	wait_for shows tty "^only rows with: 0.3:_"
	keys tty Enter
	wait_for not shows tty "^100.64.0.2:40001>"
	wait_for shows tty "^100.64.0.3:40001>"
	keys tty Escape
	wait_for shows tty "^100.64.0.2:40001>"
	keys tty Space
	wait_for shows tty "^STOPPED"
	keys tty "?"
	wait_for shows tty "^Ctrl-L draw the screen anew"
	keys tty Escape q
	wait_for shows tty "^status 0$"
}

# settled NAME: what stty says of the terminal, for comparison, and its cursor
settled() {
	keys "$1" "stty -a >$T/$2; echo settled-$2" Enter
	wait_for shows "$1" "^settled-$2$"
	is "cursor is shown" 1 "$(in_terminal "$1" display-message -p -t main '#{cursor_flag}')"
	is "alternate screen" 0 "$(in_terminal "$1" display-message -p -t main '#{alternate_on}')"
}

# the_top: its process, as the terminal's shell has started it
the_top() {
	pgrep -P "$(in_terminal tty display-message -p -t main '#{pane_pid}')"
}

test_a_terminal_is_left_as_it_was() {
	local signal pid
	policy none </dev/null
	topology "$1"
	run_shrike wt0 none
	terminal tty 80 24
	settled tty before
	for signal in INT TERM; do
		top_in tty
		kill -$signal "$(the_top)"
		wait_for shows tty "^status 0$"
		settled tty after-$signal
		cmp "$T/before" "$T/after-$signal" || die "the terminal has changed"
		clear_screen tty
	done
	# a key stops it, and the shell continues it
	top_in tty
	keys tty C-z
	wait_for shows tty "Stopped"
	settled tty stopped
	cmp "$T/before" "$T/stopped" || die "the terminal has changed"
	keys tty fg Enter
	wait_for not shows tty "settled-stopped"
	wait_for shows tty "^PEER "
	is "cursor is hidden" 0 "$(in_terminal tty display-message -p -t main '#{cursor_flag}')"
	keys tty C-c
	wait_for eval '! the_top'
	settled tty after-stop
	cmp "$T/before" "$T/after-stop" || die "the terminal has changed"
	# one that goes away
	top_in tty
	pid=$(the_top)
	in_terminal tty kill-server
	await_end tty
	wait_for not kill -0 "$pid"
}

test_a_terminal_that_cannot_be_drawn_on_is_refused() {
	top_policy "$1"
	terminal tty 80 24
	keys tty "TERM=dumb $SHRIKE top wt0; echo status \$?" Enter
	wait_for shows tty "^shrike: terminal 'dumb' cannot be drawn on: use --batch, or set TERM"
	wait_for shows tty "^status 1$"
	clear_screen tty
	keys tty "env -u TERM $SHRIKE top wt0; echo status \$?" Enter
	wait_for shows tty "^shrike: terminal '' cannot be drawn on"
	clear_screen tty
	noise
	# without colours, cursor keys of its own, and characters of one byte
	keys tty "TERM=vt100 LC_ALL=C NO_COLOR=1 $SHRIKE top wt0 -i 0.3; echo status \$?" Enter
	wait_for shows tty "^100.64.0.3 "
	keys tty q
	wait_for shows tty "^status 0$"
}
