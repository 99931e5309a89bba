/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Type of service and time to live of what arrives on TCP sockets, which these do not report
 * TCP: answer.bpf.c notes them in a map that is mapped here, so that reading takes no system call.
 */
#include "forward/answer.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>

#include "answer.skel.h"
#include "forward/flows.h"
#include "forward/route.h"
#include "forward/tcp_flow.h"

#define ANSWER_SLOTS 65536 /* as answer.bpf.c has */

/**
 * answer_open() - Load the filter and map what it notes
 *
 * Return: 0 or -errno.
 */
int answer_open(struct worker *w, struct error *error)
{
	struct answer_bpf *skeleton = answer_bpf__open_and_load();
	void *notes;

	if (!skeleton)
		return error_set(error, errno, "cannot load the filter of answers: %s",
				 strerror(errno));
	notes = mmap(NULL, ANSWER_SLOTS * sizeof(*w->answer_notes), PROT_READ, MAP_SHARED,
		     bpf_map__fd(skeleton->maps.answers), 0);
	if (notes == MAP_FAILED)
		return error_set(error, errno, "cannot map what the filter of answers notes: %s",
				 strerror(errno));
	w->answer_notes = notes;
	w->answer_filter_fd = bpf_program__fd(skeleton->progs.shrike_answer);
	return 0;
}

/**
 * answer_watch() - Have the headers noted that come in on a socket
 *
 * Return: the socket's cookie, for answer_read(); 0: nothing is noted.
 */
uint64_t answer_watch(const struct worker *w, int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &w->answer_filter_fd, sizeof(int)) ||
	    getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len))
		return 0;
	return cookie;
}

/* What the newest header said; as it was where another socket has taken the slot. */
static void read_note(const struct worker *w, uint64_t cookie, uint8_t *tos, uint8_t *ttl)
{
	uint64_t note = __atomic_load_n(&w->answer_notes[cookie % ANSWER_SLOTS], __ATOMIC_RELAXED);

	if (!cookie || note >> 16 != (cookie & ~0ull >> 16))
		return;
	*tos = note >> 8;
	*ttl = note;
}

/**
 * answer_set_tos_ttl() - Have a TCP packet for a peer look as if a router had brought it
 * @packet: of the private namespace, which is rewritten
 *
 * It gets the DSCP and, but for one hop, the time to live of what its sender has sent last.  ECN is
 * a matter of each of the two connections, whose TCPs answer to it.
 */
void answer_set_tos_ttl(struct worker *w, const struct ip_packet *packet)
{
	uint8_t version = packet->ends.version;
	struct flow_name name = {.l4_proto = IPPROTO_TCP};
	struct flow_entry *entry;
	struct tcp_flow *flow;

	ip_ends_swap(&packet->ends, &name.ends);
	memcpy(&name.sport, packet->data + packet->l4_off + 2, 2);
	memcpy(&name.dport, packet->data + packet->l4_off, 2);
	entry = flow_lookup(w, &name);
	if (!entry)
		return;
	flow = tcp_flow_of(entry);
	read_note(w, flow->cookie, &flow->answer_tos, &flow->answer_ttl);
	if (flow->answer_ttl)
		ip_ttl_set(packet->data, version, route_ttl(flow->answer_ttl, flow->is_local));
	ip_tos_set(packet->data, version,
		   (flow->answer_tos & IP_DSCP_MASK) | (packet->tos & ~IP_DSCP_MASK));
}
