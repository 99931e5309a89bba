/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "forward/calls.h"

#include <linux/bpf.h>
#include <linux/sockios.h>
#include <sys/mman.h>
#include <sys/socket.h>

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

static const struct bound_call bound_calls[] = {
	{SCMP_SYS(socket), SCMP_A0_32(SCMP_CMP_EQ, AF_INET, 0)},
	{SCMP_SYS(socket), SCMP_A0_32(SCMP_CMP_EQ, AF_INET6, 0)},
	{SCMP_SYS(ioctl), SCMP_A1_32(SCMP_CMP_EQ, SIOCATMARK, 0)},
	{SCMP_SYS(mmap), SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
	{SCMP_SYS(bpf), SCMP_A0_32(SCMP_CMP_EQ, BPF_MAP_LOOKUP_ELEM, 0)},
	{SCMP_SYS(bpf), SCMP_A0_32(SCMP_CMP_EQ, BPF_PROG_TEST_RUN, 0)},
};

const struct system_calls forward_calls = {
	.free = free_calls,
	.n_free = sizeof(free_calls) / sizeof(*free_calls),
	.bound = bound_calls,
	.n_bound = sizeof(bound_calls) / sizeof(*bound_calls),
};
