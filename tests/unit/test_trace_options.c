/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The FILTER words of a live trace: which packets they mean, and which words are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/address.h"
#include "policy/parse_names.h"
#include "reason.h"
#include "trace/options.h"

enum subject {
	SYN4,	/* in 100.64.0.2:40000 -> 10.0.0.5:80, forwarded by rule 7 */
	REPLY4, /* out 10.0.0.5:80 -> 100.64.0.2:40000, established */
	UDP6,	/* in [fd64::2]:53 -> [fd64::1]:53, dropped */
	PING4,	/* in 100.64.0.2 -> 10.0.0.5 */
	LATER4, /* in 100.64.0.2 -> 10.0.0.5, a fragment without ports */
	ARP,
	SUBJECTS,
};

#define ALL ((1 << SUBJECTS) - 1)

static union addr addrs[SUBJECTS][2];
static struct trace_subject subjects[SUBJECTS];

static void fill(enum subject which, const char *src, const char *dst)
{
	struct trace_subject *subject = &subjects[which];
	struct error error;

	assert_int_equal(addr_parse(src, &addrs[which][0], &subject->ip_version, &error), 0);
	assert_int_equal(addr_parse(dst, &addrs[which][1], &subject->ip_version, &error), 0);
}

static int setup(void **state)
{
	(void)state;
	subjects[SYN4] = (struct trace_subject){
		.rule = 7,
		.port = {40000, 80},
		.has_ports = 1,
		.l4_proto = IPPROTO_TCP,
		.direction = DIR_INGRESS,
		.verdict = VERDICT_FORWARD,
		.reason = REASON_ROUTE_ACL_ALLOWED,
		.flow_state = FLOW_STATE_SYN_RECEIVED,
	};
	subjects[REPLY4] = (struct trace_subject){
		.port = {80, 40000},
		.has_ports = 1,
		.l4_proto = IPPROTO_TCP,
		.direction = DIR_EGRESS,
		.verdict = VERDICT_PASS,
		.reason = REASON_OUTBOUND,
		.flow_state = FLOW_STATE_ESTABLISHED,
	};
	subjects[UDP6] = (struct trace_subject){
		.port = {53, 53},
		.has_ports = 1,
		.l4_proto = IPPROTO_UDP,
		.verdict = VERDICT_DROP,
		.reason = REASON_PEER_ACL_DEFAULT,
	};
	subjects[PING4] = (struct trace_subject){.l4_proto = IPPROTO_ICMP, .is_icmp = 1};
	subjects[LATER4] = (struct trace_subject){.l4_proto = IPPROTO_TCP};
	fill(SYN4, "100.64.0.2", "10.0.0.5");
	fill(REPLY4, "10.0.0.5", "100.64.0.2");
	fill(UDP6, "fd64::2", "fd64::1");
	fill(PING4, "100.64.0.2", "10.0.0.5");
	fill(LATER4, "100.64.0.2", "10.0.0.5");
	for (int i = 0; i < SUBJECTS; i++) {
		subjects[i].addr[0] = &addrs[i][0];
		subjects[i].addr[1] = &addrs[i][1];
	}
	return 0;
}

struct word {
	int option; /* 0: no more words */
	const char *argument;
};

#define WORDS_MAX 3

static unsigned int matches(const struct word words[WORDS_MAX])
{
	struct trace_options options;
	struct trace_filter filter;
	unsigned int found = 0;
	struct error error;

	trace_options_init(&options);
	for (int i = 0; i < WORDS_MAX && words[i].option; i++)
		assert_int_equal(
			trace_options_take(&options, words[i].option, words[i].argument, &error),
			0);
	if (options.one.rule_id[0])
		options.one.rule = 7;
	trace_options_filter(&options, 1, &filter);
	assert_int_equal(filter.active, 1);
	for (int i = 0; i < SUBJECTS; i++)
		if (trace_filter_match(&filter, &subjects[i]))
			found |= 1 << i;
	return found;
}

static void words_mean_packets(void **state)
{
	static const struct {
		struct word words[WORDS_MAX];
		unsigned int meant; /* bits by enum subject */
	} rows[] = {
		{{{0}}, ALL},
		{{{FILTER_PROTOCOL, "tcp"}}, 1 << SYN4 | 1 << REPLY4 | 1 << LATER4},
		{{{FILTER_PROTOCOL, "icmp"}}, 1 << PING4},
		{{{FILTER_IPV6, NULL}}, 1 << UDP6},
		{{{FILTER_IPV4, NULL}}, 1 << SYN4 | 1 << REPLY4 | 1 << PING4 | 1 << LATER4},
		{{{FILTER_SRC, "100.64.0.0/16"}}, 1 << SYN4 | 1 << PING4 | 1 << LATER4},
		{{{FILTER_DST, "100.64.0.2"}}, 1 << REPLY4},
		{{{FILTER_DST, "100.64.0.3"}}, 0},
		{{{FILTER_SRC, "fd64::/64"}}, 1 << UDP6},
		{{{FILTER_SRC, "0.0.0.0/0"}}, 1 << SYN4 | 1 << REPLY4 | 1 << PING4 | 1 << LATER4},
		{{{TRACE_HOST, "100.64.0.2"}}, 1 << SYN4 | 1 << REPLY4 | 1 << PING4 | 1 << LATER4},
		{{{TRACE_HOST, "10.0.0.0/8"}, {FILTER_SRC, "10.0.0.5"}}, 1 << REPLY4},
		{{{TRACE_HOST, "fd64::1"}}, 1 << UDP6},
		{{{FILTER_DPORT, "80"}}, 1 << SYN4},
		{{{FILTER_SPORT, "53-80"}}, 1 << REPLY4 | 1 << UDP6},
		{{{TRACE_PORT, "80"}}, 1 << SYN4 | 1 << REPLY4},
		{{{TRACE_PORT, "0-65535"}}, 1 << SYN4 | 1 << REPLY4 | 1 << UDP6},
		{{{TRACE_VERDICT, "drop"}}, 1 << UDP6},
		{{{TRACE_VERDICT, "forward"}}, 1 << SYN4},
		{{{TRACE_REASON, "outbound"}}, 1 << REPLY4},
		{{{TRACE_DIRECTION, "out"}}, 1 << REPLY4},
		{{{TRACE_DIRECTION, "in"}, {FILTER_PROTOCOL, "udp"}}, 1 << UDP6},
		{{{FILTER_STATE, "established"}}, 1 << REPLY4},
		{{{FILTER_RULE, "web"}}, 1 << SYN4},
		{{{FILTER_RULE, "web"}, {TRACE_VERDICT, "drop"}}, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (matches(rows[i].words) != rows[i].meant)
			fail_msg("row %zu: %#x, expected %#x", i, matches(rows[i].words),
				 rows[i].meant);
}

static void words_that_mean_nothing_are_refused(void **state)
{
	static const struct word rows[][2] = {
		{{TRACE_VERDICT, "maybe"}},
		{{TRACE_REASON, "because"}},
		{{TRACE_DIRECTION, "up"}},
		{{TRACE_HOST, "no where"}},
		{{TRACE_PORT, "80-79"}},
		{{FILTER_IPV4, NULL}, {TRACE_HOST, "fd64::1"}},
		{{FILTER_SRC, "10.0.0.1"}, {TRACE_HOST, "fd64::1"}},
		{{FILTER_PROTOCOL, "icmp"}, {TRACE_PORT, "80"}},
	};
	struct trace_options options, before;
	struct error error;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct word *last = rows[i][1].option ? &rows[i][1] : &rows[i][0];

		trace_options_init(&options);
		if (last == &rows[i][1])
			assert_int_equal(trace_options_take(&options, rows[i][0].option,
							    rows[i][0].argument, &error),
					 0);
		before = options;
		assert_int_equal(trace_options_take(&options, last->option, last->argument, &error),
				 -EINVAL);
		assert_true(error.invalid_input);
		assert_memory_equal(&options, &before, sizeof(options));
	}
	trace_options_init(&options);
	assert_int_equal(trace_options_take(&options, 'x', NULL, &error), 1);
}

static void names_are_filtered_in_the_kernel_or_behind_it(void **state)
{
	static const char text[] = "names: {anna: [100.64.0.2, 'fd64::2'], db: 10.0.0.5}";
	static const struct {
		struct word word;
		unsigned int by_kernel;
		unsigned int meant;
	} rows[] = {
		{{FILTER_SRC, "db"}, 1 << REPLY4, 1 << REPLY4},
		{{FILTER_SRC, "anna"}, ALL, 1 << SYN4 | 1 << UDP6 | 1 << PING4 | 1 << LATER4},
		{{FILTER_DST, "anna"}, ALL, 1 << REPLY4},
		{{TRACE_HOST, "anna"},
		 ALL,
		 1 << SYN4 | 1 << REPLY4 | 1 << UDP6 | 1 << PING4 | 1 << LATER4},
	};
	struct trace_options options;
	struct trace_filter filter;
	struct names names;
	struct error error;

	(void)state;
	assert_int_equal(names_read(text, strlen(text), &names, &error), 0);
	for (size_t row = 0; row < sizeof(rows) / sizeof(*rows); row++) {
		unsigned int by_kernel = 0, meant = 0;

		trace_options_init(&options);
		assert_int_equal(trace_options_take(&options, rows[row].word.option,
						    rows[row].word.argument, &error),
				 0);
		assert_int_equal(trace_options_resolve(&options, &names, &error), 0);
		trace_options_filter(&options, 1, &filter);
		for (int i = 0; i < SUBJECTS; i++) {
			const struct trace_event event = {
				.saddr = addrs[i][0],
				.daddr = addrs[i][1],
				.ip_version = subjects[i].ip_version,
			};

			if (!trace_filter_match(&filter, &subjects[i]))
				continue;
			by_kernel |= 1 << i;
			meant |= (unsigned int)trace_options_match(&options, &event) << i;
		}
		assert_int_equal(by_kernel, rows[row].by_kernel);
		assert_int_equal(meant, rows[row].meant);
	}
	trace_options_init(&options);
	assert_int_equal(trace_options_take(&options, TRACE_HOST, "bert", &error), 0);
	assert_int_equal(trace_options_resolve(&options, &names, &error), -EINVAL);
	names_free(&names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_filtered_in_the_kernel_or_behind_it),
		cmocka_unit_test(words_mean_packets),
		cmocka_unit_test(words_that_mean_nothing_are_refused),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
