/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What answers about the past of an interface are made of, taken from the kernel and the history, and
 * kept in a report.
 *
 * In a report these are recorder.json (struct incident_past but for records and texts), recorder.bin
 * (struct record, in the byte order that recorder.json names) and policies/NUMBER.yaml, with now.yaml for
 * the one in force.  A report may be somebody else's: what is read is checked, and bounded.
 */
#ifndef SHRIKE_INCIDENT_PAST_H
#define SHRIKE_INCIDENT_PAST_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/error.h"
#include "dataplane/attached.h"
#include "dataplane/past_policies.h"
#include "dataplane/rule_names.h"
#include "recorder.h"

#define PAST_POLICIES_MAX  256
#define PAST_ADDRESSES_MAX 16

/*
 * struct incident_policy - one that was in force
 * @number: in the history; 0: the one in force when the report was written
 * @generation: that it came with
 * @from_ns: CLOCK_REALTIME when it came into force
 * @path: of its file; NULL: the default policy
 * @text: NUL-terminated
 */
struct incident_policy {
	uint32_t number;
	uint32_t generation;
	uint64_t from_ns;
	char *path;
	char *text;
	size_t len;
};

/*
 * struct incident_past - all zero: nothing
 * @written_ns: CLOCK_MONOTONIC when it was taken
 * @offset_ns: from CLOCK_MONOTONIC to CLOCK_REALTIME
 * @records: by the time of their first packet
 * @policies: the oldest first; the last one was in force
 * @addresses: of the interface as text, with the lengths of their prefixes
 * @ip_forward: the kernel forwarded
 */
struct incident_past {
	char interface[IF_NAMESIZE];
	uint64_t written_ns;
	uint64_t offset_ns;
	struct record *records;
	size_t n_records;
	struct rule_names rules;
	struct incident_policy policies[PAST_POLICIES_MAX];
	size_t n_policies;
	char addresses[PAST_ADDRESSES_MAX][PREFIX_TEXT_MAX];
	size_t n_addresses;
	bool ip_forward;
};

int incident_past_take(struct incident_past *past, const char *ifname,
		       const struct attached *attached, struct error *error);
int incident_past_policies(const struct incident_past *from, struct past_policies *past,
			   struct error *error);
int incident_past_names(const struct incident_past *past, struct names *names, struct error *error);
const struct incident_policy *incident_past_last(const struct incident_past *past);
void incident_past_free(struct incident_past *past);

#endif /* SHRIKE_INCIDENT_PAST_H */
