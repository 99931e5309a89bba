/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What names were resolved to lately: a map that puts their domain into another set has their
 * addresses at once, and cuts no connection to them.
 */
#ifndef SHRIKE_NETBIRD_DNS_MEMORY_H
#define SHRIKE_NETBIRD_DNS_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "netbird/dns_answer.h"

#define DNS_MEMORY_ENTRIES 4096 /* the one that expires first makes room */
#define DNS_MEMORY_NAME	   256	/* bytes of a name; longer ones are forgotten */

struct dns_memory_entry {
	char name[DNS_MEMORY_NAME];
	struct prefix prefix;
	int64_t until_s; /* on the caller's clock */
};

/* All zero: nothing. */
struct dns_memory {
	struct dns_memory_entry entries[DNS_MEMORY_ENTRIES];
	size_t n;
};

void dns_memory_note(struct dns_memory *memory, const struct dns_answer *answer, int64_t now_s);

#endif /* SHRIKE_NETBIRD_DNS_MEMORY_H */
