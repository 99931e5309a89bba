# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# `shrike simulate` as CI uses it: many files, and reports that other programs read.

tests "files" \
	a_folder_stands_for_the_scenarios_in_it \
	reports_are_read_by_other_programs \
	without_the_rights_files_are_checked_alone

# scenarios: $T/set with two good ones, their policy, and with "bad" as argument what fails
scenarios() {
	mkdir -p "$T/set"
	printf 'version: 1\npeer_acl: [{id: "a<b", action: allow, source: [any], protocol: icmp}]\n' \
		>"$T/set/wt0.yaml"
	scenario one pass
	scenario two pass
	[ "${1:-}" != bad ] || scenario three drop
}

# scenario NAME VERDICT: which a ping is expected to get
scenario() {
	cat >"$T/set/$1.yaml" <<END
policy: wt0.yaml
interface: {addresses: [100.64.0.1/10]}
packets:
  - {direction: in, src: 100.64.0.2, dst: 100.64.0.1, protocol: icmp, expect: {verdict: $2}}
  - {direction: in, src: 100.64.0.2, dst: 100.64.0.1, protocol: udp, sport: 1, dport: 2,
     expect: {verdict: drop}}
END
}

test_a_folder_stands_for_the_scenarios_in_it() {
	scenarios
	mkfifo "$T/set/pipe.yaml" # that nobody ever writes to
	expect 0 "$SHRIKE" simulate "$T/set"
	is "files" "$T/set/one.yaml: $T/set/two.yaml:" "$(grep ':$' <<<"$OUT" | paste -sd' ')"
	is "sums" "4 passed, 0 failed" "$(tail -n 1 <<<"$OUT")"
	expect 0 "$SHRIKE" simulate "$T/set/two.yaml" "$T/set/one.yaml" -j
	is "files" "two two one one" "$(jq -r .file <<<"$OUT" | sed 's|.*/||; s|\..*||' | paste -sd' ')"
	# policies lie beside where the command runs
	cd "$T/set" || die "no $T/set"
	is "sums" "2 passed, 0 failed" "$("$SHRIKE" simulate - <one.yaml | tail -n 1)"
	scenarios bad
	expect 1 "$SHRIKE" simulate "$T/set"
	is "sums" "5 passed, 1 failed" "$(tail -n 1 <<<"$OUT")"
	# one that cannot be read does not keep the others from being judged
	echo "packets: 7" >"$T/set/broken.yaml"
	expect 2 "$SHRIKE" simulate "$T/set"
	is "sums" "5 passed, 1 failed" "$(tail -n 1 <<<"$OUT")"
	is_one_error_line "$ERR" "^$T/set/broken.yaml:1:"
	mkdir "$T/empty"
	expect 2 "$SHRIKE" simulate "$T/empty"
}

# of_junit XPATH-ATTRIBUTES: what python's reader finds in $T/junit.xml
of_junit() {
	python3 - "$T/junit.xml" <<'END'
import sys
import xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
for suite in root.iter("testsuite"):
    print(suite.get("name").rpartition("/")[2],
          *(suite.get(key) for key in ("tests", "failures", "errors", "skipped")),
          *(child.tag + ": " + child.get("message") for case in suite for child in case))
END
}

test_reports_are_read_by_other_programs() {
	scenarios bad
	sed -i 's/verdict: drop}}$/verdict: drop, rule: "a<b"}}/' "$T/set/three.yaml"
	echo "packets: 7" >"$T/set/broken.yaml"
	expect 2 "$SHRIKE" simulate --junit "$T/junit.xml" --tap "$T/set"
	is "plan" "1..7" "$(tail -n 1 <<<"$OUT")"
	is "outcomes" "not ok 1 ok 2 ok 3 not ok 4 not ok 5 ok 6 ok 7" \
		"$(sed -n 's/^\(.*ok [0-9]*\) - .*/\1/p' <<<"$OUT" | paste -sd' ')"
	of_junit >"$T/suites"
	is "suites" "broken.yaml 1 0 1 0 one.yaml 2 0 0 0 three.yaml 2 2 0 0 two.yaml 2 0 0 0" \
		"$(sed 's/ \(error\|failure\): .*//' "$T/suites" | paste -sd' ')"
	matches "why" "failure: rule none, expected a<b" "$(grep three "$T/suites")"
	expect 1 "$SHRIKE" simulate --junit /dev/full "$T/set/one.yaml"
}

test_without_the_rights_files_are_checked_alone() {
	scenarios
	chmod -R a+rX "$T" && cp "$SHRIKE" "$T/shrike" && chmod 755 "$T/shrike"
	expect 1 setpriv --reuid=65534 --clear-groups "$T/shrike" simulate "$T/set"
	matches "said" "one.yaml: checked, but 2 packets not judged: needs CAP_BPF" "$ERR"
	expect 1 setpriv --reuid=65534 --clear-groups "$T/shrike" simulate --tap "$T/set/one.yaml"
	matches "as TAP" "not ok 1 - .*: judged" "$OUT"
	echo "packets: 7" >"$T/set/broken.yaml"
	chmod a+r "$T/set/broken.yaml"
	expect 2 setpriv --reuid=65534 --clear-groups "$T/shrike" simulate "$T/set"
}
