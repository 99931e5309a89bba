/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the forwarder can still do once it has given up its rights, tried in a child. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/capabilities.h"
#include "forward/calls.h"
#include "process/privileges.h"

static bool is_refused(long result)
{
	return result < 0 && errno == EPERM;
}

/* Whose descriptor it is needs no capability: EBADF where the filter lets it pass. */
static long update_map(void)
{
	union bpf_attr attr = {.map_fd = -1};

	return syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &attr, sizeof(attr));
}

static bool executable_memory_is_refused(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
		       MAP_FAILED &&
	       errno == EPERM;
}

/* In a child that has dropped its rights; the number of what it should not have been able to do. */
static int reach_out(void)
{
	char *arguments[] = {"true", NULL};
	int number = 0;

	if (number++, !is_refused(open("/etc/hostname", O_RDONLY)))
		return number;
	if (number++, !is_refused(open("/dev/null", O_WRONLY)))
		return number;
	if (number++, !is_refused(execv("/bin/true", arguments)))
		return number;
	if (number++, !is_refused(kill(getppid(), 0)))
		return number;
	if (number++, !is_refused(fork()))
		return number;
	if (number++, !is_refused(ptrace(PTRACE_TRACEME, 0, NULL, NULL)))
		return number;
	if (number++, !is_refused(socket(AF_UNIX, SOCK_STREAM, 0)))
		return number;
	if (number++, !is_refused(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)))
		return number;
	if (number++, !is_refused(setuid(0)))
		return number;
	if (number++, !is_refused(update_map()))
		return number;
	if (number++, !executable_memory_is_refused())
		return number;
	return 0;
}

/* What relaying takes. */
static int relay(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), fd6 = socket(AF_INET6, SOCK_STREAM, 0);
	void *much = malloc(1 << 24);

	if (fd < 0 || (fd6 < 0 && errno != EAFNOSUPPORT))
		return 1;
	if (!much || close(fd))
		return 2;
	free(much);
	return 0;
}

/* The exit status of a child that runs @what without rights; 100 if it could not drop them. */
static int status_of(int (*what)(void), bool without_setuid)
{
	pid_t pid = fork();
	struct error error;
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		uint64_t rest = ~(CAPABILITY(SETUID) | CAPABILITY(SETGID));

		if (without_setuid && capabilities_keep(rest, &error))
			_exit(100);
		if (privileges_drop(&forward_calls, &error))
			_exit(100);
		_exit(what());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void without_rights_nothing_else_can_be_reached(void **state)
{
	(void)state;
	assert_int_equal(status_of(reach_out, false), 0);
}

static void a_forwarder_that_stays_root_reaches_no_more(void **state)
{
	(void)state;
	assert_int_equal(status_of(reach_out, true), 0);
}

static void without_rights_relaying_works(void **state)
{
	(void)state;
	assert_int_equal(status_of(relay, false), 0);
	assert_int_equal(status_of(relay, true), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_rights_nothing_else_can_be_reached),
		cmocka_unit_test(a_forwarder_that_stays_root_reaches_no_more),
		cmocka_unit_test(without_rights_relaying_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
