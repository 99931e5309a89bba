/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "policy/set_element.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/value.h"

#define BLANKS " \t"

/**
 * set_timeout_parse() - How long an element stays
 * @text: a duration
 * @timeout_ns: set to it, a second to 366 days
 * @error: what is wrong
 *
 * Return: 0 or -EINVAL (invalid input).
 */
int set_timeout_parse(const char *text, uint64_t *timeout_ns, struct error *error)
{
	int err = timeout_parse(text, timeout_ns, error);

	return err ? error_prefix(error, SET_TIMEOUT) : 0;
}

/**
 * set_element_parse() - An element as the policy file and the command line have it
 * @text: "PREFIX" or "PREFIX timeout DURATION", with blanks in between
 * @element: is filled
 * @error: what is wrong
 *
 * Return: 0 or -EINVAL.
 */
int set_element_parse(const char *text, struct set_element *element, struct error *error)
{
	size_t len = strcspn(text, BLANKS), word = strlen(SET_TIMEOUT);
	const char *rest = text + len + strspn(text + len, BLANKS);
	struct set_element found = {.timeout_ns = 0};
	char prefix[PREFIX_TEXT_MAX];
	int err;

	/* what is no element as a whole is named as a whole */
	if (!*rest || len >= sizeof(prefix) || strncmp(rest, SET_TIMEOUT, word) ||
	    !strspn(rest + word, BLANKS)) {
		err = prefix_parse(text, &found.prefix, error);
	} else {
		memcpy(prefix, text, len);
		prefix[len] = '\0';
		rest += word;
		err = prefix_parse(prefix, &found.prefix, error);
		if (!err)
			err = set_timeout_parse(rest + strspn(rest, BLANKS), &found.timeout_ns,
						error);
	}
	if (!err)
		*element = found;
	return err;
}

/**
 * set_element_format() - An element as set_element_parse() reads it
 * @element: the element
 * @text: where to write it
 * @size: of @text, SET_ELEMENT_TEXT_MAX is enough
 *
 * Return: @text.
 */
const char *set_element_format(const struct set_element *element, char *text, size_t size)
{
	size_t len;

	prefix_format(&element->prefix, text, size);
	len = strlen(text);
	if (!element->timeout_ns)
		return text;
	len += (size_t)snprintf(text + len, size - len, " " SET_TIMEOUT " ");
	if (len < size)
		duration_format(element->timeout_ns, text + len, size - len);
	return text;
}

/**
 * set_element_compare() - Order of elements by their prefixes, for qsort() and bsearch()
 */
int set_element_compare(const void *a, const void *b)
{
	const struct set_element *x = a, *y = b;

	return prefix_compare(&x->prefix, &y->prefix);
}

/* Of a prefix that is there twice the element that stays longest comes first. */
static int compare_whole(const void *a, const void *b)
{
	const struct set_element *x = a, *y = b;
	uint64_t longer = x->timeout_ns - 1, other = y->timeout_ns - 1; /* 0 is the longest */
	int order = set_element_compare(a, b);

	return order ? order : (longer < other) - (longer > other);
}

/**
 * set_elements_sort() - Sort elements, and keep of each prefix the one that stays longest
 * @elements: sorted in place; NULL only if @n is 0
 * @n: how many
 *
 * Return: how many are left.
 */
size_t set_elements_sort(struct set_element *elements, size_t n)
{
	size_t kept = 0;

	if (n > 1)
		qsort(elements, n, sizeof(*elements), compare_whole);
	for (size_t i = 0; i < n; i++)
		if (!kept || set_element_compare(&elements[kept - 1], &elements[i]))
			elements[kept++] = elements[i];
	return kept;
}
