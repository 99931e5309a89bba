/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "config.h"
#include "reason.h"
#include "rule.h"

static void test_the_words_of_users(void **state)
{
	char number[FLOW_PROTOCOL_NUMBER];

	(void)state;
	assert_string_equal(acl_name(ACL_ROUTE), "route_acl");
	assert_string_equal(direction_name(DIR_INGRESS), "ingress");
	assert_string_equal(flow_state_name(FLOW_STATE_SYN_SENT), "syn_sent");
	assert_string_equal(forwarder_input_name(FORWARDER_INPUT_NONE), "none");
	assert_string_equal(forwarder_input_name(FORWARDER_INPUT_TUN), "tun");
	assert_string_equal(hook_name(HOOK_TC), "tc");
	assert_string_equal(native_acl_name(0), "skip");
	assert_string_equal(native_acl_name(1), "enforce");
	assert_string_equal(reason_name(REASON_NO_FORWARDER), "no_forwarder");
	assert_string_equal(reason_help(REASON_NOT_IP), "frame is neither IPv4, IPv6 nor ARP");
	assert_string_equal(routing_name(ROUTING_USERSPACE), "userspace");
	assert_string_equal(verdict_name(VERDICT_FORWARD), "forward");
	assert_string_equal(port_protocol_name(IPPROTO_UDP), "udp");
	assert_null(port_protocol_name(IPPROTO_ICMP));
	assert_string_equal(flow_protocol_name(IPPROTO_TCP, 6, number), "tcp");
	assert_string_equal(flow_protocol_name(IPPROTO_ICMPV6, 6, number), "icmp");
	assert_string_equal(flow_protocol_name(IPPROTO_ICMPV6, 4, number), "58");
}

/* Rows of a table: name, what it means. */
static void test_the_manual_has_every_reason(void **state)
{
	FILE *file = fopen("docs/man/shrike.8", "r"); /* tests run in the root of the tree */
	char *text = NULL, row[160];
	size_t size = 0;

	(void)state;
	assert_non_null(file);
	assert_true(getdelim(&text, &size, '\0', file) > 0);
	fclose(file);
	for (unsigned int i = 0; i < REASON_MAX; i++) {
		snprintf(row, sizeof(row), "\n.It %s Ta %s\n", reason_name(i), reason_help(i));
		if (!strstr(text, row))
			fail_msg("shrike.8 does not have %s", reason_name(i));
	}
	free(text);
}

static void test_numbers_beyond_a_list_are_unknown(void **state)
{
	(void)state;
	assert_string_equal(acl_name(ACL_MAX), "unknown");
	assert_string_equal(direction_name(DIR_MAX), "unknown");
	assert_string_equal(flow_state_name(FLOW_STATE_MAX), "unknown");
	assert_string_equal(hook_name(HOOK_MAX), "unknown");
	assert_string_equal(reason_name(REASON_MAX), "unknown");
	assert_string_equal(reason_help(255), "unknown");
	assert_string_equal(routing_name(ROUTING_MAX), "unknown");
	assert_string_equal(verdict_name(VERDICT_CONTINUE), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"numbers have the words that users know", test_the_words_of_users, NULL, NULL,
		 NULL},
		{"the manual has every reason", test_the_manual_has_every_reason, NULL, NULL, NULL},
		{"numbers beyond a list are called unknown", test_numbers_beyond_a_list_are_unknown,
		 NULL, NULL, NULL},
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
