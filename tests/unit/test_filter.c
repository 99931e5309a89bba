/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The FILTER words: which flows they mean, and which words are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/address.h"
#include "conntrack/filter.h"
#include "policy/parse_names.h"

#define WEB_RULE 7

/* Flows to match against, by name; the opener is the source. */
enum subject {
	TCP4, /* 100.64.31.206:54435 -> 10.0.0.5:80, established, WEB_RULE */
	UDP4, /* 10.0.0.5:53 -> 100.64.31.206:53, udp, no rule */
	TCP6, /* [fd00:10::1]:1 -> [2001:db8::2]:65535, syn_sent, no rule */
	ICMP4,
	ICMP6,
	SUBJECTS,
};

#define ALL ((1 << SUBJECTS) - 1)

static struct flow_view subjects[SUBJECTS];

static void fill(enum subject subject, uint8_t l4_proto, const char *src, const char *dst,
		 uint16_t sport, uint16_t dport, uint8_t flow_state)
{
	struct flow_view *view = &subjects[subject];
	struct error error;

	view->l4_proto = l4_proto;
	assert_int_equal(addr_parse(src, &view->addr[0], &view->ip_version, &error), 0);
	assert_int_equal(addr_parse(dst, &view->addr[1], &view->ip_version, &error), 0);
	view->port[0] = sport;
	view->port[1] = dport;
	view->state = flow_state;
}

static int setup(void **state)
{
	(void)state;
	fill(TCP4, IPPROTO_TCP, "100.64.31.206", "10.0.0.5", 54435, 80, FLOW_STATE_ESTABLISHED);
	fill(UDP4, IPPROTO_UDP, "10.0.0.5", "100.64.31.206", 53, 53, FLOW_STATE_UDP);
	fill(TCP6, IPPROTO_TCP, "fd00:10::1", "2001:db8::2", 1, 65535, FLOW_STATE_SYN_SENT);
	fill(ICMP4, IPPROTO_ICMP, "100.64.31.206", "10.0.0.5", 0, 0, FLOW_STATE_ICMP);
	fill(ICMP6, IPPROTO_ICMPV6, "fd00:10::1", "2001:db8::2", 0, 0, FLOW_STATE_ICMP);
	subjects[TCP4].rule = WEB_RULE;
	return 0;
}

struct word {
	int option; /* 0: no more words */
	const char *argument;
};

static unsigned int matches(const struct filter *filter)
{
	unsigned int subject, set = 0;

	for (subject = 0; subject < SUBJECTS; subject++)
		if (filter_match_flow(filter, &subjects[subject]))
			set |= 1 << subject;
	return set;
}

static void each_word_means_the_flows_it_says(void **state)
{
	static const struct {
		struct word words[3];
		unsigned int meant;
	} rows[] = {
		{{{0}}, ALL},
		{{{FILTER_PROTOCOL, "tcp"}}, 1 << TCP4 | 1 << TCP6},
		{{{FILTER_PROTOCOL, "udp"}}, 1 << UDP4},
		{{{FILTER_PROTOCOL, "icmp"}}, 1 << ICMP4 | 1 << ICMP6},
		{{{FILTER_PROTOCOL, "udp"}, {FILTER_PROTOCOL, "icmp"}}, 1 << ICMP4 | 1 << ICMP6},
		{{{FILTER_IPV4, NULL}}, 1 << TCP4 | 1 << UDP4 | 1 << ICMP4},
		{{{FILTER_IPV6, NULL}}, 1 << TCP6 | 1 << ICMP6},
		{{{FILTER_IPV6, NULL}, {FILTER_PROTOCOL, "icmp"}}, 1 << ICMP6},
		{{{FILTER_SRC, "100.64.0.0/10"}}, 1 << TCP4 | 1 << ICMP4},
		{{{FILTER_SRC, "10.0.0.5"}}, 1 << UDP4},
		{{{FILTER_SRC, "0.0.0.0/0"}}, 1 << TCP4 | 1 << UDP4 | 1 << ICMP4},
		{{{FILTER_SRC, "::/0"}}, 1 << TCP6 | 1 << ICMP6},
		{{{FILTER_DST, "10.0.0.4/31"}}, 1 << TCP4 | 1 << ICMP4},
		{{{FILTER_DST, "10.0.0.6/31"}}, 0},
		{{{FILTER_DST, "2001:db8::/32"}}, 1 << TCP6 | 1 << ICMP6},
		{{{FILTER_SRC, "fd00:10::/64"}, {FILTER_DST, "2001:db8::3"}}, 0},
		{{{FILTER_SPORT, "53"}}, 1 << UDP4},
		{{{FILTER_DPORT, "53-80"}}, 1 << TCP4 | 1 << UDP4},
		{{{FILTER_DPORT, "54-79"}}, 0},
		{{{FILTER_DPORT, "80-80"}}, 1 << TCP4},
		{{{FILTER_DPORT, "http"}}, 1 << TCP4},
		{{{FILTER_DPORT, "65535"}}, 1 << TCP6},
		{{{FILTER_SPORT, "0-65535"}}, 1 << TCP4 | 1 << UDP4 | 1 << TCP6},
		{{{FILTER_SPORT, "0-53"}, {FILTER_PROTOCOL, "tcp"}}, 1 << TCP6},
		{{{FILTER_STATE, "established"}}, 1 << TCP4},
		{{{FILTER_STATE, "icmp"}}, 1 << ICMP4 | 1 << ICMP6},
		{{{FILTER_STATE, "time_wait"}}, 0},
	};
	struct filter filter;
	struct error error;
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		filter_init(&filter);
		for (j = 0; rows[i].words[j].option; j++)
			assert_int_equal(filter_option(&filter, rows[i].words[j].option,
						       rows[i].words[j].argument, &error),
					 0);
		if (matches(&filter) != rows[i].meant)
			fail_msg("row %zu: %#x instead of %#x", i, matches(&filter), rows[i].meant);
	}
}

static void a_rule_is_matched_by_its_number_and_nothing_without_one(void **state)
{
	struct filter filter;
	struct error error;

	(void)state;
	filter_init(&filter);
	assert_int_equal(filter_option(&filter, FILTER_RULE, "web", &error), 0);
	assert_string_equal(filter.rule_id, "web");
	/* Flows without a rule must not be taken for those of a rule that is unknown. */
	assert_int_equal(matches(&filter), 0);
	filter.rule = WEB_RULE;
	assert_int_equal(matches(&filter), 1 << TCP4);
}

static const struct {
	struct word first;
	struct word refused;
	const char *why; /* NULL: as the parser of prefixes says */
} invalid_words[] = {
	{{0},
	 {FILTER_PROTOCOL, "no-such"},
	 "protocol no-such: not tcp, udp, icmp, 0-255 or a name of /etc/protocols"},
	{{0},
	 {FILTER_PROTOCOL, "256"},
	 "protocol 256: not tcp, udp, icmp, 0-255 or a name of /etc/protocols"},
	{{0},
	 {FILTER_PROTOCOL, ""},
	 "protocol : not tcp, udp, icmp, 0-255 or a name of /etc/protocols"},
	{{0}, {FILTER_STATE, "open"}, "state open: not a connection state"},
	{{0}, {FILTER_STATE, "none"}, "state none: not a connection state"},
	{{0}, {FILTER_RULE, ""}, "rule : an id has 1 to 63 bytes"},
	{{0},
	 {FILTER_SPORT, ""},
	 "port : not PORT or PORT-PORT within 0-65535, and no service of /etc/services"},
	{{0},
	 {FILTER_SPORT, "65536"},
	 "port 65536: not PORT or PORT-PORT within 0-65535, and no service of /etc/services"},
	{{0},
	 {FILTER_SPORT, "-1"},
	 "port -1: not PORT or PORT-PORT within 0-65535, and no service of /etc/services"},
	{{0},
	 {FILTER_SPORT, "1-"},
	 "port 1-: not PORT or PORT-PORT within 0-65535, and no service of /etc/services"},
	{{0},
	 {FILTER_SPORT, "2-1"},
	 "port 2-1: not PORT or PORT-PORT within 0-65535, and no service of /etc/services"},
	{{0},
	 {FILTER_DPORT, "1-2-3"},
	 "port 1-2-3: not PORT or PORT-PORT within 0-65535, and no service of /etc/services"},
	{{0},
	 {FILTER_DPORT, "0x50"},
	 "port 0x50: not PORT or PORT-PORT within 0-65535, and no service of /etc/services"},
	{{0},
	 {FILTER_DPORT, "4294967376"},
	 "port 4294967376: not PORT or PORT-PORT within 0-65535, and no service of /etc/services"},
	{{0}, {FILTER_SRC, "10.0.0.1/33"}, NULL},
	{{0}, {FILTER_DST, "host example"}, NULL},
	{{0}, {FILTER_DST, "10.0.0"}, NULL},
	{{0}, {FILTER_DST, "any"}, NULL},
	{{FILTER_IPV4, NULL}, {FILTER_IPV6, NULL}, "options -4 and -6: one excludes the other"},
	{{FILTER_IPV4, NULL}, {FILTER_SRC, "fd00::/8"}, "filter mixes IPv4 and IPv6"},
	{{FILTER_SRC, "fd00::/8"}, {FILTER_IPV4, NULL}, "filter mixes IPv4 and IPv6"},
	{{FILTER_SRC, "fd00::/8"}, {FILTER_DST, "10.0.0.1"}, "filter mixes IPv4 and IPv6"},
	{{FILTER_SPORT, "1"},
	 {FILTER_PROTOCOL, "icmp"},
	 "filter asks for a port, which icmp does not have"},
	{{FILTER_PROTOCOL, "icmp"},
	 {FILTER_DPORT, "1"},
	 "filter asks for a port, which icmp does not have"},
};

static void invalid_words_are_refused_and_change_nothing(void **state)
{
	struct filter filter, before;
	struct error error;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(invalid_words) / sizeof(invalid_words[0]); i++) {
		filter_init(&filter);
		if (invalid_words[i].first.option)
			assert_int_equal(filter_option(&filter, invalid_words[i].first.option,
						       invalid_words[i].first.argument, &error),
					 0);
		before = filter;
		memset(&error, 0, sizeof(error));
		assert_int_equal(filter_option(&filter, invalid_words[i].refused.option,
					       invalid_words[i].refused.argument, &error),
				 -EINVAL);
		assert_true(error.invalid_input);
		if (invalid_words[i].why)
			assert_string_equal(error.text, invalid_words[i].why);
		assert_memory_equal(&filter, &before, sizeof(filter));
	}
}

static void a_rule_id_may_have_63_bytes_and_no_more(void **state)
{
	char id[RULE_ID_MAX + 1];
	struct filter filter;
	struct error error;

	(void)state;
	filter_init(&filter);
	memset(id, 'x', sizeof(id));
	id[RULE_ID_MAX] = '\0';
	assert_int_equal(filter_option(&filter, FILTER_RULE, id, &error), -EINVAL);
	id[RULE_ID_MAX - 1] = '\0';
	assert_int_equal(filter_option(&filter, FILTER_RULE, id, &error), 0);
	assert_string_equal(filter.rule_id, id);
}

static void options_of_the_command_itself_are_left_to_it(void **state)
{
	struct filter filter;
	struct error error;

	(void)state;
	filter_init(&filter);
	assert_int_equal(filter_option(&filter, 'j', NULL, &error), 1);
	assert_int_equal(filter_option(&filter, '?', NULL, &error), 1);
	assert_int_equal(matches(&filter), ALL);
}

static void a_command_line_is_parsed_among_the_commands_own_options(void **state)
{
	char *argv[] = {"list", "-4", "wt0", "--src", "100.64.0.0/10", "-j", "--dport=80", NULL};
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		FILTER_LONG_OPTIONS,
		{0},
	};
	struct filter filter;
	struct error error;
	int option, own = 0;

	(void)state;
	filter_init(&filter);
	optind = 1;
	while ((option = getopt_long(7, argv, "j" FILTER_SHORT_OPTIONS, options, NULL)) != -1) {
		int ret = filter_option(&filter, option, optarg, &error);

		assert_true(ret >= 0);
		own += ret;
	}
	assert_int_equal(own, 1);
	assert_string_equal(argv[optind], "wt0");
	assert_int_equal(matches(&filter), 1 << TCP4);
}

static void names_mean_all_their_addresses_once_they_are_looked_up(void **state)
{
	static const char text[] = "names: {anna: [100.64.31.206, 'fd00:10::1'], db: 10.0.0.5}";
	static const struct {
		struct word words[3];
		int meant; /* -1: refused when looked up */
		const char *why;
	} rows[] = {
		{{{FILTER_SRC, "anna"}}, 1 << TCP4 | 1 << TCP6 | 1 << ICMP4 | 1 << ICMP6, NULL},
		{{{FILTER_SRC, "anna"}, {FILTER_DST, "db"}}, 1 << TCP4 | 1 << ICMP4, NULL},
		{{{FILTER_SRC, "anna"}, {FILTER_IPV6, NULL}}, 1 << TCP6 | 1 << ICMP6, NULL},
		{{{FILTER_DST, "anna"}}, 1 << UDP4, NULL},
		{{{FILTER_DST, "anna"}, {FILTER_DST, "10.0.0.5"}}, 1 << TCP4 | 1 << ICMP4, NULL},
		{{{FILTER_SRC, "bert"}},
		 -1,
		 "address: 'bert' is neither an address nor a name of the policy in force"},
		{{{FILTER_DST, "db"}, {FILTER_IPV6, NULL}}, -1, "filter mixes IPv4 and IPv6"},
		{{{FILTER_DST, "db"}, {FILTER_SRC, "fd00::/8"}}, -1, "filter mixes IPv4 and IPv6"},
	};
	struct names names;
	struct error error;

	(void)state;
	assert_int_equal(names_read(text, strlen(text), &names, &error), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct filter filter;
		int err;

		filter_init(&filter);
		for (int j = 0; j < 3 && rows[i].words[j].option; j++)
			assert_int_equal(filter_option(&filter, rows[i].words[j].option,
						       rows[i].words[j].argument, &error),
					 0);
		err = filter_resolve(&filter, &names, &error);
		assert_int_equal(err, rows[i].why ? -EINVAL : 0);
		if (rows[i].why)
			assert_string_equal(error.text, rows[i].why);
		else
			assert_int_equal(matches(&filter), rows[i].meant);
	}
	names_free(&names);
}

static void a_name_that_was_not_looked_up_matches_nothing(void **state)
{
	struct filter filter;
	struct error error;

	(void)state;
	filter_init(&filter);
	assert_int_equal(filter_option(&filter, FILTER_SRC, "anna", &error), 0);
	assert_int_equal(matches(&filter), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_mean_all_their_addresses_once_they_are_looked_up),
		cmocka_unit_test(a_name_that_was_not_looked_up_matches_nothing),
		cmocka_unit_test(each_word_means_the_flows_it_says),
		cmocka_unit_test(a_rule_is_matched_by_its_number_and_nothing_without_one),
		cmocka_unit_test(invalid_words_are_refused_and_change_nothing),
		cmocka_unit_test(a_rule_id_may_have_63_bytes_and_no_more),
		cmocka_unit_test(options_of_the_command_itself_are_left_to_it),
		cmocka_unit_test(a_command_line_is_parsed_among_the_commands_own_options),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
