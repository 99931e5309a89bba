/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "probe/path.h"

#include <netinet/in.h>
#include <string.h>

#define TRIES	  2    /* of a packet that nobody answers: one may be lost */
#define FLOOR4	  576  /* RFC 791: what every host takes */
#define FLOOR6	  1280 /* RFC 8200: what every link carries */
#define TOLD_MIN  68   /* RFC 791: no link carries less */
#define STEPS_MAX 24   /* of the search: halving takes 16 */

/* Send a packet, and again if nobody answers. */
static int send_twice(struct prober *prober, const struct probe *probe, struct probe_answer *answer,
		      struct error *error)
{
	int err = 0;

	answer->end = PROBE_SILENT;
	for (int i = 0; i < TRIES && answer->end == PROBE_SILENT && !err; i++)
		err = probe_send(prober, probe, answer, error);
	return err;
}

/**
 * path_walk() - Find the hops on the way to an address
 * @prober: to whom
 * @l4_proto: of the packets
 * @path: is filled
 * @error: set on failure
 *
 * Ends at the destination, at an error that is none of distance, or where nobody answers any more.
 *
 * Return: 0 or -errno.
 */
int path_walk(struct prober *prober, uint8_t l4_proto, struct path_hops *path, struct error *error)
{
	int err;

	*path = (struct path_hops){.n = 0};
	while (path->n < PATH_HOPS_MAX && path->n - path->last < PATH_SILENT_MAX) {
		struct probe_answer *hop = &path->hops[path->n];
		const struct probe probe = {.l4_proto = l4_proto, .ttl = (uint8_t)(path->n + 1)};

		err = send_twice(prober, &probe, hop, error);
		if (err)
			return err;
		path->n++;
		if (hop->end != PROBE_SILENT && hop->end != PROBE_NOT_SENT)
			path->last = path->n;
		if (hop->end != PROBE_SILENT && hop->end != PROBE_EXPIRED) {
			path->reached = probe_arrived(hop);
			break;
		}
	}
	return 0;
}

/*
 * struct search - for the largest packet
 * @low: arrives
 * @high: does not
 */
struct search {
	struct prober *prober;
	struct path_mtu *mtu;
	uint32_t low;
	uint32_t high;
	uint8_t l4_proto;
};

/* Take an answer that says how much would fit: the next size to try. */
static uint32_t take_told(struct search *search, uint32_t len, const struct probe_answer *answer)
{
	search->high = len;
	search->mtu->told = answer->mtu;
	memset(&search->mtu->from, 0, sizeof(search->mtu->from));
	if (!answer->is_local)
		search->mtu->from = answer->from;
	if (answer->mtu >= TOLD_MIN && answer->mtu > search->low && answer->mtu < len)
		return answer->mtu;
	return search->low + (len - search->low) / 2;
}

/* Try one size; sets the next one, 0 where the search is over. */
static int try_size(struct search *search, uint32_t len, uint32_t *next, struct error *error)
{
	const struct probe probe = {.l4_proto = search->l4_proto, .len = (uint16_t)len};
	struct path_mtu *mtu = search->mtu;
	struct probe_answer answer;
	int err = send_twice(search->prober, &probe, &answer, error);

	if (err)
		return err;
	*next = 0;
	if (answer.end == PROBE_TOO_BIG) {
		mtu->end = PATH_MTU_TOLD;
		*next = take_told(search, len, &answer);
	} else if (answer.end == PROBE_SILENT) {
		mtu->end = PATH_MTU_SILENT;
		search->high = len;
		*next = search->low + (len - search->low) / 2;
	} else if (!probe_arrived(&answer)) {
		mtu->end = PATH_MTU_UNKNOWN;
	} else {
		search->low = len;
		if (mtu->end == PATH_MTU_SILENT || len != mtu->told)
			*next = len + (search->high - len) / 2;
	}
	if (*next <= search->low || *next >= search->high)
		*next = 0;
	return 0;
}

/* Find the last hop that packets come to which are too large for the whole way. */
static int find_loss(struct search *search, struct error *error)
{
	struct probe probe = {.l4_proto = search->l4_proto, .len = (uint16_t)search->high};
	int err = 0;

	for (probe.ttl = 1; probe.ttl < PATH_HOPS_MAX && !err; probe.ttl++) {
		struct probe_answer answer;

		err = send_twice(search->prober, &probe, &answer, error);
		if (err || answer.end != PROBE_EXPIRED)
			break;
		search->mtu->hop = probe.ttl;
		search->mtu->from = answer.from;
	}
	return err;
}

/**
 * path_find_mtu() - Find the largest packet that comes to an address
 * @prober: to whom
 * @l4_proto: IPPROTO_ICMP or IPPROTO_UDP: what the destination answers to
 * @link_mtu: of the interface
 * @mtu: is filled
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int path_find_mtu(struct prober *prober, uint8_t l4_proto, uint32_t link_mtu, struct path_mtu *mtu,
		  struct error *error)
{
	uint32_t floor = prober->ip_version == IP_VERSION_4 ? FLOOR4 : FLOOR6;
	struct search search = {
		.prober = prober,
		.mtu = mtu,
		.low = probe_min_len(prober, l4_proto) - 1,
		.high = (link_mtu < UINT16_MAX ? link_mtu : UINT16_MAX) + 1,
		.l4_proto = l4_proto,
	};
	uint32_t next = search.high - 1;
	int err = 0;

	*mtu = (struct path_mtu){.end = PATH_MTU_WHOLE};
	for (int step = 0; step < STEPS_MAX && next && !err; step++) {
		err = try_size(&search, next, &next, error);
		/* what every way carries tells a limit from a filter; nothing below it is looked for */
		if (mtu->end == PATH_MTU_SILENT && search.low < floor && next)
			next = step ? 0 : floor;
	}
	if (err)
		return err;
	if (search.low < probe_min_len(prober, l4_proto))
		mtu->end = PATH_MTU_UNKNOWN;
	mtu->mtu = mtu->end == PATH_MTU_UNKNOWN ? mtu->told : search.low;
	return mtu->end == PATH_MTU_SILENT ? find_loss(&search, error) : 0;
}
