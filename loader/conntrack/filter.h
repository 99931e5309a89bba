/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The FILTER words of commands that list, count, delete or follow connections.
 *
 * All words must hold.  A filter that nothing can match (a port of ICMP, an IPv6 prefix with -4)
 * is refused as invalid input when the word is parsed.
 */
#ifndef SHRIKE_CONNTRACK_FILTER_H
#define SHRIKE_CONNTRACK_FILTER_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "conntrack/flow_view.h"
#include "flow_event.h"
#include "policy/names.h"
#include "policy/policy.h"

/* For getopt_long(): a command puts these among its own options. */
#define FILTER_SHORT_OPTIONS "p:46"

enum filter_option {
	FILTER_PROTOCOL = 'p',
	FILTER_IPV4 = '4',
	FILTER_IPV6 = '6',
	FILTER_SRC = 0x400, /* beyond what commands use for options of their own */
	FILTER_DST,
	FILTER_SPORT,
	FILTER_DPORT,
	FILTER_STATE,
	FILTER_RULE,
};

/* clang-format off */
#define FILTER_LONG_OPTIONS                                                                        \
	{"protocol", required_argument, NULL, FILTER_PROTOCOL},                                    \
	{"ipv4", no_argument, NULL, FILTER_IPV4},                                                  \
	{"ipv6", no_argument, NULL, FILTER_IPV6},                                                  \
	{"src", required_argument, NULL, FILTER_SRC},                                              \
	{"dst", required_argument, NULL, FILTER_DST},                                              \
	{"sport", required_argument, NULL, FILTER_SPORT},                                          \
	{"dport", required_argument, NULL, FILTER_DPORT},                                          \
	{"state", required_argument, NULL, FILTER_STATE},                                          \
	{"rule", required_argument, NULL, FILTER_RULE}
/* clang-format on */

#define FILTER_HELP                                                                                \
	"FILTER:\n"                                                                                \
	"  -p, --protocol PROTOCOL       tcp, udp, icmp, 0-255, or a name such as gre\n"           \
	"  -4, --ipv4                    IPv4 alone\n"                                             \
	"  -6, --ipv6                    IPv6 alone\n"                                             \
	"      --src PREFIX|NAME         address of the end that opened the connection\n"          \
	"      --dst PREFIX|NAME         address of the other end\n"                               \
	"      --sport PORT[-PORT]       port of the end that opened the connection\n"             \
	"      --dport PORT[-PORT]       port of the other end\n"                                  \
	"      --state NAME              connection state, such as established\n"                  \
	"      --rule ID                 policy rule that allowed it\n"

/*
 * struct filter - which flows are meant; all zero with @protocol PROTOCOL_ALL: every flow
 * @protocol: 0-255, PROTOCOL_ICMP or PROTOCOL_ALL
 * @ip_version: 0: both families
 * @prefix: of the opener and the other end; ip_version 0: any address
 * @name: a name instead of a prefix; empty: none
 * @named: addresses of the name, @n_named of them, owned by the struct names of filter_resolve()
 * @port: likewise; only looked at where @has_port
 * @state: enum flow_state, FLOW_STATE_MAX: any
 * @rule_id: empty: any
 * @rule: its number, to be set by the command before the filter is used
 */
struct filter {
	struct prefix prefix[2];
	const struct name_address *named[2];
	size_t n_named[2];
	char name[2][NAME_MAX_BYTES + 1];
	struct port_range port[2];
	bool has_port[2];
	uint16_t protocol;
	uint8_t ip_version;
	uint8_t state;
	uint32_t rule;
	char rule_id[RULE_ID_MAX];
};

void filter_init(struct filter *filter);
int filter_protocol(const char *name, uint16_t *protocol, struct error *error);
int filter_option(struct filter *filter, int option, const char *argument, struct error *error);
bool filter_has_names(const struct filter *filter);
int filter_resolve(struct filter *filter, const struct names *names, struct error *error);
int filter_unresolved(const struct filter *filter, struct error *error);
bool filter_match_end(const struct filter *filter, unsigned int end, const union addr *addr,
		      uint8_t ip_version);
bool filter_match_table(const struct filter *filter, uint8_t ip_version, uint8_t l4_proto);
bool filter_match_flow(const struct filter *filter, const struct flow_view *view);
bool filter_match_event(const struct filter *filter, const struct flow_event *event);

#endif /* SHRIKE_CONNTRACK_FILTER_H */
