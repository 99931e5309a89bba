/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "incident/past_replay.h"

#include <linux/if_ether.h>

#include "incident/past_file.h"

/* The next record that shows a packet of the interface; a replay_next_fn. */
static int next_packet(void *arg, struct capture_packet *packet, struct error *error)
{
	struct past_replay *from = arg;
	const struct incident_past *past = &from->past;

	(void)error;
	while (from->n < past->n_records) {
		const struct record *record = &past->records[from->n++];
		bool is_egress = record->flags & RECORD_EGRESS;
		size_t len;

		if (record->flags & (RECORD_REST | RECORD_UPLINK | RECORD_FRAGMENT) ||
		    !recorded_headers(record, from->bytes, &len))
			continue;
		*packet = (struct capture_packet){
			.bytes = from->bytes,
			.time_ns = record->time_ns + past->offset_ns,
			.len = (uint32_t)len,
			.captured = (uint32_t)len,
			.ethertype = record->flags & RECORD_IP6 ? ETH_P_IPV6 : ETH_P_IP,
			.is_outgoing = is_egress,
			.is_incoming = !is_egress,
		};
		return 1;
	}
	return 0;
}

/**
 * past_replay_open() - Have a report replayed
 * @from: all zero; is for past_replay_close() if this succeeds
 * @replay: its capture_path is the report's; gets the report's packets and, unless they were given,
 *	    addresses and policy
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int past_replay_open(struct past_replay *from, struct replay *replay, struct error *error)
{
	const struct incident_policy *last;
	int err = past_file_read(replay->capture_path, &from->past, error);
	bool has_addresses = replay->n_addresses;

	if (err)
		return err;
	replay->next = next_packet;
	replay->next_arg = from;
	replay->ip_forward |= from->past.ip_forward;
	for (size_t i = 0; i < from->past.n_addresses && !has_addresses && !err; i++)
		err = replay_add_address(replay, from->past.addresses[i], error);
	last = incident_past_last(&from->past);
	if (!err && !replay->policy_path && !last)
		err = error_input(error, "the report has no policy: -c is needed");
	if (err) {
		past_replay_close(from);
		return error_prefix(error, "%.200s", replay->capture_path);
	}
	if (!replay->policy_path) {
		from->policy = (struct policy_text){
			.path = last->path ?: replay->capture_path,
			.text = last->text,
			.len = last->len,
		};
		replay->policy = &from->policy;
	}
	return 0;
}

/**
 * past_replay_close() - Free what a replay was made of
 */
void past_replay_close(struct past_replay *from)
{
	incident_past_free(&from->past);
}
