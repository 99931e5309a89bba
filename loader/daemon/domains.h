/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The domain sets of NetBird's part of a policy, filled while `run` follows the daemon: from
 * nftables, or from the answers of its DNS forwarder (netbird/domain_sets.h).
 */
#ifndef SHRIKE_DAEMON_DOMAINS_H
#define SHRIKE_DAEMON_DOMAINS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "dataplane/attached.h"
#include "netbird/dns_tap.h"
#include "netbird/domain_sets.h"
#include "policy/part.h"

struct domains;

/* Takes a line for the log. */
typedef void (*domains_log_fn)(void *arg, const char *text);

int domains_new(uint64_t hold_ns, domains_log_fn log, void *arg, struct domains **domains,
		struct error *error);
void domains_free(struct domains *domains);

int domains_fd(const struct domains *domains);
bool domains_ready(struct domains *domains, const struct attached *attached, bool waits);
void domains_recover(struct domains *domains, const struct part_text *part);
void domains_see(struct domains *domains, const struct dns_sighting *sighting);
bool domains_check(struct domains *domains, const struct attached *attached, bool waits);
int domains_fill(struct domains *domains, const struct part_text *part, struct part_text *filled,
		 struct error *error);
void domains_settle(struct domains *domains);
size_t domains_full(const struct domains *domains, char name[DOMAIN_SET_NAME_SIZE]);
bool domains_want_answers(const struct domains *domains);

#endif /* SHRIKE_DAEMON_DOMAINS_H */
