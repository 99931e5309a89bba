/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/past_policies.h"

#include <stdlib.h>

#include "dataplane/history.h"

/* The programs judge by a policy some time before it stands in the history. */
#define NOTE_LATE_NS (10ull * NS_PER_S)

/**
 * past_policies_begin() - Make room for policies
 * @past: all zero; becomes for past_policies_free()
 * @n: how many past_policies_add() may add
 * @error: set on failure
 *
 * Return: 0 or -ENOMEM.
 */
int past_policies_begin(struct past_policies *past, size_t n, struct error *error)
{
	past->list = calloc(n + 1, sizeof(*past->list));
	return past->list ? 0 : error_no_memory(error);
}

/**
 * past_policies_add() - Add a policy, the next younger one
 * @past: has room for it
 * @policy: what is known of it, without the policy itself
 * @text: of it
 * @error: set on failure, where it is not added
 *
 * Return: 0 or -errno.
 */
int past_policies_add(struct past_policies *past, const struct past_policy *policy,
		      const struct policy_text *text, struct error *error)
{
	struct past_policy *to = &past->list[past->n];
	int err;

	*to = *policy;
	err = policy_parse(text->path, text->text, text->len, &to->policy, error);
	past->n += !err;
	return err;
}

/* A policy of the history; a file that is damaged, or of another version, is passed over. */
static void add_entry(struct past_policies *past, const char *ifname, uint32_t number)
{
	struct history_entry entry;
	struct error ignored;

	if (history_read(ifname, number, &entry, &ignored))
		return;
	past_policies_add(past,
			  &(struct past_policy){
				  .number = number,
				  .generation = entry.generation,
				  .from_ns = entry.time_ns,
			  },
			  &(struct policy_text){
				  .path = entry.path,
				  .text = entry.text,
				  .len = entry.len,
			  },
			  &ignored);
	history_entry_free(&entry);
}

/* The policy that is in force, with what NetBird has added. */
static int add_in_force(struct past_policies *past, const struct attached *attached,
			struct error *error)
{
	const struct instance *instance = &attached->instance;
	struct past_policy *to = &past->list[past->n];
	int err;

	*to = (struct past_policy){
		.generation = instance->config.generation,
		.from_ns = instance->applied_ns,
	};
	err = attached_policy(attached, &to->policy, error);
	past->n += !err;
	return err;
}

/**
 * past_policies_read() - Read the policies that an interface has had
 * @past: is filled, for past_policies_free() also on failure
 * @ifname, @attached: the interface
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int past_policies_read(struct past_policies *past, const char *ifname,
		       const struct attached *attached, struct error *error)
{
	uint32_t *numbers;
	size_t n;
	int err = history_list(ifname, &numbers, &n, error);

	if (err)
		return err;
	err = past_policies_begin(past, n + 1, error);
	for (size_t i = 0; i < n && !err; i++)
		add_entry(past, ifname, numbers[i]);
	free(numbers);
	return err ? err : add_in_force(past, attached, error);
}

/**
 * past_policies_find() - The policy by which a packet was judged
 * @past: the policies
 * @generation: that judged it
 * @time_ns: CLOCK_REALTIME, when
 *
 * Generations are counted anew when an interface is attached anew, so the time decides; around a
 * change the generation does.
 *
 * Return: the policy, NULL: it is not kept.
 */
const struct past_policy *past_policies_find(const struct past_policies *past, uint32_t generation,
					     uint64_t time_ns)
{
	const struct past_policy *found = NULL, *now = past->n ? &past->list[past->n - 1] : NULL;

	if (now && !now->number && now->generation == generation)
		return now;
	for (size_t i = 0; i < past->n; i++) {
		const struct past_policy *policy = &past->list[i];

		if (!policy->number)
			continue;
		if (policy->generation == generation && policy->from_ns < time_ns + NOTE_LATE_NS)
			found = policy;
		else if (policy->from_ns <= time_ns && (!found || found->generation != generation))
			found = policy;
	}
	return found;
}

/**
 * past_policies_free() - Free what past_policies_read() has read
 */
void past_policies_free(struct past_policies *past)
{
	for (size_t i = 0; i < past->n; i++)
		policy_free(past->list[i].policy);
	free(past->list);
	*past = (struct past_policies){.n = 0};
}
