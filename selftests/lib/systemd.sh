# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A systemd of a test's own: process, mount and cgroup namespaces in which it is the first process.

SYSTEMD=/lib/systemd/systemd

# remove_cgroups: which takes until the last process in them is gone
remove_cgroups() {
	find "$T/cgroup/$CGROUP" -depth -type d -exec rmdir {} + || [ ! -e "$T/cgroup/$CGROUP" ]
}

# own_cgroup: for systemd to be the root of
own_cgroup() {
	CGROUP=${WORK##*/}-${T##*/}
	mkdir "$T/cgroup"
	mount -t cgroup2 "$ID" "$T/cgroup" || skip "there is no cgroup2"
	mkdir "$T/cgroup/$CGROUP"
	at_end "(wait_for remove_cgroups) >/dev/null; rmdir '$T/cgroup/$CGROUP' 2>/dev/null &&
		echo 'cgroup $CGROUP'; umount '$T/cgroup'"
}

# write_targets: the units of which nothing but the name is needed
write_targets() {
	local target
	mkdir "$T/units"
	for target in sysinit basic multi-user network-pre shutdown; do
		printf '[Unit]\nDefaultDependencies=no\n' >"$T/units/$target.target"
	done
}

# in_systemd COMMAND...: in its namespaces
in_systemd() {
	nsenter --target "$(pgrep -P "${PROCESS[systemd]}")" --all -- "$@"
}

systemd_is_up() {
	[ "$(in_systemd systemctl is-active multi-user.target 2>/dev/null)" = active ]
}
