# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# From files into force and back: included files, what is exported and saved, and what has changed.

tests "veth" \
	a_policy_of_several_files_is_in_force_and_exported_as_one \
	what_is_exported_gives_the_same_when_it_is_applied \
	sets_are_saved_to_the_file_that_they_come_from \
	a_file_is_the_same_wherever_a_command_is_typed \
	the_history_says_who_has_changed_what_and_gives_it_back \
	the_history_is_bounded_and_a_policy_comes_into_force_without_it \
	the_history_of_a_namespace_that_has_gone_is_nobody_elses \
	blocks_push_no_policy_out_of_the_history

round_policy() {
	mkdir -p "$T/rules.d"
	policy main <<-EOF
		# of this host
		include: rules.d   # the others
		mode: {routing: disabled}
		peer_acl:
		  - {id: own, description: for admins, action: allow, source: [set:corp, anna], protocol: tcp}
		sets:
		  corp:
		    - 10.0.0.0/8   # head office
	EOF
	cat >"$T/rules.d/10-friends.yaml" <<-EOF
		names: {anna: 100.64.0.2}
		sets:
		  friends: ["192.0.2.1"] # and family
		peer_acl:
		  - {id: ping, action: deny, source: [set:friends], protocol: icmp}
	EOF
}

# file_state: how the policy in force compares with its file
file_state() {
	shrike policy show wt0 -j | jq -r .file
}

# rules_in_force: without what changes by itself
rules_in_force() {
	shrike policy show wt0 -j | jq -c '[.mode, .peer_acl, .route_acl, .sets, .names]'
}

test_a_policy_of_several_files_is_in_force_and_exported_as_one() {
	topology "$1"
	round_policy
	run_shrike wt0 main
	is "the rules" "own ping" "$(shrike policy show wt0 -j | jq -r '[.peer_acl[].id] | join(" ")')"
	is "the file" same "$(file_state)"
	expect 0 shrike policy show wt0
	matches "the rules" "for admins" "$OUT"
	matches "the sets" "corp +1 +10.0.0.0/8.friends +1 +192.0.2.1" "$OUT"
	expect 0 shrike trace in 192.0.2.1 100.64.0.1 -p icmp -i wt0 -v
	matches "the explanation" "Denied by rule ping \\($T/rules.d/10-friends.yaml:5\\)" "$OUT"
	echo 'route_acl: [{id: bad, action: allow, sauce: any}]' >"$T/rules.d/20.yaml"
	expect 2 shrike policy apply wt0 "$T/main.yaml"
	matches "the error" "^$T/rules.d/20.yaml:1:38: unknown key 'sauce'" "$ERR"
	is "the file" differs "$(file_state)"
	sed -i 's/sauce/source/' "$T/rules.d/20.yaml"
	expect 0 shrike policy show wt0
	matches "the mark" "not what $T/main.yaml says now" "$OUT"
	# a reload follows
	kill -HUP "${PROCESS[run-wt0]}"
	wait_for rule_is_in_force wt0 bad
	is "the file" same "$(file_state)"
	rm -r "$T/rules.d"
	is "the file" differs "$(file_state)"
	# the text in force needs no files
	expect 0 shrike policy set wt0 friends add 192.0.2.2
	rule_is_in_force wt0 bad || die "the included rule has gone"
}

test_what_is_exported_gives_the_same_when_it_is_applied() {
	local before
	topology "$1"
	round_policy
	run_shrike wt0 main
	expect 0 shrike policy set wt0 corp add 172.16.0.0/12
	expect 0 shrike policy set wt0 friends replace fd64::/64 192.0.2.7
	before=$(rules_in_force)
	expect 0 shrike policy export wt0
	printf '%s\n' "$OUT" >"$T/exported.yaml"
	matches "comments stay" "^version: 1.# of this host.# include: rules.d" "$OUT"
	matches "a line is added" "    - 10.0.0.0/8   # head office.    - 172.16.0.0/12" "$OUT"
	matches "brackets are filled" "friends: \\[\"192.0.2.7\", \"fd64::/64\"\\] # and family" "$OUT"
	rm -r "$T/rules.d"
	expect 0 shrike policy check "$T/exported.yaml"
	expect 0 shrike policy apply wt0 "$T/exported.yaml"
	is "what is in force" "$before" "$(rules_in_force)"
	is "the file" same "$(file_state)"
	expect 0 shrike policy export wt0
	is "what is exported again" "$(cat "$T/exported.yaml")" "$OUT"
	expect 0 shrike policy export wt0 -j
	is "as JSON" "$(cat "$T/exported.yaml")" "$(jq -r 'select(.schema == 2).text' <<<"$OUT")"
	expect 2 shrike policy export wt0 more
}

test_sets_are_saved_to_the_file_that_they_come_from() {
	topology "$1"
	round_policy
	chmod 640 "$T/rules.d/10-friends.yaml"
	run_shrike wt0 main
	expect 0 shrike policy set wt0 friends add 192.0.2.9 --save
	matches "it said" "1 added, 0 removed, 2 now, saved" "$OUT"
	is "the line" '  friends: ["192.0.2.1", "192.0.2.9"] # and family' \
		"$(grep friends: "$T/rules.d/10-friends.yaml")"
	is "its permissions" 640 "$(stat -c %a "$T/rules.d/10-friends.yaml")"
	is "the file" same "$(file_state)"
	expect 0 shrike policy set wt0 corp add 192.168.0.0/16
	expect 0 shrike policy set wt0 friends del 192.0.2.1
	is "the file" differs "$(file_state)"
	expect 0 shrike policy set wt0 --save -j
	is "saved" 2 "$(jq .saved <<<"$OUT")"
	matches "the lines" "- 10.0.0.0/8   # head office.    - 192.168.0.0/16" "$(cat "$T/main.yaml")"
	is "the file" same "$(file_state)"
	rm "$T/rules.d/10-friends.yaml"
	expect 1 shrike policy set wt0 friends add 192.0.2.3 --save
	matches "the error" "in force, but not saved: .*10-friends.yaml: No such file" "$ERR"
	is "what is in force" "192.0.2.3 192.0.2.9" \
		"$(shrike policy show wt0 -j | jq -r '.sets.friends | join(" ")')"
}

test_a_file_is_the_same_wherever_a_command_is_typed() {
	local others
	topology "$1"
	round_policy
	# of the same names
	mkdir -p "$T/elsewhere/rules.d"
	cp "$T/main.yaml" "$T/elsewhere"
	cp "$T/rules.d/10-friends.yaml" "$T/elsewhere/rules.d"
	others=$(cat "$T"/elsewhere/*.yaml "$T"/elsewhere/rules.d/*)
	cd "$T" || die "cannot work in $T"
	expect 0 shrike attach wt0 -c main.yaml
	is "the file" "$T/main.yaml" "$(shrike status wt0 -j | jq -r '.[0].policy')"
	expect 0 shrike policy apply wt0 ./main.yaml
	cd elsewhere || die "cannot work elsewhere"
	is "the file" "$T/main.yaml" "$(shrike status wt0 -j | jq -r '.[0].policy')"
	expect 0 shrike policy set wt0 friends add 192.0.2.9 --save
	expect 0 shrike policy set wt0 corp add 192.168.0.0/16 --save
	grep -q 192.0.2.9 "$T/rules.d/10-friends.yaml" || die "the included file is not saved"
	grep -q 192.168.0.0/16 "$T/main.yaml" || die "the file is not saved"
	is "other files" "$others" "$(cat "$T"/elsewhere/*.yaml "$T"/elsewhere/rules.d/*)"
	is "the file" same "$(file_state)"
	is "standard input" - "$(shrike policy apply wt0 - -j <"$T/main.yaml" | jq -r .policy)"
}

# changes: cause and who of each policy in the history
changes() {
	shrike policy history wt0 -j | jq -r '[.policies[] | "\(.number) \(.cause) \(.uid) \(.sudo_uid)"] | join("; ")'
}

test_the_history_says_who_has_changed_what_and_gives_it_back() {
	local first
	topology "$1"
	round_policy
	run_shrike wt0 main
	first=$(rules_in_force)
	SUDO_UID=1000 expect 0 shrike policy set wt0 corp add 172.16.0.0/12
	policy other <<-EOF
		mode: {routing: disabled}
		peer_acl: [{id: other, action: allow, source: [100.64.0.3]}]
	EOF
	expect 0 shrike policy apply wt0 "$T/other.yaml"
	expect 0 shrike policy apply wt0 "$T/other.yaml"
	is "the history" "1 start null null; 2 policy set 0 1000; 3 policy apply 0 null" "$(changes)"
	is "mode of the folder" "700 600" \
		"$(stat -c %a "$SHRIKE_STATE"/netns-*/wt0/history "$SHRIKE_STATE"/netns-*/wt0/history/00000001 | xargs)"
	expect 0 shrike policy history wt0
	matches "the history" "2  20[0-9T:.-]+Z  uid 0, sudo of uid 1000  policy set +.0 -0 ~0 rules, 1 set" "$OUT"
	expect 0 shrike policy history wt0 2
	matches "the difference" "set corp: .*172.16.0.0/12" "$OUT"
	is "of the first" "null" "$(shrike policy history wt0 1 -j | jq .changes)"
	# the files may have gone
	rm -r "$T/rules.d"
	expect 0 shrike policy rollback wt0 1
	matches "it said" "generation [0-9]+ in force \\(policy rollback, uid 0\\): .2 -1 rules" "$OUT"
	is "what is in force" "$first" "$(rules_in_force)"
	is "the history" "4 policy rollback 0 null" "$(changes | sed 's/.*; //')"
	expect 2 shrike policy rollback wt0 9
	is_one_error_line "$ERR" "no policy 9 in the history"
	expect 2 shrike policy rollback wt0
	expect 2 shrike policy rollback wt0 x
	expect 2 shrike policy history wt0 1 2
}

test_the_history_is_bounded_and_a_policy_comes_into_force_without_it() {
	local folder i
	topology "$1"
	round_policy
	run_shrike wt0 main
	folder=$(echo "$SHRIKE_STATE"/netns-*/wt0/history)
	for i in $(seq 2 140); do
		cp "$folder/00000001" "$folder/$(printf %08d "$i")"
	done
	truncate -s 40M "$folder/00000139"
	truncate -s 40M "$folder/00000138"
	expect 0 shrike policy set wt0 corp add 172.16.0.0/12
	is "what is left" "00000139 00000140 00000141" "$(cd "$folder" && echo *)"
	echo broken >"$folder/00000140"
	is "what can be shown" "139 141" "$(shrike policy history wt0 -j 2>/dev/null | jq -r '[.policies[].number] | join(" ")')"
	rm -r "$SHRIKE_STATE"
	touch "$SHRIKE_STATE"
	expect 0 shrike policy set wt0 corp add 172.15.0.0/16
	matches "the warning" "warning: wt0: the policy is in force, but not in its history: .*Not a directory" "$ERR"
	matches "what is in force" 172.15.0.0/16 "$(shrike policy show wt0)"
}

# The kernel gives the inode number of a namespace to another one once it has gone.
test_the_history_of_a_namespace_that_has_gone_is_nobody_elses() {
	local folder
	topology "$1"
	round_policy
	run_shrike wt0 main
	expect 0 shrike policy set wt0 corp add 172.16.0.0/12
	folder=$(echo "$SHRIKE_STATE"/netns-*)
	is "mode of the note whose folder it is" 600 "$(stat -c %a "$folder/.namespace")"
	stop run-wt0
	expect 0 shrike detach wt0
	mkdir "$folder/wt9"
	run_shrike wt0 main
	is "of this namespace" "1 start null null; 2 policy set 0 null; 3 start null null" "$(changes)"
	stop run-wt0
	expect 0 shrike detach wt0
	sed -i 's/ .*/ 1/' "$folder/.namespace"
	is "what can be seen before anything is noted" "" "$(changes)"
	run_shrike wt0 main
	is "of another one" "1 start null null" "$(changes)"
	[ ! -e "$folder/wt9" ] || die "another interface of the namespace that has gone"
	expect 2 shrike policy rollback wt0 2
	expect 0 shrike policy set wt0 corp add 172.16.0.0/12
	is "and after" "1 start null null; 2 policy set 0 null" "$(changes)"
}

# kept: how many policies and notes of the history, and the oldest and newest number
kept() {
	(cd "$1" && printf '%s\n' * | awk -F- '{ n[NF]++ } NR == 1 { first = $1 } { last = $1 }
		END { print n[1] + 0, n[2] + 0, first + 0, last + 0 }')
}

test_blocks_push_no_policy_out_of_the_history() {
	local folder i note
	topology "$1"
	round_policy
	run_shrike wt0 main
	expect 0 shrike policy set wt0 corp add 172.16.0.0/12
	folder=$(echo "$SHRIKE_STATE"/netns-*/wt0/history)
	expect 0 shrike policy block wt0 100.64.0.2
	note=00000003-00000002
	is "lines of the note" 1 "$(wc -l <"$folder/$note")"
	for i in $(seq 4 140); do
		cp "$folder/$note" "$folder/$(printf %08d "$i")-00000002"
	done
	expect 0 shrike policy unblock wt0 100.64.0.2
	is "what is kept" "2 100 1 141" "$(kept "$folder")"
	is "causes" "start|policy set|policy block 100.64.0.2|policy unblock 100.64.0.2" \
		"$(shrike policy history wt0 -j | jq -r '[.policies | .[0, 1, 2, -1].cause] | join("|")')"
	is "policy of a note" "$(shrike policy history wt0 2 -j | jq .text)" \
		"$(shrike policy history wt0 141 -j | jq .text)"
	expect 0 shrike policy rollback wt0 1
	expect 0 shrike policy rollback wt0 141
	is "the set" "10.0.0.0/8 172.16.0.0/12" \
		"$(shrike policy show wt0 -j | jq -r '.sets.corp | join(" ")')"
	# notes go with their policy
	for i in $(seq 150 250); do
		cp "$folder/00000143" "$folder/$(printf %08d "$i")"
	done
	expect 0 shrike policy block wt0 100.64.0.2
	is "what is kept" "100 1 151 251" "$(kept "$folder")"
}
