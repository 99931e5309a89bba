/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "process/privileges.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/capabilities.h"

#define NOBODY 65534

/* What every process takes that waits for events, and talks by the descriptors that it has. */
static const int common_calls[] = {
	/* events and time */
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl), SCMP_SYS(clock_gettime),
	/* descriptors that are open */
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(close),
	SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg),
	/* memory, with the call below */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	/* itself */
	SCMP_SYS(getpid), SCMP_SYS(getrandom), SCMP_SYS(futex), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group),
	SCMP_SYS(sigaltstack), /* the address sanitizer, when it ends */
};

static const struct bound_call common_bound[] = {
	{SCMP_SYS(mmap), SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
};

static const struct system_calls common = {
	.free = common_calls,
	.n_free = sizeof(common_calls) / sizeof(*common_calls),
	.bound = common_bound,
	.n_bound = sizeof(common_bound) / sizeof(*common_bound),
};

/**
 * privileges_raise_files() - Allow this process as many descriptors as it may have
 *
 * Return: how many that is.
 */
uint32_t privileges_raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return 1024;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) && getrlimit(RLIMIT_NOFILE, &limit))
		return 1024;
	return limit.rlim_cur > 1 << 20 ? 1 << 20 : limit.rlim_cur;
}

/**
 * privileges_become_nobody() - Change the user and the groups of this process, for good
 *
 * Return: 0 or -errno.
 */
int privileges_become_nobody(void)
{
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		return -errno;
	return 0;
}

/**
 * privileges_kill() - Kill a process that has dropped its privileges
 * @pid: a child of this process
 *
 * A process that has become nobody may only be ended by nobody, or with a capability to end
 * whatever one likes, which is not kept for this.
 */
void privileges_kill(pid_t pid)
{
	pid_t killer;

	if (!kill(pid, SIGKILL) || errno != EPERM)
		return;
	killer = fork();
	if (!killer)
		_exit(privileges_become_nobody() || kill(pid, SIGKILL));
	if (killer > 0)
		waitpid(killer, NULL, 0);
}

static int add_calls(scmp_filter_ctx filter, const struct system_calls *allowed)
{
	int err = 0;

	for (size_t i = 0; i < allowed->n_free && !err; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed->free[i], 0);
	for (size_t i = 0; i < allowed->n_bound && !err; i++)
		err = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, allowed->bound[i].call, 1,
					     &allowed->bound[i].argument);
	return err;
}

/*
 * No file can be opened from here on, no program executed and no process signalled, whoever one
 * is.  A call that is not allowed fails with EPERM: a library may try what it can do without.
 */
static int confine(const struct system_calls *allowed, struct error *error)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err = filter ? add_calls(filter, &common) : -ENOMEM;

	if (!err)
		err = add_calls(filter, allowed);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err ? error_set(error, -err, "cannot filter system calls: %s", strerror(-err)) : 0;
}

/**
 * privileges_drop() - Become nobody, without capabilities and with few system calls, for good
 * @allowed: the system calls that are left beside those that any child takes
 * @error: set on failure
 *
 * Where the right to change the user is missing, as in a unit that does not grant it, the user
 * stays: with the system calls that are left he can do nothing that nobody cannot.
 *
 * Return: 0 or -errno.
 */
int privileges_drop(const struct system_calls *allowed, struct error *error)
{
	int err = privileges_become_nobody();

	if (err && err != -EPERM)
		return error_set(error, -err, "cannot drop privileges: %s", strerror(-err));
	/* once more: a change of the user forgets it */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		return error_set(error, errno, "cannot die with the parent: %s", strerror(errno));
	err = capabilities_keep(0, error);
	return err ? err : confine(allowed, error);
}
