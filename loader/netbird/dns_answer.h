/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * DNS answers (RFC 1035) as a DNS forwarder sends them: which name has which addresses.
 */
#ifndef SHRIKE_NETBIRD_DNS_ANSWER_H
#define SHRIKE_NETBIRD_DNS_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

#define DNS_NAME_SIZE	  1025	/* NS_MAXDNAME: a name as text, with what is escaped */
#define DNS_ADDRESSES_MAX 256	/* of one answer; more are passed over */
#define DNS_TTL_MAX_S	  86400 /* longer ones count as that */

struct dns_address {
	struct prefix prefix; /* a single address */
	uint32_t ttl_s;	      /* the shortest on the way from the name to it */
};

/*
 * struct dns_answer - what was answered
 * @name: what was asked for, in lower case, without a dot at its end
 * @addresses: of the name, or of what it is an alias of
 */
struct dns_answer {
	char name[DNS_NAME_SIZE];
	struct dns_address addresses[DNS_ADDRESSES_MAX];
	size_t n;
};

int dns_answer_parse(const uint8_t *message, size_t len, struct dns_answer *answer);
int dns_answer_find(const uint8_t *packet, size_t len, const uint8_t **message,
		    size_t *message_len);

#endif /* SHRIKE_NETBIRD_DNS_ANSWER_H */
