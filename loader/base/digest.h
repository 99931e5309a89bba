/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Short names for long texts: the first digits of their SHA-256.
 */
#ifndef SHRIKE_BASE_DIGEST_H
#define SHRIKE_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_DIGITS_MAX 64

char *digest_hex(const void *bytes, size_t len, char *text, unsigned int digits);
uint64_t digest_number(const void *bytes, size_t len);

#endif /* SHRIKE_BASE_DIGEST_H */
