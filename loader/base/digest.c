/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/digest.h"

#include <sha2.h>

static void digest(const void *bytes, size_t len, uint8_t sum[SHA256_DIGEST_LENGTH])
{
	SHA2_CTX context;

	SHA256Init(&context);
	SHA256Update(&context, bytes, len);
	SHA256Final(sum, &context);
}

/**
 * digest_hex() - The first hexadecimal digits of a text's SHA-256
 * @bytes: the text
 * @len: of @bytes
 * @text: receives the digits, in lower case, and a NUL
 * @digits: how many, at most DIGEST_DIGITS_MAX
 *
 * Return: @text.
 */
char *digest_hex(const void *bytes, size_t len, char *text, unsigned int digits)
{
	uint8_t sum[SHA256_DIGEST_LENGTH];

	digest(bytes, len, sum);
	for (unsigned int i = 0; i < digits; i++)
		text[i] = "0123456789abcdef"[sum[i / 2] >> (i % 2 ? 0 : 4) & 0xf];
	text[digits] = '\0';
	return text;
}

/**
 * digest_number() - The first 64 bits of a text's SHA-256
 * @bytes: the text
 * @len: of @bytes
 */
uint64_t digest_number(const void *bytes, size_t len)
{
	uint8_t sum[SHA256_DIGEST_LENGTH];
	uint64_t number = 0;

	digest(bytes, len, sum);
	for (unsigned int i = 0; i < sizeof(number); i++)
		number = number << 8 | sum[i];
	return number;
}
