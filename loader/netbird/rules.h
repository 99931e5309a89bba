/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rules of a policy that is made of a network map: collected in any order, then merged, sorted
 * and named, so that the same rules always come out the same.
 */
#ifndef SHRIKE_NETBIRD_RULES_H
#define SHRIKE_NETBIRD_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/value.h"
#include "rule.h"

enum netbird_destination {
	DESTINATION_LOCAL, /* this host: of peer_acl */
	DESTINATION_ANY,
	DESTINATION_PREFIX,
	DESTINATION_SET,
};

/*
 * struct netbird_rule - a rule
 * @source: of @n_source prefixes; not looked at where @any_source
 * @to: of DESTINATION_PREFIX
 * @set: name of DESTINATION_SET, owned by whoever collects the rules
 * @ports: of the destination; first is 0: any
 * @policy: id of NetBird's policy in printable ASCII, cut off where it is too long
 * @policy_digest: of the id as it was
 * @is_lossy: @policy is not the id as it was
 * @id: is empty until rules_finish()
 */
struct netbird_rule {
	struct prefix *source;
	size_t n_source;
	size_t room;
	struct prefix to;
	const char *set;
	uint64_t policy_digest;
	struct port_range ports;
	uint16_t protocol; /* 0-255, PROTOCOL_ALL or PROTOCOL_ICMP */
	uint8_t acl;	   /* enum acl */
	uint8_t kind;	   /* enum netbird_destination */
	bool deny;
	bool any_source;
	bool is_lossy;
	char policy[RULE_ID_MAX];
	char id[RULE_ID_MAX];
};

/* Rules by the thousand; all zero: none yet. */
struct netbird_rules {
	struct netbird_rule *rules;
	size_t n;
	size_t room;
};

int rules_add(struct netbird_rules *rules, const struct netbird_rule *rule);
int rule_add_source(struct netbird_rule *rule, const struct prefix *prefix);
int rules_finish(struct netbird_rules *rules);
void rules_free(struct netbird_rules *rules);

const char *rule_destination(const struct netbird_rule *rule, char text[PREFIX_TEXT_MAX]);
const char *rule_protocol(const struct netbird_rule *rule, char text[8]);

#endif /* SHRIKE_NETBIRD_RULES_H */
