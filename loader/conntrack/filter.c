/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "conntrack/filter.h"

#include <endian.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/names.h"
#include "base/value.h"

/**
 * filter_init() - Make a filter that every flow matches
 * @filter: to fill
 */
void filter_init(struct filter *filter)
{
	memset(filter, 0, sizeof(*filter));
	filter->protocol = PROTOCOL_ALL;
	filter->state = FLOW_STATE_MAX;
	filter->rule = RULE_NONE;
}

_Static_assert(PORT_PROTOCOL_MAX == 2, "sentences below name the protocols with ports");

/**
 * filter_protocol() - A protocol as command lines name it
 * @name: tcp, udp, icmp, icmpv6, a name of /etc/protocols or a number
 * @protocol: 0-255 or PROTOCOL_ICMP; untouched on failure
 * @error: set on failure
 *
 * Return: 0, or -EINVAL.
 */
int filter_protocol(const char *name, uint16_t *protocol, struct error *error)
{
	const struct protoent *entry;
	struct error ignored;

	if (strcmp(name, "all") && !protocol_parse(name, protocol, &ignored))
		return 0;
	entry = getprotobyname(name);
	if (!entry)
		return error_input(error,
				   "protocol %s: not tcp, udp, icmp, 0-255 or a name of "
				   "/etc/protocols",
				   name);
	*protocol = entry->p_proto;
	return 0;
}

static int set_state(struct filter *filter, const char *name, struct error *error)
{
	unsigned int state;

	for (state = FLOW_STATE_NONE + 1; state < FLOW_STATE_MAX; state++) {
		if (!strcmp(name, flow_state_name(state))) {
			filter->state = state;
			return 0;
		}
	}
	return error_input(error, "state %s: not a connection state", name);
}

static int set_rule(struct filter *filter, const char *id, struct error *error)
{
	if (!*id || strlen(id) >= sizeof(filter->rule_id))
		return error_input(error, "rule %s: an id has 1 to %zu bytes", id,
				   sizeof(filter->rule_id) - 1);
	strcpy(filter->rule_id, id);
	return 0;
}

/* Set the ports of an end from "PORT" or "FIRST-LAST". */
static int set_port(struct filter *filter, unsigned int end, const char *text, struct error *error)
{
	struct port_range range;
	struct error ignored;

	if (ports_parse(text, &range, &ignored))
		return error_input(error,
				   "port %s: not PORT or PORT-PORT within 0-65535, and no service "
				   "of /etc/services",
				   text);
	filter->port[end] = range;
	filter->has_port[end] = true;
	return 0;
}

/* Set the address of an end, or its name, which is not looked up before filter_resolve(). */
static int set_prefix(struct filter *filter, unsigned int end, const char *text,
		      struct error *error)
{
	struct prefix prefix = {};
	int err = prefix_parse(text, &prefix, error);
	bool is_name = err && names_is_valid(text);

	if (err && !is_name)
		return error_prefix(error, "address");
	filter->prefix[end] = prefix;
	snprintf(filter->name[end], sizeof(filter->name[end]), "%s", is_name ? text : "");
	return 0;
}

static int set_family(struct filter *filter, uint8_t ip_version, struct error *error)
{
	if (filter->ip_version && filter->ip_version != ip_version)
		return error_input(error, "options -4 and -6: one excludes the other");
	filter->ip_version = ip_version;
	return 0;
}

/* What no flow can be both of. */
static int check(const struct filter *filter, struct error *error)
{
	uint8_t ip_version = filter->ip_version;
	unsigned int end;

	for (end = 0; end < 2; end++) {
		uint8_t of_prefix = filter->prefix[end].ip_version;

		if (!of_prefix)
			continue;
		if (ip_version && ip_version != of_prefix)
			return error_input(error, "filter mixes IPv4 and IPv6");
		ip_version = of_prefix;
	}
	if (filter->protocol == PROTOCOL_ICMP && (filter->has_port[0] || filter->has_port[1]))
		return error_input(error, "filter asks for a port, which icmp does not have");
	return 0;
}

/* Set the field that an option names. */
static int apply(struct filter *filter, int option, const char *argument, struct error *error)
{
	switch ((enum filter_option)option) {
	case FILTER_PROTOCOL:
		return filter_protocol(argument, &filter->protocol, error);
	case FILTER_IPV4:
		return set_family(filter, IP_VERSION_4, error);
	case FILTER_IPV6:
		return set_family(filter, IP_VERSION_6, error);
	case FILTER_SRC:
		return set_prefix(filter, 0, argument, error);
	case FILTER_DST:
		return set_prefix(filter, 1, argument, error);
	case FILTER_SPORT:
		return set_port(filter, 0, argument, error);
	case FILTER_DPORT:
		return set_port(filter, 1, argument, error);
	case FILTER_STATE:
		return set_state(filter, argument, error);
	case FILTER_RULE:
		return set_rule(filter, argument, error);
	}
	return 1;
}

/**
 * filter_option() - Take one word of a command line into a filter
 * @filter: initialised; untouched on failure
 * @option: what getopt_long() returned
 * @argument: optarg
 * @error: set on failure
 *
 * A word given twice counts as it was given last, but -4 and -6 exclude each other.
 *
 * Return: 0: taken; 1: not a filter's option; -EINVAL: invalid input.
 */
int filter_option(struct filter *filter, int option, const char *argument, struct error *error)
{
	struct filter changed = *filter;
	int ret = apply(&changed, option, argument, error);

	if (!ret)
		ret = check(&changed, error);
	if (!ret)
		*filter = changed;
	return ret;
}

/* Whether an end can be of a family. */
static bool may_be_of(const struct filter *filter, unsigned int end, uint8_t ip_version)
{
	for (size_t i = 0; i < filter->n_named[end]; i++)
		if (filter->named[end][i].ip_version == ip_version)
			return true;
	if (filter->name[end][0])
		return false;
	return !filter->prefix[end].ip_version || filter->prefix[end].ip_version == ip_version;
}

/**
 * filter_has_names() - Whether an address is given by name
 */
bool filter_has_names(const struct filter *filter)
{
	return filter->name[0][0] || filter->name[1][0];
}

/**
 * filter_resolve() - Look the names of a filter up
 * @filter: complete; names match nothing before
 * @names: those of the policy in force; must outlive the filter
 * @error: what is no name
 *
 * Return: 0, or -EINVAL (invalid input).
 */
int filter_resolve(struct filter *filter, const struct names *names, struct error *error)
{
	bool any = filter_has_names(filter);

	for (unsigned int end = 0; end < 2; end++) {
		const char *name = filter->name[end];

		if (!*name)
			continue;
		filter->named[end] = names_find(names, name, &filter->n_named[end]);
		if (!filter->named[end])
			return error_input(error,
					   "address: '%s' is neither an address nor a name of the "
					   "policy in force",
					   name);
	}
	for (uint8_t version = IP_VERSION_4; any; version = IP_VERSION_6) {
		if (may_be_of(filter, 0, version) && may_be_of(filter, 1, version) &&
		    (!filter->ip_version || filter->ip_version == version))
			return 0;
		if (version == IP_VERSION_6)
			return error_input(error, "filter mixes IPv4 and IPv6");
	}
	return 0;
}

/**
 * filter_unresolved() - There is no policy in force to look names up in
 * @filter: the filter
 * @error: why not; where the filter has a name, it becomes a mistake of who gave it
 *
 * Return: the error's code, negative.
 */
int filter_unresolved(const struct filter *filter, struct error *error)
{
	const char *name = filter->name[0][0] ? filter->name[0] : filter->name[1];
	struct error why = *error;

	if (*name)
		error_input(error, "address: '%s' is no address, and names are not known: %s", name,
			    why.text);
	return -error->code;
}

/**
 * filter_match_end() - Whether an address is that of an end
 * @filter: the filter
 * @end: 0: the opener, or the source of a packet; 1: the other one
 * @addr: the address
 * @ip_version: 4 or 6
 */
bool filter_match_end(const struct filter *filter, unsigned int end, const union addr *addr,
		      uint8_t ip_version)
{
	for (size_t i = 0; i < filter->n_named[end]; i++)
		if (filter->named[end][i].ip_version == ip_version &&
		    !memcmp(&filter->named[end][i].addr, addr, sizeof(*addr)))
			return true;
	if (filter->name[end][0])
		return false;
	return !filter->prefix[end].ip_version ||
	       prefix_contains_addr(&filter->prefix[end], addr, ip_version);
}

/**
 * filter_match_table() - Whether flows of a family and protocol can match
 * @filter: the filter
 * @ip_version: 4 or 6
 * @l4_proto: 0-255; CONNTRACK_OTHER: of any protocol that has no table of its own
 */
bool filter_match_table(const struct filter *filter, uint8_t ip_version, uint8_t l4_proto)
{
	uint8_t icmp = ip_version == IP_VERSION_4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	bool has_ports = l4_has_ports(l4_proto);
	unsigned int end;

	if (filter->ip_version && filter->ip_version != ip_version)
		return false;
	for (end = 0; end < 2; end++) {
		if (!may_be_of(filter, end, ip_version))
			return false;
		if (filter->has_port[end] && !has_ports)
			return false;
	}
	if (filter->protocol == PROTOCOL_ALL)
		return true;
	if (l4_proto == CONNTRACK_OTHER) /* a table of many */
		return !l4_has_ports(filter->protocol) && filter->protocol != icmp &&
		       filter->protocol != PROTOCOL_ICMP;
	return l4_proto == (filter->protocol == PROTOCOL_ICMP ? icmp : filter->protocol);
}

static bool match_end(const struct filter *filter, unsigned int end, const struct flow_view *view)
{
	const struct port_range *range = &filter->port[end];

	if (!filter_match_end(filter, end, &view->addr[end], view->ip_version))
		return false;
	return !filter->has_port[end] ||
	       (view->port[end] >= range->first && view->port[end] <= range->last);
}

/**
 * filter_match_flow() - Whether a flow is meant
 * @filter: the filter; its rule number is set where it names a rule
 * @view: the flow
 */
bool filter_match_flow(const struct filter *filter, const struct flow_view *view)
{
	if (!filter_match_table(filter, view->ip_version, view->l4_proto))
		return false;
	if (filter->state != FLOW_STATE_MAX && filter->state != view->state)
		return false;
	if (filter->rule_id[0] && (filter->rule == RULE_NONE || filter->rule != view->rule))
		return false;
	return match_end(filter, 0, view) && match_end(filter, 1, view);
}

/**
 * filter_match_event() - Whether the flow of an event, or a dropped packet, is meant
 * @filter: the filter; its rule number is set where it names a rule
 * @event: the event
 */
bool filter_match_event(const struct filter *filter, const struct flow_event *event)
{
	bool has_ports = l4_has_ports(event->l4_proto);
	struct flow_view view = {
		.addr = {event->addr[0], event->addr[1]},
		.rule = event->rule,
		.port = {has_ports ? be16toh(event->port[0]) : 0,
			 has_ports ? be16toh(event->port[1]) : 0},
		.ip_version = event->ip_version,
		.l4_proto = event->l4_proto,
		.state = event->flow_state,
	};

	return filter_match_flow(filter, &view);
}
