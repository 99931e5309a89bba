# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Where pins are, whatever an interface is called, and what becomes of them.

tests "veth" \
	an_interface_is_pinned_whatever_its_name \
	pins_of_a_namespace_that_is_gone_are_named_and_removed \
	what_is_not_attached_is_detached \
	without_a_bpffs_doctor_says_so_and_run_warns

# escaped NAME: as it is among the pins
escaped() {
	echo "${1//./%2e}"
}

# other_device NETNS NAME
other_device() {
	ip -n "$1" link add "$2" type veth peer name "other$((devices++))" || die "cannot make $2"
}
devices=0

test_an_interface_is_pinned_whatever_its_name() {
	local name names=("wt0.100" "a.b.c" "..." ".a") # the kernel gives no name a '%'
	topology "$1"
	policy none <<<"mode: {routing: disabled}"
	for name in "${names[@]}"; do
		other_device "$ROUTER" "$name"
		ip -n "$ROUTER" link set "$name" up
		expect 0 shrike attach "$name" -c "$T/none.yaml"
		is "errors" "" "$ERR"
	done
	for name in "${names[@]}"; do
		[ -e "$(pins)/$(escaped "$name")/prog_ingress" ] || die "$name is not pinned"
		expect 0 shrike policy apply "$name" "$T/none.yaml"
		is "generation of $name" 2 "$(status_of "$name" .generation)"
		matches "doctor" "^ok under .*/$(escaped "$name")\$" "$(shrike doctor "$name" -j |
			jq -r '.checks[] | select(.check == "pins") | "\(.result) \(.detail)"')"
	done
	for name in "${names[@]}"; do
		expect 0 shrike detach "$name"
		[ ! -e "$(pins)/$(escaped "$name")" ] || die "$name is still pinned"
		is_bare "$name" || die "still there: $(programs "$name")"
	done
	nothing_is_pinned

	# what run leaves where it is killed, and finds again
	start run-a.b.c "$ROUTER" "$SHRIKE" run a.b.c -c "$T/none.yaml"
	until_protected a.b.c
	stop run-a.b.c KILL
	is_protected a.b.c || die "not protected"
	run_shrike a.b.c none
	wait_for grep -q "generation 2 in force" "$T/run-a.b.c.out"
	stop run-a.b.c
	nothing_is_pinned
}

test_pins_of_a_namespace_that_is_gone_are_named_and_removed() {
	local name=$ID-gone dir
	topology "$1"
	policy none <<<"mode: {routing: disabled}"
	ip netns add "$name"
	dir=netns-$(stat -Lc %i "/run/netns/$name")
	NAMESPACES+=("$name")
	other_device "$name" w.0
	expect 0 in_ns "$name" "$SHRIKE" attach w.0 -c "$T/none.yaml"
	expect 0 shrike attach wt0 -c "$T/none.yaml"
	expect 0 shrike status
	[[ $OUT != *stale* ]] || die "stale: $OUT"
	ip -n "$name" link del w.0 # a namespace without processes lives on
	expect 0 shrike detach --stale
	matches "said" "^no pins of network namespaces that are gone" "$OUT"
	[ -e "$SHRIKE_BPFFS/shrike/$dir" ] || die "the pins are gone"

	ip netns del "$name"
	unset "NAMESPACES[-1]"
	expect 0 shrike status
	matches "status" "detach --stale.*$dir/w\\.0" "$OUT"
	expect 0 shrike status -j
	is "status -j" wt0 "$(jq -r '.[].interface' <<<"$OUT")"
	matches "its warning" "^shrike: warning: stale pins: .*detach --stale.*$dir/w\\.0$" "$ERR"
	expect 0 shrike doctor wt0 -j
	matches "doctor" "$dir/w\\.0" \
		"$(jq -r '.checks[] | select(.check == "stale-pins") | .detail' <<<"$OUT")"
	expect 2 shrike detach wt0 --stale
	expect 0 shrike detach --stale -j
	is "removed" "$dir/w.0" "$(jq -r '.removed | join(" ")' <<<"$OUT")"
	[ ! -e "$SHRIKE_BPFFS/shrike/$dir" ] || die "still there"
	expect 0 shrike status
	[[ $OUT != *stale* ]] || die "stale: $OUT"
	is_attached wt0 || die "not attached any more"
	expect 0 shrike detach wt0
}

test_what_is_not_attached_is_detached() {
	topology "$1"
	policy none <<<"mode: {routing: disabled}"
	expect 0 shrike detach wt0
	matches "said" "^wt0: .*not attached" "$OUT"
	expect 0 shrike detach wt0 --force -j
	is "detached" "wt0 false" "$(jq -r '"\(.interface) \(.detached)"' <<<"$OUT")"
	expect 0 shrike detach nosuch0
	expect 0 shrike attach wt0 -c "$T/none.yaml"
	expect 0 shrike detach wt0
	is "said" "wt0: detached" "$OUT"
	expect 0 shrike attach wt0 -c "$T/none.yaml"
	expect 0 shrike detach wt0 -j
	is "detached" "wt0 true" "$(jq -r '"\(.interface) \(.detached)"' <<<"$OUT")"
	expect 0 shrike detach wt0
	# what its interface has left
	other_device "$ROUTER" w1
	expect 0 shrike attach w1 -c "$T/none.yaml"
	ip -n "$ROUTER" link del w1
	expect 0 shrike detach w1
	is "said" "w1: detached" "$OUT"
	nothing_is_pinned
}

test_without_a_bpffs_doctor_says_so_and_run_warns() {
	topology "$1"
	policy none <<<"mode: {routing: disabled}"
	expect 0 shrike doctor wt0 -j
	matches "doctor" "^ok under" \
		"$(jq -r '.checks[] | select(.check == "pins") | "\(.result) \(.detail)"' <<<"$OUT")"
	mkdir "$T/empty"
	expect 0 in_ns "$ROUTER" env SHRIKE_BPFFS="$T/empty" "$SHRIKE" doctor wt0 -j
	matches "doctor" "^note .*no bpffs.*mount -t bpf" \
		"$(jq -r '.checks[] | select(.check == "pins") | "\(.result) \(.detail)"' <<<"$OUT")"
	run_shrike wt0 none SHRIKE_BPFFS="$T/empty"
	wait_for grep -q "^shrike: wt0: not pinned, .*mount -t bpf" "$T/run-wt0.err"
	stop run-wt0
	is_bare wt0 || die "still there: $(programs wt0)"

	# one of its own, that ends with the shell
	start run-wt0 "$ROUTER" env -u SHRIKE_BPFFS unshare --mount bash -c \
		'umount -R /sys/fs/bpf 2>/dev/null; mount -t sysfs sysfs /sys && exec "$@"' private \
		"$SHRIKE" run wt0 -c "$T/none.yaml"
	until_protected wt0
	wait_for grep -q "^shrike: wt0: pinned in a bpffs that ends" "$T/run-wt0.err"
	stop run-wt0
	is "exit status" 0 $STATUS
}
