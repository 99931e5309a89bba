/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "netbird/nft_whole.h"

#include <errno.h>

#include "base/address.h"
#include "netbird/nft_sets.h"

/**
 * nft_family_name() - What nft(8) calls a family
 * @ip_version: 4 or 6
 */
const char *nft_family_name(uint8_t ip_version)
{
	return ip_version == IP_VERSION_4 ? "ip" : "ip6";
}

/* What is missing of a family's table that was there. */
static int refuse(uint8_t ip_version, uint32_t missing, struct error *error)
{
	static const char *const chains[ACL_MAX] = {
		[ACL_PEER] = NFT_INPUT_RULES,
		[ACL_ROUTE] = NFT_FORWARD_RULES,
	};
	const char *family = nft_family_name(ip_version);

	if (missing & NFT_HAS_TABLE)
		return error_set(error, ENODATA,
				 "nftables: table %s %s is not there, the other one is: they are "
				 "not whole",
				 family, NETBIRD_TABLE);
	for (int acl = 0; acl < ACL_MAX; acl++)
		if (missing & NFT_HAS_ANSWERS(acl))
			return error_set(error, ENODATA,
					 "nftables: %s of table %s %s lets no answers pass any "
					 "more: it is not whole",
					 chains[acl], family, NETBIRD_TABLE);
	return 0;
}

/**
 * nft_whole_check() - Refuse half of the tables
 * @has: bits of both families, of tables of which at least one is there
 * @expected: those that were there when they were whole last; 0: that is not known
 * @error: says what is missing
 *
 * Return: 0 or -ENODATA.
 */
int nft_whole_check(uint32_t has, uint32_t expected, struct error *error)
{
	static const uint8_t versions[] = {IP_VERSION_4, IP_VERSION_6};
	uint32_t missing = (expected | NFT_HAS_TABLE) & ~has; /* there is none for IPv6 alone */
	int err = 0;

	for (int i = 0; i < 2 && !err; i++)
		err = refuse(versions[i], missing >> i * (1 + ACL_MAX), error);
	return err;
}
