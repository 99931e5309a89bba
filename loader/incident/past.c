/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "incident/past.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "conntrack/event_print.h"
#include "dataplane/history.h"
#include "kernel/netlink.h"
#include "policy/parse_names.h"
#include "trace/recorded.h"

/* The policies of the history that can be read; the newest, where there are too many. */
static void take_history(struct incident_past *past)
{
	struct error ignored;
	uint32_t *numbers;
	size_t n, first;

	if (history_list(past->interface, &numbers, &n, &ignored))
		return;
	first = n < PAST_POLICIES_MAX - 1 ? 0 : n - (PAST_POLICIES_MAX - 1);
	for (size_t i = first; i < n; i++) {
		struct history_entry entry;

		if (history_read(past->interface, numbers[i], &entry, &ignored))
			continue;
		past->policies[past->n_policies++] = (struct incident_policy){
			.number = numbers[i],
			.generation = entry.generation,
			.from_ns = entry.time_ns,
			.path = entry.path,
			.text = entry.text,
			.len = entry.len,
		};
		entry.path = entry.text = NULL;
		history_entry_free(&entry);
	}
	free(numbers);
}

/* The policy in force, with NetBird's part. */
static int take_present(struct incident_past *past, const struct attached *attached,
			struct error *error)
{
	const struct instance *instance = &attached->instance;
	struct incident_policy *policy = &past->policies[past->n_policies];
	int err = attached_policy_text(attached, &policy->text, &policy->len, error);

	if (err)
		return err;
	past->n_policies++;
	policy->generation = instance->config.generation;
	policy->from_ns = instance->applied_ns;
	if (!instance->policy_path[0])
		return 0;
	policy->path = strdup(instance->policy_path);
	return policy->path ? 0 : error_no_memory(error);
}

/* The first addresses of the interface. */
static int take_addresses(struct incident_past *past, int ifindex, struct error *error)
{
	struct interface_address *addresses;
	size_t n;
	int err = netlink_read_addresses(&addresses, &n, error);

	if (err)
		return err;
	for (size_t i = 0; i < n && past->n_addresses < PAST_ADDRESSES_MAX; i++) {
		const struct interface_address *address = &addresses[i];
		const struct prefix prefix = {address->addr, address->ip_version,
					      address->connected.len};

		if (address->ifindex == ifindex)
			prefix_format(&prefix, past->addresses[past->n_addresses++],
				      PREFIX_TEXT_MAX);
	}
	free(addresses);
	return 0;
}

/* What the recorder holds: nothing where it is off. */
static int take_records(struct incident_past *past, const struct attached *attached,
			struct error *error)
{
	int err = recorded_read(&attached->maps, &past->records, &past->n_records, error);

	past->written_ns = clock_kernel_ns(CLOCK_MONOTONIC);
	return err == -ENODATA ? 0 : err;
}

/* What the kernel knows. */
static int take_attached(struct incident_past *past, const struct attached *attached,
			 struct error *error)
{
	int err = take_records(past, attached, error);

	past->ip_forward = attached->instance.config.routing == ROUTING_NATIVE;
	if (!err)
		err = take_present(past, attached, error);
	if (!err)
		err = take_addresses(past, attached->ifindex, error);
	return err ? err : rule_names_read(&past->rules, &attached->maps, error);
}

/**
 * incident_past_take() - Take all of an interface
 * @past: is filled, for incident_past_free() also on failure
 * @ifname: its name
 * @attached: what is attached to it; NULL: nothing, and there is the history alone
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int incident_past_take(struct incident_past *past, const char *ifname,
		       const struct attached *attached, struct error *error)
{
	*past = (struct incident_past){
		.written_ns = clock_kernel_ns(CLOCK_MONOTONIC),
		.offset_ns = flow_clock_offset_ns(),
	};
	strncpy(past->interface, ifname, sizeof(past->interface) - 1);
	take_history(past);
	return !attached ? 0 : take_attached(past, attached, error);
}

/**
 * incident_past_policies() - The policies that can be read
 * @from: what a report has
 * @past: all zero; is filled, for past_policies_free() also on failure
 * @error: set on failure
 *
 * Return: 0 or -ENOMEM.
 */
int incident_past_policies(const struct incident_past *from, struct past_policies *past,
			   struct error *error)
{
	int err = past_policies_begin(past, from->n_policies, error);

	for (size_t i = 0; i < from->n_policies && !err; i++) {
		const struct incident_policy *policy = &from->policies[i];
		const struct past_policy known = {
			.number = policy->number,
			.generation = policy->generation,
			.from_ns = policy->from_ns,
		};
		const struct policy_text text = {
			.path = policy->path,
			.text = policy->text,
			.len = policy->len,
		};

		if (policy->text && past_policies_add(past, &known, &text, error) == -ENOMEM)
			err = -ENOMEM;
	}
	return err;
}

/**
 * incident_past_names() - The names of addresses in the policy that was in force
 * @past: what a report has
 * @names: is filled, for names_free()
 * @error: set on failure
 *
 * Return: 0 or -ENOMEM; names that cannot be read are none.
 */
int incident_past_names(const struct incident_past *past, struct names *names, struct error *error)
{
	const struct incident_policy *last = incident_past_last(past);

	*names = (struct names){.n = 0};
	return last && names_read(last->text, last->len, names, error) == -ENOMEM ? -ENOMEM : 0;
}

/**
 * incident_past_last() - The policy that was in force, NULL where it is not known
 */
const struct incident_policy *incident_past_last(const struct incident_past *past)
{
	const struct incident_policy *last = past->policies + past->n_policies - !!past->n_policies;

	return past->n_policies && !last->number && last->text ? last : NULL;
}

/**
 * incident_past_free() - Free what is held
 */
void incident_past_free(struct incident_past *past)
{
	for (size_t i = 0; i < past->n_policies; i++) {
		free(past->policies[i].path);
		free(past->policies[i].text);
	}
	rule_names_free(&past->rules);
	free(past->records);
	*past = (struct incident_past){.n_policies = 0};
}
