/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "forward/calls.h"

#include <linux/bpf.h>
#include <linux/sockios.h>
#include <sys/socket.h>

static const int free_calls[] = {
	SCMP_SYS(connect),     SCMP_SYS(bind),	     SCMP_SYS(accept4),
	SCMP_SYS(getsockname), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
	SCMP_SYS(shutdown),    SCMP_SYS(sendmmsg),   SCMP_SYS(recvmmsg),
};

static const struct bound_call bound_calls[] = {
	{SCMP_SYS(socket), SCMP_A0_32(SCMP_CMP_EQ, AF_INET, 0)},
	{SCMP_SYS(socket), SCMP_A0_32(SCMP_CMP_EQ, AF_INET6, 0)},
	{SCMP_SYS(ioctl), SCMP_A1_32(SCMP_CMP_EQ, SIOCATMARK, 0)},
	{SCMP_SYS(bpf), SCMP_A0_32(SCMP_CMP_EQ, BPF_MAP_LOOKUP_ELEM, 0)},
	{SCMP_SYS(bpf), SCMP_A0_32(SCMP_CMP_EQ, BPF_PROG_TEST_RUN, 0)},
};

const struct system_calls forward_calls = {
	.free = free_calls,
	.n_free = sizeof(free_calls) / sizeof(*free_calls),
	.bound = bound_calls,
	.n_bound = sizeof(bound_calls) / sizeof(*bound_calls),
};
