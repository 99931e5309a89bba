/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "trace/options.h"

#include <string.h>

#include "base/names.h"
#include "reason.h"
#include "trace/record_print.h"

/**
 * trace_options_init() - Options that let every packet through
 */
void trace_options_init(struct trace_options *options)
{
	filter_init(&options->one);
	filter_init(&options->either);
	options->verdict = options->reason = options->direction = TRACE_FILTER_ANY;
}

static int find_name(const struct name_list *names, const char *name, uint8_t *value,
		     struct error *error)
{
	for (unsigned int i = 0; i < names->n; i++)
		if (!strcmp(name, names->name(i))) {
			*value = i;
			return 0;
		}
	return error_input(error, "%s %.80s: there is none of this name", names->what, name);
}

static int set_direction(struct trace_options *options, const char *name, struct error *error)
{
	if (strcmp(name, "in") && strcmp(name, "out"))
		return error_input(error, "direction %.80s: neither in nor out", name);
	options->direction = strcmp(name, "in") ? DIR_EGRESS : DIR_INGRESS;
	return 0;
}

/* Set the field that an option names. */
static int apply(struct trace_options *options, int option, const char *argument,
		 struct error *error)
{
	switch (option) {
	case TRACE_HOST:
		return filter_option(&options->either, FILTER_SRC, argument, error);
	case TRACE_PORT:
		return filter_option(&options->either, FILTER_SPORT, argument, error);
	case TRACE_VERDICT:
		return find_name(&(struct name_list){"verdict", verdict_name, VERDICT_MAX},
				 argument, &options->verdict, error);
	case TRACE_REASON:
		return find_name(&(struct name_list){"reason", reason_name, REASON_MAX}, argument,
				 &options->reason, error);
	case TRACE_DIRECTION:
		return set_direction(options, argument, error);
	}
	return filter_option(&options->one, option, argument, error);
}

/* What no packet can be both of; filter_option() has looked at the words of filter.h. */
static int check(const struct trace_options *options, struct error *error)
{
	const struct filter *one = &options->one;
	uint8_t ip_version = one->ip_version, either = options->either.prefix[0].ip_version;

	for (int i = 0; i < 2 && !ip_version; i++)
		ip_version = one->prefix[i].ip_version;
	if (either && ip_version && either != ip_version)
		return error_input(error, "filter: mixes IPv4 and IPv6");
	if (options->either.has_port[0] && one->protocol == PROTOCOL_ICMP)
		return error_input(error, "filter: asks for a port, which icmp does not have");
	return 0;
}

/**
 * trace_options_take() - Take one word of a command line
 * @options: initialised; untouched on failure
 * @option: what getopt_long() returned
 * @argument: optarg
 * @error: set on failure
 *
 * Return: 0: taken; 1: not one of these options; -EINVAL: invalid input.
 */
int trace_options_take(struct trace_options *options, int option, const char *argument,
		       struct error *error)
{
	struct trace_options changed = *options;
	int ret = apply(&changed, option, argument, error);

	if (!ret)
		ret = check(&changed, error);
	if (!ret)
		*options = changed;
	return ret;
}

/**
 * trace_options_has_names() - Whether addresses are given by name
 */
bool trace_options_has_names(const struct trace_options *options)
{
	return filter_has_names(&options->one) || filter_has_names(&options->either);
}

/**
 * trace_options_resolve() - Look the names of the options up
 * @options: complete
 * @names: those of the policy in force; must outlive the options
 * @error: what is no name
 *
 * Return: 0, or -EINVAL (invalid input).
 */
int trace_options_resolve(struct trace_options *options, const struct names *names,
			  struct error *error)
{
	int err = filter_resolve(&options->one, names, error);

	return err ? err : filter_resolve(&options->either, names, error);
}

/**
 * trace_options_unresolved() - There is no policy in force to look names up in
 * @options: the options
 * @error: as for filter_unresolved()
 *
 * Return: the error's code, negative.
 */
int trace_options_unresolved(const struct trace_options *options, struct error *error)
{
	return filter_unresolved(filter_has_names(&options->one) ? &options->one : &options->either,
				 error);
}

/**
 * trace_options_match() - Whether a record is of the addresses that are given by name
 * @options: with names looked up
 * @event: the record
 *
 * The kernel's filter takes one prefix for each end, and a name may have several addresses: of those
 * the kernel passes on the packets of all, which are filtered here.
 */
bool trace_options_match(const struct trace_options *options, const struct trace_event *event)
{
	const struct filter *one = &options->one, *either = &options->either;

	return (!one->name[0][0] || filter_match_end(one, 0, &event->saddr, event->ip_version)) &&
	       (!one->name[1][0] || filter_match_end(one, 1, &event->daddr, event->ip_version)) &&
	       (!either->name[0][0] ||
		filter_match_end(either, 0, &event->saddr, event->ip_version) ||
		filter_match_end(either, 0, &event->daddr, event->ip_version));
}

static void set_prefix(struct trace_filter *filter, enum trace_end end, const struct prefix *prefix)
{
	unsigned int bits = prefix->len;

	if (!prefix->ip_version)
		return;
	if (prefix->ip_version == IP_VERSION_4)
		bits += 96;
	for (unsigned int i = 0; i < bits; i++)
		filter->mask[end].bytes[i / 8] |= 0x80 >> i % 8;
	filter->addr[end] = prefix->addr;
	filter->ip_version = prefix->ip_version;
}

/* Set an end: by its prefix, or by its name where that is a single address. */
static void set_end(struct trace_filter *filter, enum trace_end end, const struct filter *from,
		    unsigned int which)
{
	const struct name_address *named = from->named[which];
	const struct prefix single = named ? names_prefix(named) : (struct prefix){};

	if (from->n_named[which] == 1)
		set_prefix(filter, end, &single);
	else
		set_prefix(filter, end, &from->prefix[which]);
}

static void set_port(struct trace_filter *filter, enum trace_end end, const struct filter *from,
		     unsigned int which)
{
	filter->has_port[end] = from->has_port[which];
	filter->port_first[end] = from->port[which].first;
	filter->port_last[end] = from->port[which].last;
}

/**
 * trace_options_filter() - The words as the kernel takes them
 * @options: with the number of the rule set
 * @every: record one packet in so many, at least 1
 * @filter: is filled
 */
void trace_options_filter(const struct trace_options *options, uint32_t every,
			  struct trace_filter *filter)
{
	const struct filter *one = &options->one;

	*filter = (struct trace_filter){
		.direction = options->direction,
		.rule = one->rule,
		.every = every,
		.l4_proto = one->protocol == PROTOCOL_ALL    ? TRACE_FILTER_ANY_PROTO
			    : one->protocol == PROTOCOL_ICMP ? TRACE_FILTER_ICMP
							     : one->protocol,
		.ip_version = one->ip_version,
		.verdict = options->verdict,
		.reason = options->reason,
		.flow_state = one->state == FLOW_STATE_MAX ? TRACE_FILTER_ANY : one->state,
		.active = 1,
	};
	set_end(filter, TRACE_SOURCE, one, 0);
	set_end(filter, TRACE_DESTINATION, one, 1);
	set_end(filter, TRACE_EITHER, &options->either, 0);
	set_port(filter, TRACE_SOURCE, one, 0);
	set_port(filter, TRACE_DESTINATION, one, 1);
	set_port(filter, TRACE_EITHER, &options->either, 0);
}
