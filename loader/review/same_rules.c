/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "review/same_rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LONG 256 /* ranges of a list that takes too long to compare, again and again */

/* Whether a rule is compared at all. */
static bool is_short(const struct box *box)
{
	for (int d = 0; d < BOX_DIMENSIONS; d++)
		if (box->dim[d].n > LONG)
			return false;
	return true;
}

/* An order in which rules that match the same packets are equal. */
static int compare(const struct box *a, const struct box *b)
{
	int order = (a->rule->protocol > b->rule->protocol) -
		    (a->rule->protocol < b->rule->protocol);

	for (int d = BOX_DIMENSIONS - 1; d >= 0 && !order; d--) {
		const struct ranges *x = &a->dim[d], *y = &b->dim[d];

		order = (x->n > y->n) - (x->n < y->n);
		if (!order && x->list != y->list)
			order = memcmp(x->list, y->list, x->n * sizeof(*x->list));
	}
	return order;
}

static int compare_boxes(const void *a, const void *b)
{
	return compare(*(const struct box *const *)a, *(const struct box *const *)b);
}

/* A sorted list of boxes, to be freed; NULL without memory. */
static const struct box **sorted(const struct box *boxes, size_t n_boxes, size_t *n)
{
	const struct box **list = calloc(n_boxes + 1, sizeof(*list));

	*n = 0;
	if (!list)
		return NULL;
	for (size_t i = 0; i < n_boxes; i++)
		if (is_short(&boxes[i]))
			list[(*n)++] = &boxes[i];
	qsort(list, *n, sizeof(*list), compare_boxes);
	return list;
}

static bool has(const struct box **list, size_t n, const struct box *box)
{
	return is_short(box) && bsearch(&box, list, n, sizeof(*list), compare_boxes);
}

/* Whether one policy denies all that the other one does.  Return: 1, 0 or -ENOMEM. */
static int denies_as_much(const struct boxes *mine, const struct boxes *other)
{
	size_t n;
	const struct box **denied = sorted(mine->list, mine->n_deny, &n);
	bool all = true;

	if (!denied)
		return -ENOMEM;
	for (size_t i = 0; i < other->n_deny && all; i++)
		all = has(denied, n, &other->list[i]);
	free(denied);
	return all;
}

/* Whether both policies ask the same rules about the same packets. */
static bool same_regions(const struct inquiry *a, const struct inquiry *b)
{
	bool same = a->n_regions == b->n_regions;

	for (size_t i = 0; i < a->n_regions && same; i++) {
		const struct region *x = &a->region[i], *y = &b->region[i];

		same = x->acl == y->acl && x->ip_version == y->ip_version &&
		       x->unjudged == y->unjudged && ranges_equal(&x->source, &y->source) &&
		       ranges_equal(&x->asked, &y->asked);
	}
	return same;
}

/**
 * same_rules_make() - Find what another policy allows as this one does
 * @same: to be freed with same_rules_free(), whatever is returned
 * @mine: about this policy
 * @other: about the other one; outlives @same
 *
 * Return: 0 or -ENOMEM.
 */
int same_rules_make(struct same_rules *same, const struct inquiry *mine,
		    const struct inquiry *other)
{
	*same = (struct same_rules){};
	if (!same_regions(mine, other))
		return 0;
	for (enum acl acl = 0; acl < ACL_MAX; acl++) {
		const struct boxes *boxes = &other->boxes[acl];
		int as_much = denies_as_much(&mine->boxes[acl], boxes);

		if (as_much < 0)
			return as_much;
		if (!as_much)
			continue;
		same->allowed[acl] = sorted(boxes->list + boxes->n_deny, boxes->n - boxes->n_deny,
					    &same->n[acl]);
		if (!same->allowed[acl])
			return -ENOMEM;
	}
	return 0;
}

/**
 * same_rules_have() - Whether the other policy lets in all that a rule of this one does
 * @same: of both
 * @acl: of the rule
 * @box: the rule, which allows
 *
 * Return: false, too, where that takes more than a look.
 */
bool same_rules_have(const struct same_rules *same, enum acl acl, const struct box *box)
{
	return same->n[acl] && has(same->allowed[acl], same->n[acl], box);
}

/**
 * same_rules_free() - Release what same_rules_make() has made
 */
void same_rules_free(struct same_rules *same)
{
	for (enum acl acl = 0; acl < ACL_MAX; acl++)
		free(same->allowed[acl]);
}
