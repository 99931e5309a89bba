/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The FILTER words of a live trace, and the filter for the kernel made of them.
 *
 * They are those of filter.h, meant for packets instead of connections, and some of their own.
 */
#ifndef SHRIKE_TRACE_OPTIONS_H
#define SHRIKE_TRACE_OPTIONS_H

#include "conntrack/filter.h"
#include "trace_event.h"
#include "trace_filter.h"

enum trace_filter_option {
	TRACE_HOST = 0x500,
	TRACE_PORT,
	TRACE_VERDICT,
	TRACE_REASON,
	TRACE_DIRECTION,
};

/* clang-format off */
#define TRACE_FILTER_LONG_OPTIONS                                                                  \
	FILTER_LONG_OPTIONS,                                                                       \
	{"host", required_argument, NULL, TRACE_HOST},                                             \
	{"port", required_argument, NULL, TRACE_PORT},                                             \
	{"verdict", required_argument, NULL, TRACE_VERDICT},                                       \
	{"reason", required_argument, NULL, TRACE_REASON},                                         \
	{"direction", required_argument, NULL, TRACE_DIRECTION}
/* clang-format on */

#define TRACE_FILTER_HELP                                                                          \
	"FILTER:\n"                                                                                \
	"  -p, --protocol PROTOCOL       tcp, udp, icmp, 0-255, or a name such as gre\n"           \
	"  -4, --ipv4                    IPv4 alone\n"                                             \
	"  -6, --ipv6                    IPv6 alone\n"                                             \
	"      --src PREFIX|NAME         source address\n"                                         \
	"      --dst PREFIX|NAME         destination address\n"                                    \
	"      --host PREFIX|NAME        either of the two\n"                                      \
	"      --sport PORT[-PORT]       source port\n"                                            \
	"      --dport PORT[-PORT]       destination port\n"                                       \
	"      --port PORT[-PORT]        either of the two\n"                                      \
	"      --direction in|out        as seen from this host\n"                                 \
	"      --verdict NAME            pass, drop or forward\n"                                  \
	"      --reason NAME             such as peer_acl_default\n"                               \
	"      --state NAME              of the connection after the packet\n"                     \
	"      --rule ID                 policy rule that decided\n"

/*
 * struct trace_options - FILTER words
 * @one: words of filter.h; rule is the number of rule_id, to be set before use
 * @either: its source is that of --host and --port
 */
struct trace_options {
	struct filter one;
	struct filter either;
	uint8_t verdict; /* TRACE_FILTER_ANY or the value, like the two below */
	uint8_t reason;
	uint8_t direction;
};

void trace_options_init(struct trace_options *options);
int trace_options_take(struct trace_options *options, int option, const char *argument,
		       struct error *error);
bool trace_options_has_names(const struct trace_options *options);
int trace_options_resolve(struct trace_options *options, const struct names *names,
			  struct error *error);
int trace_options_unresolved(const struct trace_options *options, struct error *error);
bool trace_options_match(const struct trace_options *options, const struct trace_event *event);
void trace_options_filter(const struct trace_options *options, uint32_t every,
			  struct trace_filter *filter);

#endif /* SHRIKE_TRACE_OPTIONS_H */
