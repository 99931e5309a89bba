# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What all commands have in common: help at each level, a manual and a completion that know them,
# errors of one line, JSON.

tests "file" \
	help_manual_and_completion_agree \
	completions_are_made_of_the_help \
	bash_zsh_and_fish_complete \
	manuals_and_help_fit_80_columns \
	the_manual_of_scenarios_has_every_key_and_an_example_that_holds \
	every_command_and_reason_is_reached \
	mistakes_are_one_line_and_status_2 \
	nothing_that_is_named_controls_the_terminal \
	pins_are_those_of_the_manual \
	fields_of_connections_are_those_of_the_manual \
	the_example_of_the_classifier_page_is_what_the_programs_have \
	policies_of_the_documents_are_valid \
	files_that_the_documents_name_exist \
	the_example_of_testing_policies_prints_what_the_page_says

tests "veth" \
	what_prints_data_prints_json \
	all_commands_count_the_same_rules \
	failures_are_one_line_and_status_1

# commands WORD...: each command below, a line each, families left out
commands() {
	local word words=0
	while read -r word; do
		words=1
		commands "$@" "$word"
	done < <("$SHRIKE" "$@" --help | sed -n '/^usage: .* COMMAND /,$s/^  \([a-z]*\) .*/\1/p')
	[ $words = 1 ] || echo "$*"
}

# long_options WORD...: that the help of a command names
long_options() {
	"$SHRIKE" "$@" --help | grep -E '^usage|^ +-' | grep -o -- '--[a-z][a-z0-9-]*' | sort -u
}

# completes WANTED WORD...: whether completing an empty or begun last word offers it
completes() {
	local wanted=$1
	shift
	COMP_WORDS=(shrike "$@") COMP_CWORD=$#
	COMPREPLY=()
	_shrike
	[[ " ${COMPREPLY[*]} " == *" $wanted "* ]]
}

test_help_manual_and_completion_agree() {
	local command words option tree=$SELFTESTS/.. n=0
	local manual=$T/manual
	expect 0 "$SHRIKE" --help
	man --local-file --ascii "$tree/docs/man/shrike.8" 2>/dev/null | tr -s ' \n' ' ' >"$manual"
	. "$tree/dist/shrike.bash-completion"
	compopt() { :; }
	while read -r command; do
		n=$((n + 1))
		read -ra words <<<"$command"
		expect 0 "$SHRIKE" "${words[@]}" --help
		matches "help of $command" "^usage: shrike $command" "$OUT"
		grep -q -- "shrike $command" "$manual" ||
			grep -q -- " ${words[0]} [a-z |]*${words[1]:-}" "$manual" ||
			die "shrike.8 does not know the command $command"
		completes "${words[-1]}" "${words[@]:0:${#words[@]}-1}" "" ||
			die "the completion does not offer $command"
		for option in $(long_options "${words[@]}"); do
			grep -q -- "$option" "$manual" || die "shrike.8 lacks $option of $command"
			completes "$option" "${words[@]}" -- ||
				die "the completion of $command does not offer $option"
		done
	done < <(commands)
	[ "$n" -ge 20 ] || die "only $n commands were found"
}

test_completions_are_made_of_the_help() {
	mkdir "$T/made"
	expect 0 /usr/bin/python3 "$TREE/dist/completion" "$SHRIKE" "$TREE" "$T/made"
	for file in shrike.bash-completion _shrike shrike.fish; do
		cmp "$T/made/$file" "$TREE/dist/$file" || die "dist/$file is another one: make completion"
	done
}

# offers SHELL WORD...: what the shell completes the last word with, in one line
offers() {
	local shell=$1
	shift
	case $shell in
	bash)
		completes "" "$@"
		echo "${COMPREPLY[*]}"
		;;
	zsh)
		zsh -fc 'compadd() { shift; print -r -- "$@" }
			_files() { print files }
			source "$1" && shift && words=(shrike "$@") CURRENT=$(($# + 1)) && _shrike' \
			zsh "$TREE/dist/_shrike" "$@"
		;;
	fish)
		HOME=$T fish --no-config -c 'source $argv[1]; complete -C "shrike $argv[2..-1]"' \
			"$TREE/dist/shrike.fish" "$@" | sed 's/\t.*//' | tr '\n' ' '
		;;
	esac
}

test_bash_zsh_and_fish_complete() {
	local shell
	. "$TREE/dist/shrike.bash-completion"
	compopt() { :; }
	ln -s "$SHRIKE" "$T/shrike"
	PATH=$T:$PATH
	for shell in bash zsh fish; do
		matches "commands in $shell" "(^| )conntrack( |$)" "$(offers $shell "")"
		matches "their members" "(^| )apply( |$)" "$(offers $shell policy "")"
		matches "options" "(^| )--check( |$)" "$(offers $shell status --c)"
		is "options that are none" "" "$(offers $shell conntrack list - | tr ' ' '\n' |
			grep -vxE -- '-[a-z0-9]|--[a-z0-9-]+')"
		matches "reasons" "(^| )peer_acl_default( |$)" "$(offers $shell trace live --reason peer)"
		matches "states" "(^| )established( |$)" "$(offers $shell conntrack list --state "")"
		matches "words" "(^| )replace( |$)" "$(offers $shell policy set wt0 name "")"
		is "a number" "" "$(offers $shell stats --interval "")"
		matches "behind a value" "(^| )--dport( |$)" "$(offers $shell trace in --sport 5 --d)"
	done
	matches "files in bash" "Makefile" "$(cd "$TREE" && offers bash policy check Make)"
	matches "files in zsh" "^files$" "$(offers zsh policy check "")"
}

test_manuals_and_help_fit_80_columns() {
	local page
	for page in "$TREE"/docs/man/*.[578]; do
		MANWIDTH=80 man --local-file --ascii --warnings "$page" >"$T/manual" 2>"$T/warnings"
		is "warnings about ${page##*/}" "" "$(grep -v 'will not fit on one page' "$T/warnings")"
		[ "$(LC_ALL=C.UTF-8 wc -L <"$T/manual")" -le 80 ] || die "${page##*/} has longer lines"
	done
	while read -ra page; do
		expect 0 "$SHRIKE" "${page[@]}" --help
		is "long lines in the help of ${page[*]}" "" "$(awk 'length > 80' <<<"$OUT")"
	done < <(commands)
}

# scenario_keys: that the parser knows, from its tables of fields
scenario_keys() {
	find "$TREE/loader" \( -name scenario.c -o -name fields.c -o -name expectation.c \) \
		-exec sed -nE 's/^\t\t\{"([a-z_]+)", (NULL|[a-z_]*read[a-z_0-9]*), .*/\1/p' {} + | sort -u
}

test_the_manual_of_scenarios_has_every_key_and_an_example_that_holds() {
	local key page=$TREE/docs/man/shrike-scenario.5
	for key in $(scenario_keys); do
		grep -qE "^\.(B|BR) (.* )?\"?$key\\b|[{ ]$key: " "$page" || die "$page lacks $key"
	done
	is "enough keys" yes "$([ "$(scenario_keys | wc -l)" -ge 30 ] && echo yes)"
	sed -n '/^\.nf/,/^\.fi/{//!p}' "$page" >"$T/example.yaml"
	expect 0 "$SHRIKE" simulate "$T/example.yaml"
	is "the example" "3 passed, 0 failed" "$(tail -n 1 <<<"$OUT")"
}

# What needs more than a scenario: a run without a forwarder, a fault of ours, an uplink, and peers that
# are blocked, who are no part of a policy.
test_every_command_and_reason_is_reached() {
	local word reason n=0
	expect 0 "$SHRIKE" --help
	for word in $(sed -nE 's/^const struct command command_([a-z]+) = .*/\1/p' \
		"$TREE"/loader/cli/cmd_*.c "$TREE/loader/main.c"); do
		n=$((n + 1))
		grep -q "^  $word " <<<"$OUT" || die "COMMANDS of command.h lacks $word"
	done
	is "enough commands" yes "$([ "$n" -ge 12 ] && echo yes)"
	for reason in $(grep -oE 'REASON\([A-Z_]+, "[a-z_]+"' "$TREE/include/reason.h" | cut -d '"' -f 2); do
		case $reason in
		no_forwarder | outbound | internal | blocked) continue ;;
		uplink_down | no_neighbour | link_multicast | no_port | no_flow | ttl | too_big) continue ;;
		esac
		grep -qrE "reason: $reason\>" "$TREE/selftests/scenarios" || die "no scenario ends with $reason"
	done
}

# is_a_mistake ARGUMENT...
is_a_mistake() {
	expect 2 "$SHRIKE" "$@"
	is "output of $*" "" "$OUT"
	is_one_error_line "$ERR" "^(shrike: [^ ][^:]*: .+|$T/[a-z.]+:[0-9]+:[0-9]+: [^ ].*)$"
}

test_mistakes_are_one_line_and_status_2() {
	local command words
	while read -r command; do
		read -ra words <<<"$command"
		is_a_mistake "${words[@]}" --no-such-option
		is_a_mistake "${words[@]}" -Z
		# files, of which each has an error
		[ "$command" = simulate ] || is_a_mistake "${words[@]}" a b c d
	done < <(commands)
	for command in nonsense "policy nonsense" "policy check" "policy check $T/none.yaml" \
		"policy check $T" "policy apply" "policy diff" "policy import netbird" \
		"policy import netbird $T/none.json" "run lo -c" "run lo -c $T/none.yaml" \
		"attach lo -c $T/none.yaml" "attach a/b" "status a:b" "status ." \
		"status far-too-long-for-a-name" "conntrack list lo -p no-protocol" \
		"conntrack list lo --src 10.0.0" "conntrack list lo --dst 10.0.0.1/8" \
		"conntrack list lo --sport 65536" "conntrack list lo --dport 9-8" \
		"conntrack list lo --state open" "conntrack list lo -4 -6" \
		"monitor lo -c 0" "monitor lo --src ::1/129" "stats lo -n 0" \
		"stats lo --interval 0" "trace in 10.0.0.1" "trace in 10.0.0.1 10.0.0.2 -p no-protocol" \
		"trace in 10.0.0.1 10.0.0.2 --sport 65536" "trace in 10.0.0.1 10.0.0.2 -p udp --ack" \
		"trace in 10.0.0.1 10.0.0.2 --icmp-type 8" "trace live --every 0" \
		"trace live --reason none" "trace live --verdict maybe" "trace live --host x" \
		"trace live --duration soon" "simulate" "simulate $T/none.yaml" \
		"simulate $T/x.yaml"; do
		read -ra words <<<"$command"
		is_a_mistake "${words[@]}"
	done
	is_a_mistake trace in 10.0.0.1
	matches "the command that an error names" "^shrike: trace in: " "$ERR"
	is_a_mistake status ""
	is_a_mistake status $'a\nb'
}

test_nothing_that_is_named_controls_the_terminal() {
	local name=$'a\e[31m\n\r\xc2\x9b\x7f.yaml' words
	mkdir "$T/folder"
	echo "version: 1" >"$T/folder/$name"
	for words in "" "status --" "status " "conntrack list " "policy check $T/no-" \
		"policy check $T/folder/" "simulate $T/no-" "simulate $T/folder/" \
		"attach lo -c $T/folder/" "run lo -c $T/folder/" "simulate "; do
		read -ra words <<<"${words}X"
		words[-1]=${words[-1]/%X/$name}
		[ "${words[*]}" != "simulate $name" ] || words[1]=$T/folder
		is_a_mistake "${words[@]}"
		[[ $ERR != *[$'\e\r\x7f']* && $ERR != *$'\xc2\x9b'* ]] || die "$(cat -v <<<"$ERR")"
	done
	matches "the error" "/a.\[31m......yaml: a file name with control characters$" "$ERR"
}

test_pins_are_those_of_the_manual() {
	local pin n=0
	topology veth
	policy none <<<"mode: {routing: disabled}"
	expect 0 shrike attach wt0 -c "$T/none.yaml"
	man --local-file --ascii "$SELFTESTS/../docs/man/shrike-maps.7" >"$T/manual" 2>/dev/null
	for pin in "$(pins)"/wt0/*; do
		n=$((n + 1))
		grep -qw -- "${pin##*/}" "$T/manual" || die "shrike-maps.7 does not know ${pin##*/}"
	done
	[ "$n" -ge 30 ] || die "only $n pins were found"
	expect 0 shrike detach wt0
}

# fields_of_connections: of struct flow, padding aside
fields_of_connections() {
	sed -nE '/^struct flow \{/,/^\};/s/^\t[^;]*[ \t]([a-z_]+)(\[2\])?;.*/\1/p' "$TREE/include/flow.h"
}

test_fields_of_connections_are_those_of_the_manual() {
	local field
	[ "$(fields_of_connections | wc -l)" -ge 15 ] || die "only $(fields_of_connections) are found"
	for field in $(fields_of_connections); do
		grep -qE "^\.It Fa (.* , Fa )?$field\b" "$TREE/docs/man/shrike-maps.7" ||
			die "shrike-maps.7 does not know $field"
	done
}

# words of the rows in force, and those of the page: bits of guests, web and ssh from the lowest one
rows_in_force() {
	bpftool -j map dump pinned "$(pins)/wt0/class_line_v1" | jq '.[].formatted.value.word[0]'
}

rows_of_page() {
	awk -F ' *\\| *' '$2 ~ /^[0-9]+$/ { print $6 + 2 * $7 + 4 * $8 }' "$1"
}

test_the_example_of_the_classifier_page_is_what_the_programs_have() {
	local page=$SELFTESTS/../docs/classifier.md
	topology veth
	sed -n '/^```yaml/,/^```/{//!p}' "$page" >"$T/three.yaml"
	expect 0 shrike attach wt0 -c "$T/three.yaml"
	is "rows" "$(rows_of_page "$page")" "$(rows_in_force)"
	expect 0 shrike trace in 100.64.40.200 self -p tcp --sport 50000 --dport 22 -v
	is "trace" "$(sed -n '/^# shrike trace/,/^```/{//!p}' "$page" | sed 1d)" "$(sed '/./,$!d' <<<"$OUT")"
	expect 0 shrike detach wt0
}

# named_files: that documents name by their path from the top of the tree
named_files() {
	grep -ohE '`(bpf|docs|dist|include|loader|selftests|tests|vmlinux)/[^` ]*`' \
		"$TREE"/*.md "$TREE"/docs/*.md | tr -d '`' | sort -u
}

test_files_that_the_documents_name_exist() {
	local pattern
	[ "$(named_files | wc -l)" -ge 20 ] || die "only $(named_files | wc -l) are named"
	while read -r pattern; do
		[ -n "$(compgen -G "$TREE/$pattern")" ] || die "there is no $pattern"
	done < <(named_files)
}

# yaml_block FILE N: its Nth block of YAML
yaml_block() {
	awk -v n="$2" '/^```$/ { inside = 0 } inside { print } /^```yaml$/ { inside = ++seen == n }' "$1"
}

test_policies_of_the_documents_are_valid() {
	local name
	yaml_block "$TREE/README.md" 1 >"$T/readme.yaml"
	sed -n '/^\.SH EXAMPLES/,$p' "$TREE/docs/man/shrike-policy.5" |
		sed -n '/^\.nf/,/^\.fi/{//!p}' >"$T/manual.yaml"
	cp "$TREE/dist/example.yaml" "$T/dist.yaml"
	expect 0 "$SHRIKE" policy check "$T/dist.yaml"
	is "warnings about the example" "" "$(grep warning <<<"$OUT$ERR")"
	for name in readme manual dist; do
		expect 0 "$SHRIKE" policy check "$T/$name.yaml"
	done
}

test_the_example_of_testing_policies_prints_what_the_page_says() {
	local page=$TREE/docs/testing-policies.md
	yaml_block "$page" 1 >"$T/wt0.yaml"
	yaml_block "$page" 2 >"$T/wt0.test.yaml"
	expect 0 "$SHRIKE" simulate "$T/wt0.test.yaml"
	is "the output" "$(sed -n '/^\$ sudo shrike simulate/,/^```/{//!p}' "$page" | sed -n '1,/ passed/p')" "$OUT"
}

# is_json COMMAND...: it prints one JSON value or more
is_json() {
	expect 0 shrike "$@"
	jq -es 'length > 0' <<<"$OUT" >/dev/null 2>&1 || die "$*: not JSON: ${OUT:0:200}"
}

test_what_prints_data_prints_json() {
	topology "$1"
	printf '%s\n' 'policy: {version: 1}' 'packets:' \
		'  - {direction: in, src: 10.0.0.1, dst: 10.0.0.2, protocol: icmp}' >"$T/scenario.yaml"
	policy json <<-EOF
		mode: {routing: disabled}
		peer_acl: [{id: ping, action: allow, source: [any], protocol: icmp}]
		sets: {some: [10.0.0.1]}
	EOF
	expect 0 shrike attach wt0 -c "$T/json.yaml"
	pings ok "$PEER" 100.64.0.1
	is_json status -j
	is_json status wt0 --json
	is_json stats -n 2 --interval 0.05 -j
	is_json policy check "$T/json.yaml" -j
	is_json policy show -j
	is_json policy diff "$T/json.yaml" -j
	is_json policy set some add 10.0.0.2 -j
	is "what the set has" '{"schema":2,"interface":"wt0","set":"some","added":1,"removed":0,"unchanged":0,"renewed":0,"prefixes":2,"saved":false}' \
		"$OUT"
	is_json conntrack list -j
	is_json conntrack count -j
	is_json trace in 100.64.0.2 self -p icmp -j
	is_json trace out self 100.64.0.2 -j
	is_json simulate "$T/scenario.yaml" -j
	is_json doctor -j
	is_json doctor wt0 -j
	is_json version -j
	is_json conntrack flush -j
	expect 0 shrike detach
	is_json status -j
}

test_all_commands_count_the_same_rules() {
	topology "$1"
	policy two <<-EOF
		mode: {routing: userspace} # which has a built-in rule besides
		peer_acl: [{id: a, action: allow, source: [any], protocol: icmp}]
		route_acl: [{id: b, action: allow, source: [any], protocol: icmp}]
	EOF
	run_shrike wt0 two
	is "status -j" 2 "$(status_of wt0 .rules)"
	is "policy show -j" 2 "$(shrike policy show -j | jq .rules)"
	is "policy check -j" 2 "$("$SHRIKE" policy check "$T/two.yaml" -j | jq .rules)"
	matches "run" "[:;] 2 rules," "$(cat "$T/run-wt0.out")"
	pings ok "$PEER" 100.64.0.1
	expect 0 shrike policy apply wt0 "$T/two.yaml"
	is "hits that are carried over" 1 \
		"$(shrike policy show -j | jq '.peer_acl[0].hits.packets')"
}

# fails ARGUMENT...
fails() {
	expect 1 shrike "$@"
	is_one_error_line "$ERR" "^shrike: [^ ][^:]*: .+$"
}

test_failures_are_one_line_and_status_1() {
	local command words
	topology "$1"
	policy none </dev/null
	fails attach wt0 -c "$T/none.yaml" # userspace routing
	for command in "policy apply $T/none.yaml" "policy show" "policy diff $T/none.yaml" \
		"policy confirm" "policy set a add 10.0.0.1" "conntrack list" "conntrack count" \
		"conntrack flush" "conntrack watch" monitor flowlog stats "trace in 10.0.0.1 10.0.0.2" \
		"trace live" "run none0" "attach none0" "status none0" "run lo"; do
		read -ra words <<<"$command"
		fails "${words[@]}"
	done
	is "pins" "" "$(find "$SHRIKE_BPFFS/shrike" -mindepth 1 ! -name 'netns-*' 2>/dev/null)"
}
