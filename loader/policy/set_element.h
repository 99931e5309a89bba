/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An element of a named set: an address or prefix, which may be there for a time only.
 */
#ifndef SHRIKE_POLICY_SET_ELEMENT_H
#define SHRIKE_POLICY_SET_ELEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/error.h"

#define SET_TIMEOUT	     "timeout" /* the word between an element and its time */
#define SET_ELEMENT_TEXT_MAX (PREFIX_TEXT_MAX + 48)

struct set_element {
	struct prefix prefix;
	uint64_t timeout_ns; /* from when it comes into force; 0: it stays */
};

int set_timeout_parse(const char *text, uint64_t *timeout_ns, struct error *error);
int set_element_parse(const char *text, struct set_element *element, struct error *error);
const char *set_element_format(const struct set_element *element, char *text, size_t size);
int set_element_compare(const void *a, const void *b);
size_t set_elements_sort(struct set_element *elements, size_t n);

#endif /* SHRIKE_POLICY_SET_ELEMENT_H */
