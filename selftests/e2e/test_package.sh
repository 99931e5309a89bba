# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The Debian package DEB, as `make test-build` has built it, on a machine that has never had shrike: this
# one's files under an overlay, and a systemd of its own in the router's network namespace.

[ -z "${DEB:-}" ] || tests "veth" \
	a_package_is_installed_upgraded_and_removed

. "$SELFTESTS/lib/forward.sh"
. "$SELFTESTS/lib/systemd.sh"

# repacked NAME VERSION BINARY: $T/NAME.deb, the package as another version with another command
repacked() {
	dpkg-deb --raw-extract "$DEB" "$T/$1.files"
	sed -i "s/^Version: .*/Version: $2/" "$T/$1.files/DEBIAN/control"
	cp "$3" "$T/$1.files/usr/sbin/shrike"
	dpkg-deb --build --root-owner-group "$T/$1.files" "$T/$1.deb" >/dev/null
}

# boot_machine: until its systemd takes orders; $T is there as /mnt
boot_machine() {
	[ -x $SYSTEMD ] || skip "there is no systemd"
	own_cgroup
	write_targets
	mkdir "$T/root" "$T/upper"
	start systemd "$ROUTER" bash -c 'echo 0 >"$1/cgroup.procs" && shift && exec "$@"' own-cgroup \
		"$T/cgroup/$CGROUP" unshare --pid --mount --uts --ipc --cgroup --fork --kill-child \
		--mount-proc bash -c '
			mount -t tmpfs tmpfs "$1/upper" && mkdir "$1/upper/files" "$1/upper/work" &&
			mount -t overlay -o "lowerdir=/,upperdir=$1/upper/files,workdir=$1/upper/work" \
				overlay "$1/root" && cd "$1/root" &&
			rm -rf usr/sbin/policy-rc.d etc/shrike usr/sbin/shrike usr/lib/systemd/system/shrike* \
				etc/systemd/system/* && cp -R "$1"/units/* etc/systemd/system &&
			mount --rbind /proc proc && mount --rbind /sys sys && mount --rbind /dev dev &&
			mount -t cgroup2 cgroup2 sys/fs/cgroup && mount -t bpf bpf sys/fs/bpf &&
			mount --bind -o ro /proc/sys proc/sys && mount -t tmpfs tmpfs run &&
			mount -t tmpfs tmpfs tmp && mount -t tmpfs tmpfs var/tmp && # PrivateTmp=
			mkdir run/units && mount --bind "$1" mnt &&
			pivot_root . mnt/root && mount --make-rshared / &&
			export container=shrike SYSTEMD_UNIT_PATH=/etc/systemd/system:/run/shipped &&
			mkdir /run/shipped && ln -s /lib/systemd/system/shrike@.service /run/shipped &&
			exec "$2" --system --unit=multi-user.target --log-target=console' \
		boot "$T" $SYSTEMD
	wait_for systemd_is_up
}

# on_machine COMMAND...: as its administrator
on_machine() {
	in_systemd env SYSTEMD_UNIT_PATH=/etc/systemd/system:/run/shipped DEBIAN_FRONTEND=noninteractive "$@"
}

# forwards: as the command that is installed says
forwards() {
	on_machine shrike status wt0 -j | jq -e '.[0].forwarder.pid > 0'
}

# upgraded_to NAME: by dpkg, which restarts the service; the policy is in force throughout
upgraded_to() {
	local before
	before=$(on_machine systemctl show -P MainPID shrike@wt0)
	expect 0 on_machine dpkg --install "/mnt/$1.deb"
	is_protected wt0 || die "not protected"
	[ "$(on_machine systemctl show -P MainPID shrike@wt0)" != "$before" ] || die "it was not restarted"
	is "state" active "$(on_machine systemctl is-active shrike@wt0)"
}

test_a_package_is_installed_upgraded_and_removed() {
	forwarding_topology "$1"
	serve_all "$LAN" 8080
	newer_version
	another_version foreign "s/instance_v2/instance_v9/g"
	repacked older "0.0.1" "$SHRIKE"
	repacked newer "99" "$T/newer"
	repacked foreign "100" "$T/foreign"
	boot_machine
	expect 0 on_machine dpkg --install "/mnt/older.deb"
	expect 0 on_machine shrike policy check /etc/shrike/wt0.yaml
	is "what the shipped policy lacks" "" "$(grep -i warning <<<"$OUT")"
	expect 0 on_machine cp /mnt/forward.yaml /etc/shrike/wt0.yaml
	expect 0 on_machine systemctl enable --now shrike@wt0
	wait_for forwards
	session held "$PEER" tcp 192.168.77.2 8080
	talk held ok

	upgraded_to newer
	wait_for forwards
	talk held ok
	is "policy" "$(cat "$T/forward.yaml")" "$(on_machine cat /etc/shrike/wt0.yaml)"
	# it cannot read the tables that are there
	upgraded_to foreign
	wait_for forwards
	probe ok "$PEER" tcp 192.168.77.2 8080

	expect 0 on_machine dpkg --purge shrike
	is_bare wt0 || die "still there: $(programs wt0)"
	is "left" "" "$(on_machine find /usr /etc /var/lib -name '*shrike*' -not -path '/etc/shrike*' \
		-not -path '/etc/systemd/*')"
	stop systemd KILL
}
