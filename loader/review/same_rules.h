/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules that two policies have in common, whatever their ids and their order.
 *
 * What a rule lets in is its box less what denials decide about.  Where another policy has the rule,
 * too, and no denial that this one has not, all of that is let in there: nothing is to be compared.
 */
#ifndef SHRIKE_REVIEW_SAME_RULES_H
#define SHRIKE_REVIEW_SAME_RULES_H

#include "review/inquiry.h"

/*
 * struct same_rules - what another policy lets in, if it is asked of each ACL
 * @allowed: its rules that allow, sorted
 * @n: how many; 0 where it denies something that this policy does not
 */
struct same_rules {
	const struct box **allowed[ACL_MAX];
	size_t n[ACL_MAX];
};

int same_rules_make(struct same_rules *same, const struct inquiry *mine,
		    const struct inquiry *other);
bool same_rules_have(const struct same_rules *same, enum acl acl, const struct box *box);
void same_rules_free(struct same_rules *same);

#endif /* SHRIKE_REVIEW_SAME_RULES_H */
