/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "forward/account.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "dataplane/attached.h"
#include "forwarder.h"

static int read_forwarded(int counters_fd, uint64_t *forwarded)
{
	struct counters counters[DIR_MAX];
	struct error ignored;
	int err = attached_counters_read(counters_fd, counters, &ignored);

	if (!err)
		*forwarded = counters_to_forwarder(&counters[DIR_INGRESS]);
	return err;
}

/**
 * account_settle() - Name what was lost with a forwarder, while none runs
 * @status_fd: forwarder_v2
 * @counters_fd: counters_v3
 *
 * What it said of itself holds no more, so the gauges are cleared, too.  Packets that were forwarded
 * before there was a map to count them in are no loss.
 */
void account_settle(int status_fd, int counters_fd)
{
	struct forwarder_status status;
	uint64_t forwarded;
	uint32_t zero = 0;
	int64_t rest;

	if (bpf_map_lookup_elem(status_fd, &zero, &status))
		return;
	memset(&status, 0, offsetof(struct forwarder_status, starts));
	rest = forwarder_unrelayed(&status);
	if (rest > 0)
		status.rx_unfinished += rest;
	rest = read_forwarded(counters_fd, &forwarded) ? 0
						       : forwarder_unreceived(&status, forwarded);
	if (rest > 0 && status.starts)
		status.rx_unread += rest;
	else if (rest > 0)
		status.rx_before += rest;
	bpf_map_update_elem(status_fd, &zero, &status, BPF_ANY);
}

/**
 * account_is_open() - Are packets missed that a forwarder has not received?
 *
 * They are on their way to it, or the kernel could not put them into its sockets, and nobody has
 * asked it yet.
 */
bool account_is_open(int status_fd, int counters_fd)
{
	struct forwarder_status status;
	uint64_t forwarded;
	uint32_t zero = 0;

	/* in this order, or all that comes in between would be missed */
	return !read_forwarded(counters_fd, &forwarded) &&
	       !bpf_map_lookup_elem(status_fd, &zero, &status) &&
	       forwarder_unreceived(&status, forwarded) > 0;
}
