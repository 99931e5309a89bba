# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What a process may do, as /proc shows it.

# capabilities PID SET...: in hexadecimal, as /proc/PID/status has them
capabilities() {
	local pid=$1 set
	shift
	for set; do
		awk -v set="Cap$set:" '$1 == set { print $2 }' "/proc/$pid/status"
	done | paste -sd ' '
}

# user_of PID: real, effective, saved and file system user
user_of() {
	awk '$1 == "Uid:" { print $2, $3, $4, $5 }' "/proc/$1/status"
}

# system_calls PID: filtered (SECCOMP_MODE_FILTER) or free
system_calls() {
	[ "$(awk '$1 == "Seccomp:" { print $2 }' "/proc/$1/status")" = 2 ] && echo filtered || echo free
}

no_new_privs() {
	awk '$1 == "NoNewPrivs:" { print $2 }' "/proc/$1/status"
}
