/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Coverage-guided fuzzing of what reads nftables from the kernel (libFuzzer).  An input is the
 * messages of a netlink socket, one behind the other; the first byte says of which kind of set.
 */
#include <linux/netfilter/nfnetlink.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>

#include "netbird/domain_sets.h"
#include "netbird/nft_elements.h"
#include "netbird/nft_rule.h"
#include "netbird/nft_sets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_warning(void *arg, const char *text)
{
	size_t *sum = arg;

	*sum += strlen(text);
}

/* What is read of a set is what a policy can have. */
static void read_elements(struct nft_elements *elements)
{
	struct prefix *prefixes = NULL;
	size_t n = 0;

	if (nft_elements_prefixes(elements, &prefixes, &n))
		abort();
	for (size_t i = 0; i < n; i++) {
		char text[PREFIX_TEXT_MAX];
		struct prefix again;
		struct error error;

		prefix_format(&prefixes[i], text, sizeof(text));
		if (prefix_parse(text, &again, &error) || !prefix_equal(&again, &prefixes[i]))
			abort();
	}
	free(prefixes);
}

/* What is read of a rule fits where it was put, and is what a policy can have. */
static void read_rule(const struct nftables_message *message, uint8_t ip_version)
{
	struct nft_rule rule;
	char why[NFT_WHY_SIZE];

	if (nft_rule_read(message, ip_version, &rule, why)) {
		if (!memchr(why, '\0', sizeof(why)))
			abort();
		return;
	}
	if (!memchr(rule.chain, '\0', sizeof(rule.chain)) ||
	    !memchr(rule.jump, '\0', sizeof(rule.jump)) ||
	    !memchr(rule.iif, '\0', sizeof(rule.iif)) || rule.ports.first > rule.ports.last ||
	    rule.protocol > UINT8_MAX)
		abort();
}

/* Read one message, of a size of its own, so that sanitizers see its end. */
static void read_message(struct nft_sets *sets, struct nft_elements *elements,
			 const struct nlmsghdr *from)
{
	struct nlmsghdr *header = malloc(from->nlmsg_len);
	struct nftables_message message;

	if (!header)
		abort();
	memcpy(header, from, from->nlmsg_len);
	header->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | (header->nlmsg_type & 0xff);
	if (!nftables_parse(header, &message)) {
		nft_sets_note(sets, &message);
		nft_elements_read(elements, &message);
		read_rule(&message, elements->ip_version);
	}
	free(header);
}

/**
 * LLVMFuzzerTestOneInput() - Read the messages that libFuzzer has made
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t sum = 0;
	struct domain_sets *to = domain_sets_new(1);
	struct nft_sets *sets = nft_sets_new(to, on_warning, &sum);
	struct nft_elements elements = {
		.ip_version = size && data[0] & 1 ? IP_VERSION_6 : IP_VERSION_4,
		.is_interval = size && data[0] & 2,
	};
	uint8_t *aligned = malloc(size + 1);

	if (!to || !sets || !aligned)
		abort();
	if (size) {
		struct nlmsghdr *header = (struct nlmsghdr *)aligned;
		int left = size - 1;

		memcpy(aligned, data + 1, left);
		for (; nlmsg_ok(header, left); header = nlmsg_next(header, &left))
			read_message(sets, &elements, header);
	}
	read_elements(&elements);
	free(elements.bounds);
	free(aligned);
	nft_sets_close(sets);
	domain_sets_free(to);
	return 0;
}
