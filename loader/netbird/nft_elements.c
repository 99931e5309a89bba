/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "netbird/nft_elements.h"

#include <errno.h>
#include <netlink/attr.h>
#include <stdlib.h>
#include <string.h>

#define MAPPED_LEN 12 /* bytes of ::ffff:0:0/96 */

static const uint8_t mapped[MAPPED_LEN] = {[10] = 0xff, [11] = 0xff};

static size_t key_len(const struct nft_elements *elements)
{
	return prefix_bits(elements->ip_version) / 8;
}

static int add(struct nft_elements *elements, const uint8_t *key, bool is_end)
{
	if (elements->n == NFT_ELEMENTS_MAX)
		return -E2BIG;
	if (elements->n == elements->room) {
		size_t more = elements->room * 2 + 64;
		struct nft_bound *larger = realloc(elements->bounds, more * sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		elements->bounds = larger;
		elements->room = more;
	}
	elements->bounds[elements->n] = (struct nft_bound){.is_end = is_end};
	memcpy(elements->bounds[elements->n++].bytes, key, key_len(elements));
	return 0;
}

/* The address of a key, or NULL. */
static const uint8_t *read_key(const struct nft_elements *elements, struct nlattr *attribute)
{
	struct nlattr *data[NFTA_DATA_MAX + 1];

	if (!attribute || nla_parse_nested(data, NFTA_DATA_MAX, attribute, NULL) < 0 ||
	    !data[NFTA_DATA_VALUE] || (size_t)nla_len(data[NFTA_DATA_VALUE]) != key_len(elements))
		return NULL;
	return nla_data(data[NFTA_DATA_VALUE]);
}

/* Only what has no influence on what matches, beside the address itself. */
static bool is_understood(struct nlattr *element)
{
	struct nlattr *attribute;
	int left;

	nla_for_each_nested(attribute, element, left) switch (nla_type(attribute))
	{
	case NFTA_SET_ELEM_KEY:
	case NFTA_SET_ELEM_FLAGS:
	case NFTA_SET_ELEM_USERDATA:
	case NFTA_SET_ELEM_PAD:
		break;
	default:
		return false;
	}
	return left <= 0;
}

static int read_element(struct nft_elements *elements, struct nlattr *element)
{
	struct nlattr *attributes[NFTA_SET_ELEM_MAX + 1];
	const uint8_t *key;
	uint32_t flags;

	if (!is_understood(element) ||
	    nla_parse_nested(attributes, NFTA_SET_ELEM_MAX, element, NULL) < 0)
		return -EOPNOTSUPP;
	flags = nftables_number(attributes[NFTA_SET_ELEM_FLAGS], 0);
	key = read_key(elements, attributes[NFTA_SET_ELEM_KEY]);
	if (!key || flags & ~NFT_SET_ELEM_INTERVAL_END || (flags && !elements->is_interval))
		return -EOPNOTSUPP;
	return add(elements, key, flags & NFT_SET_ELEM_INTERVAL_END);
}

/**
 * nft_elements_read() - Read the elements of a message
 * @elements: what is read is added; its bounds are for the caller to free
 * @message: an NFT_MSG_NEWSETELEM of that set
 *
 * Return: 0; -EOPNOTSUPP: an element is no plain address, such as one with a timeout; -E2BIG;
 * -ENOMEM.
 */
int nft_elements_read(struct nft_elements *elements, const struct nftables_message *message)
{
	struct nlattr *attributes[NFTA_SET_ELEM_LIST_MAX + 1], *element;
	int left, err = 0;

	if (nftables_attributes(message, attributes, NFTA_SET_ELEM_LIST_MAX))
		return -EOPNOTSUPP;
	if (!attributes[NFTA_SET_ELEM_LIST_ELEMENTS])
		return 0;
	nla_for_each_nested(element, attributes[NFTA_SET_ELEM_LIST_ELEMENTS], left)
	{
		err = read_element(elements, element);
		if (err)
			return err;
	}
	return 0;
}

/* ---- intervals to prefixes ---- */

/* At one address the interval that ends there comes before the one that begins. */
static int compare_bounds(const void *a, const void *b)
{
	const struct nft_bound *x = a, *y = b;
	int order = memcmp(x->bytes, y->bytes, sizeof(x->bytes));

	return order ? order : y->is_end - x->is_end;
}

static bool bit_is_set(const uint8_t *bytes, unsigned int bit)
{
	return bytes[bit / 8] & 0x80 >> bit % 8;
}

/* The block of @bits - @len low bits that begins at @first: its last address. */
static void block_last(const uint8_t *first, unsigned int len, unsigned int bits, uint8_t *last)
{
	memcpy(last, first, bits / 8);
	for (unsigned int bit = len; bit < bits; bit++)
		last[bit / 8] |= 0x80 >> bit % 8;
}

/* Go on by one, or back; returns whether it went over the end. */
static bool step(uint8_t *bytes, size_t len, bool back)
{
	while (len-- > 0) {
		bytes[len] += back ? -1 : 1;
		if (bytes[len] != (back ? 0xff : 0))
			return false;
	}
	return true;
}

/* What is found of a set on the way from bounds to prefixes. */
struct found {
	struct prefix *prefixes;
	size_t n;
	size_t room;
};

static int add_prefix(struct found *found, const struct prefix *prefix)
{
	if (found->n == found->room) {
		size_t more = found->room * 2 + 64;
		struct prefix *larger = realloc(found->prefixes, more * sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		found->prefixes = larger;
		found->room = more;
	}
	found->prefixes[found->n++] = *prefix;
	return 0;
}

/* A block as a prefix; false: no policy can have it, as it lies in ::ffff:0:0/96. */
static bool make_prefix(uint8_t ip_version, const uint8_t *first, unsigned int len,
			struct prefix *prefix)
{
	*prefix = (struct prefix){.ip_version = ip_version, .len = len};
	if (ip_version == IP_VERSION_6) {
		memcpy(prefix->addr.bytes, first, sizeof(prefix->addr.bytes));
		return memcmp(first, mapped, MAPPED_LEN) != 0;
	}
	memcpy(prefix->addr.bytes, mapped, MAPPED_LEN);
	memcpy(&prefix->addr.word[3], first, sizeof(prefix->addr.word[3]));
	return true;
}

/* Add an interval, both ends included, as the fewest blocks. */
static int add_interval(struct found *found, uint8_t ip_version, const uint8_t *from,
			const uint8_t *to)
{
	unsigned int bits = prefix_bits(ip_version), len;
	uint8_t first[16], last[16];
	struct prefix prefix;
	bool over = false;

	memcpy(first, from, bits / 8);
	while (!over && memcmp(first, to, bits / 8) <= 0) {
		for (len = bits; len > 0 && !bit_is_set(first, len - 1); len--) {
			block_last(first, len - 1, bits, last);
			if (memcmp(last, to, bits / 8) > 0)
				break;
		}
		block_last(first, len, bits, last);
		if (make_prefix(ip_version, first, len, &prefix) && add_prefix(found, &prefix))
			return -ENOMEM;
		memcpy(first, last, bits / 8);
		over = step(first, bits / 8, false);
	}
	return 0;
}

/* The interval that begins at this bound ends before the next one, or with the last address. */
static int add_from(struct found *found, const struct nft_elements *elements, size_t at)
{
	const struct nft_bound *from = &elements->bounds[at], *next = from + 1;
	size_t len = key_len(elements);
	uint8_t to[16];

	if (!elements->is_interval) {
		memcpy(to, from->bytes, len);
	} else if (at + 1 == elements->n) {
		memset(to, 0xff, len);
	} else {
		memcpy(to, next->bytes, len);
		if (step(to, len, true))
			return 0; /* two at the very first address */
	}
	return add_interval(found, elements->ip_version, from->bytes, to);
}

/**
 * nft_elements_prefixes() - What the elements match, as prefixes
 * @elements: all of a set; sorted
 * @prefixes: set to them, for the caller to free; NULL where there are none
 * @n: set to how many
 *
 * An address matches where the last bound up to it is not an end.  Addresses in ::ffff:0:0/96, which
 * no packet has, are left out.
 *
 * Return: 0 or -ENOMEM.
 */
int nft_elements_prefixes(struct nft_elements *elements, struct prefix **prefixes, size_t *n)
{
	struct found found = {.n = 0};
	int err = 0;

	if (elements->n > 1)
		qsort(elements->bounds, elements->n, sizeof(*elements->bounds), compare_bounds);
	for (size_t i = 0; i < elements->n && !err; i++)
		if (!elements->bounds[i].is_end)
			err = add_from(&found, elements, i);
	if (err) {
		free(found.prefixes);
		return err;
	}
	*prefixes = found.prefixes;
	*n = found.n;
	return 0;
}
