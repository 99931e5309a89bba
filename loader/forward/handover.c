/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "forward/handover.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "forward/private.h"
#include "forward/tcp.h"
#include "process/pass.h"

#define MAGIC		 0x73687269
#define VERSION		 1 /* of what follows, and of what it means */
#define PAIR_BYTES	 (16 << 20)
#define FLOWS_OF_MESSAGE (PASS_FDS_MAX / 2)

/* The first message, with what is open in the private network namespace. */
struct head {
	uint32_t magic;
	uint32_t version;
	uint32_t flow_bytes; /* struct tcp_handover */
	uint32_t n_fds;
};

/* The next message, as it fills. */
struct batch {
	struct tcp_handover flows[FLOWS_OF_MESSAGE];
	int fds[PASS_FDS_MAX];
	int n_flows;
	int n_fds;
};

/**
 * handover_pair() - Make a pair to hand connections over by
 * @reader: becomes the end that keeps them
 * @writer: becomes the end for handover_give()
 *
 * Takes CAP_NET_ADMIN to have room for many.
 *
 * Return: 0 or -errno.
 */
int handover_pair(int *reader, int *writer)
{
	int pair[2], bytes = PAIR_BYTES;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	if (setsockopt(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	*reader = pair[0];
	*writer = pair[1];
	return 0;
}

static int give_private(const struct worker *w, int writer)
{
	int fds[PRIVATE_FDS];
	struct head head = {
		.magic = MAGIC,
		.version = VERSION,
		.flow_bytes = sizeof(struct tcp_handover),
		.n_fds = private_fds(w, fds),
	};

	return pass_send(writer, &head, sizeof(head), fds, head.n_fds);
}

static int give_batch(struct batch *batch, int writer)
{
	int err = 0;

	if (batch->n_flows)
		err = pass_send(writer, batch->flows, batch->n_flows * sizeof(batch->flows[0]),
				batch->fds, batch->n_fds);
	batch->n_flows = batch->n_fds = 0;
	return err;
}

static int give_list(const struct flow_list *list, struct batch *batch, int writer)
{
	struct flow_entry *entry;
	int err = 0;

	TAILQ_FOREACH(entry, list, link)
	{
		if (batch->n_flows == FLOWS_OF_MESSAGE)
			err = give_batch(batch, writer);
		if (err)
			return err;
		batch->n_fds += tcp_save(tcp_flow_of(entry), &batch->flows[batch->n_flows++],
					 batch->fds + batch->n_fds);
	}
	return 0;
}

/**
 * handover_give() - Leave all TCP connections to another forwarder, as far as there is room
 * @writer: of handover_pair(); is closed
 *
 * What is left behind is reset when this process ends: dials, and what did not fit.
 */
void handover_give(struct worker *w, int writer)
{
	struct batch batch = {};
	int err = give_private(w, writer);

	if (!err)
		err = give_list(&w->connected, &batch, writer);
	if (!err)
		err = give_list(&w->unfinished, &batch, writer);
	if (!err)
		err = give_list(&w->accepting, &batch, writer);
	if (!err)
		give_batch(&batch, writer);
	close(writer);
}

/**
 * handover_take_private() - Use the private network namespace of an earlier forwarder
 * @reader: of handover_pair(), or another descriptor that somebody has left
 *
 * Return: whether there is one.
 */
bool handover_take_private(struct worker *w, int reader)
{
	struct head head;
	int fds[PASS_FDS_MAX], n = PASS_FDS_MAX;
	ssize_t len = pass_receive(reader, &head, sizeof(head), fds, &n);

	if (len == sizeof(head) && head.magic == MAGIC && head.version == VERSION &&
	    head.flow_bytes == sizeof(struct tcp_handover) && head.n_fds == (uint32_t)n &&
	    private_take(w, fds, n))
		return true;
	while (n > 0)
		close(fds[--n]);
	return false;
}

/* Whether a connection is one that tcp_save() may have saved: another process says so. */
static bool is_sound(const struct tcp_handover *flow)
{
	uint8_t version = flow->name.ends.version;

	return (version == IP_VERSION_4 || version == IP_VERSION_6) &&
	       flow->name.l4_proto == IPPROTO_TCP &&
	       (flow->state == TCP_ACCEPTING || flow->state == TCP_CONNECTED);
}

static void take_batch(struct worker *w, const struct batch *batch)
{
	int at = 0;

	for (int i = 0; i < batch->n_flows; i++) {
		const struct tcp_handover *flow = &batch->flows[i];
		int n = flow->state == TCP_CONNECTED ? 2 : 1;

		if (!is_sound(flow) || at + n > batch->n_fds)
			break;
		tcp_resume(w, flow, batch->fds[at], n == 2 ? batch->fds[at + 1] : -1);
		at += n;
	}
	while (at < batch->n_fds)
		close(batch->fds[at++]);
}

/**
 * handover_take_flows() - Go on with the connections of an earlier forwarder
 * @reader: after handover_take_private(); is closed
 */
void handover_take_flows(struct worker *w, int reader)
{
	struct batch batch;
	ssize_t len;

	do {
		batch.n_fds = PASS_FDS_MAX;
		len = pass_receive(reader, batch.flows, sizeof(batch.flows), batch.fds,
				   &batch.n_fds);
		batch.n_flows = len > 0 ? len / sizeof(batch.flows[0]) : 0;
		take_batch(w, &batch);
	} while (len > 0);
	close(reader);
}
