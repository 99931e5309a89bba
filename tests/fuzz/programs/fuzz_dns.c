/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Coverage-guided fuzzing of what reads the answers of a DNS forwarder (libFuzzer).  An input is a
 * packet, and the message in it is read once more without the packet around it.
 */
#include <stdlib.h>
#include <string.h>

#include "netbird/dns_answer.h"
#include "netbird/domain_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_match(void *arg, const char *set)
{
	size_t *sum = arg;

	*sum += strlen(set);
}

/* What was read is what a policy can have. */
static void read_message(const struct domain_index *index, const uint8_t *message, size_t len)
{
	static struct dns_answer answer;
	size_t sum = 0;

	if (dns_answer_parse(message, len, &answer))
		return;
	if (strlen(answer.name) >= DNS_NAME_SIZE || answer.n > DNS_ADDRESSES_MAX)
		abort();
	for (size_t i = 0; i < answer.n; i++) {
		char text[PREFIX_TEXT_MAX];
		struct prefix again;
		struct error error;

		prefix_format(&answer.addresses[i].prefix, text, sizeof(text));
		if (prefix_parse(text, &again, &error) ||
		    !prefix_equal(&again, &answer.addresses[i].prefix) ||
		    answer.addresses[i].ttl_s > DNS_TTL_MAX_S)
			abort();
	}
	domain_index_match(index, answer.name, on_match, &sum);
}

/**
 * LLVMFuzzerTestOneInput() - Read the packet that libFuzzer has made
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct domain_index *index;
	uint8_t *packet = malloc(size + !size); /* of its own, so that sanitizers see its end */
	const uint8_t *message;
	size_t len;

	if (!index) {
		index = domain_index_new();
		if (!index || domain_index_add(index, "*.example.com", "nb-00000001") ||
		    domain_index_add(index, "www.example.com", "nb-00000002"))
			abort();
		domain_index_sort(index);
	}
	if (!packet)
		abort();
	memcpy(packet, data, size);
	read_message(index, packet, size);
	if (!dns_answer_find(packet, size, &message, &len)) {
		if (message < packet || message + len > packet + size)
			abort();
		read_message(index, message, len);
	}
	free(packet);
	return 0;
}
