/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/legacy.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Both families have one form of these, and one place for the target's offset in an entry. */
_Static_assert(sizeof(struct ipt_getinfo) == sizeof(struct ip6t_getinfo), "one form for both");
_Static_assert(offsetof(struct ipt_get_entries, entrytable) ==
		       offsetof(struct ip6t_get_entries, entrytable),
	       "one form for both");

/*
 * struct family - how a family's tables are asked for
 * @names: file that lists the tables there are: asking for another one would make it
 * @target_off: where an entry says how far its target is behind its beginning
 */
struct family {
	const char *name;
	const char *names;
	int domain;
	int level;
	int get_info;
	int get_entries;
	size_t target_off;
};

static const struct family families[] = {
	{"ip", "/proc/net/ip_tables_names", AF_INET, SOL_IP, IPT_SO_GET_INFO, IPT_SO_GET_ENTRIES,
	 offsetof(struct ipt_entry, target_offset)},
	{"ip6", "/proc/net/ip6_tables_names", AF_INET6, SOL_IPV6, IP6T_SO_GET_INFO,
	 IP6T_SO_GET_ENTRIES, offsetof(struct ip6t_entry, target_offset)},
};

static const struct {
	unsigned int hook;
	const char *chain;
} chains[] = {
	{NF_INET_FORWARD, "FORWARD"},
	{NF_INET_LOCAL_OUT, "OUTPUT"},
	{NF_INET_POST_ROUTING, "POSTROUTING"},
};

/* Whether what no rule of a chain accepts drops; its policy is the entry at @off. */
static bool policy_drops(const struct family *family, int fd, const struct ipt_getinfo *info,
			 uint32_t off)
{
	socklen_t len = offsetof(struct ipt_get_entries, entrytable) + info->size;
	struct ipt_get_entries *entries = calloc(1, len);
	struct xt_standard_target target = {};
	uint16_t target_off;
	bool drops = false;

	if (!entries)
		return false;
	strcpy(entries->name, info->name);
	entries->size = info->size;
	if (!getsockopt(fd, family->level, family->get_entries, entries, &len)) {
		const char *entry = (const char *)entries->entrytable + off;

		memcpy(&target_off, entry + family->target_off, sizeof(target_off));
		if (off + target_off + sizeof(target) <= info->size)
			memcpy(&target, entry + target_off, sizeof(target));
		drops = target.verdict == -NF_DROP - 1;
	}
	free(entries);
	return drops;
}

/* Report the chains of a table that do anything. */
static void read_table(const struct family *family, int fd, const char *table, legacy_fn on_chain,
		       void *arg)
{
	struct ipt_getinfo info = {};
	socklen_t len = sizeof(info);
	char name[96];

	snprintf(info.name, sizeof(info.name), "%s", table);
	if (getsockopt(fd, family->level, family->get_info, &info, &len))
		return;
	for (size_t i = 0; i < sizeof(chains) / sizeof(*chains); i++) {
		unsigned int hook = chains[i].hook;

		if (!(info.valid_hooks & 1 << hook))
			continue;
		if (info.hook_entry[hook] == info.underflow[hook] &&
		    !policy_drops(family, fd, &info, info.underflow[hook]))
			continue;
		snprintf(name, sizeof(name), "%s %s %s (iptables-legacy)", family->name, table,
			 chains[i].chain);
		on_chain(arg, name);
	}
}

/**
 * legacy_chains() - Report chains that do something at the hooks forward, output and postrouting
 * @on_chain: called with the family, table and name of each
 * @arg: for @on_chain
 *
 * What cannot be read is not there.
 */
void legacy_chains(legacy_fn on_chain, void *arg)
{
	char table[XT_TABLE_MAXNAMELEN];

	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
		const struct family *family = &families[i];
		FILE *names = fopen(family->names, "re");
		int fd = socket(family->domain, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		while (names && fd >= 0 && fscanf(names, "%31s", table) == 1)
			read_table(family, fd, table, on_chain, arg);
		if (names)
			fclose(names);
		if (fd >= 0)
			close(fd);
	}
}
