/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the forwarder gives up before it reads its first packet: its user, all capabilities, and
 * every system call but those that relaying takes.
 */
#include "forward/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/capabilities.h"

#define NOBODY 65534

/* Whatever their arguments are; the kernel answers for these without running the filter. */
static const int free_calls[] = {
	/* events and time */
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl), SCMP_SYS(clock_gettime),
	/* descriptors that are open */
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(close),
	/* sockets */
	SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(accept4), SCMP_SYS(getsockname),
	SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(shutdown), SCMP_SYS(sendto),
	SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg),
	SCMP_SYS(recvmmsg),
	/* memory */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	/* itself */
	SCMP_SYS(getpid), SCMP_SYS(getrandom), SCMP_SYS(futex), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group),
	SCMP_SYS(sigaltstack), /* the address sanitizer, when it ends */
};

/* Those that may only be this. */
static const struct {
	int call;
	struct scmp_arg_cmp argument;
} bound_calls[] = {
	{SCMP_SYS(socket), SCMP_A0_32(SCMP_CMP_EQ, AF_INET, 0)},
	{SCMP_SYS(socket), SCMP_A0_32(SCMP_CMP_EQ, AF_INET6, 0)},
	{SCMP_SYS(ioctl), SCMP_A1_32(SCMP_CMP_EQ, SIOCATMARK, 0)},
	{SCMP_SYS(mmap), SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
	{SCMP_SYS(bpf), SCMP_A0_32(SCMP_CMP_EQ, BPF_MAP_LOOKUP_ELEM, 0)},
	{SCMP_SYS(bpf), SCMP_A0_32(SCMP_CMP_EQ, BPF_PROG_TEST_RUN, 0)},
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
 * privileges_kill() - Kill the forwarder
 * @pid: a child of this process
 *
 * A forwarder that has become nobody may only be ended by nobody, or with a capability to end
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

static int add_calls(scmp_filter_ctx filter)
{
	int err = 0;

	for (size_t i = 0; i < sizeof(free_calls) / sizeof(free_calls[0]) && !err; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, free_calls[i], 0);
	for (size_t i = 0; i < sizeof(bound_calls) / sizeof(bound_calls[0]) && !err; i++)
		err = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, bound_calls[i].call, 1,
					     &bound_calls[i].argument);
	return err;
}

/*
 * No file can be opened from here on, no program executed and no process signalled, whoever one
 * is.  A call that is not allowed fails with EPERM: a library may try what it can do without.
 */
static int confine(struct error *error)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err = filter ? add_calls(filter) : -ENOMEM;

	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err ? error_set(error, -err, "cannot filter system calls: %s", strerror(-err)) : 0;
}

/**
 * privileges_drop() - Become nobody, without capabilities and with few system calls, for good
 *
 * Where the right to change the user is missing, as in a unit that does not grant it, the user
 * stays: with the system calls that are left he can do nothing that nobody cannot.
 *
 * Return: 0 or -errno.
 */
int privileges_drop(struct error *error)
{
	int err = privileges_become_nobody();

	if (err && err != -EPERM)
		return error_set(error, -err, "cannot drop privileges: %s", strerror(-err));
	/* once more: a change of the user forgets it */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		return error_set(error, errno, "cannot die with the parent: %s", strerror(errno));
	err = capabilities_keep(0, error);
	return err ? err : confine(error);
}
