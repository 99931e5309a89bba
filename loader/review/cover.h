/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Warnings about rules that others take packets from, with the sets as they are now.
 *
 * Exact where it speaks: a rule is said to be never reached only if every packet that it matches is
 * matched before by others.  Whether that is so can take very long to find out, so the search is
 * bounded, and it is said for how many rules it was given up.
 */
#ifndef SHRIKE_REVIEW_COVER_H
#define SHRIKE_REVIEW_COVER_H

#include "classify/classifier.h"
#include "policy/check.h"
#include "policy/policy.h"

/*
 * struct cover_input - what policy_cover() looks at
 * @classifier: compiled from the policy, without overlay
 * @dead: rules that policy_check() has warned of; these are not looked at
 * @covered: NULL, or gets true for each rule that others cover together; as @dead is ordered
 */
struct cover_input {
	const struct policy *policy;
	const struct classifier *classifier;
	const bool *dead;
	bool *covered;
};

int policy_cover(const struct cover_input *input, policy_warn_fn warn, void *context,
		 struct error *error);

#endif /* SHRIKE_REVIEW_COVER_H */
