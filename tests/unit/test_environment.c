/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* NetBird's environment variables: which words count, and what they change in a policy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/environment.h"

/* An environment of one variable, and the warnings it gave rise to. */
struct fixture {
	const char *name;
	const char *value;
	int warnings;
	char warning[256];
};

static const char *get_variable(const char *name, void *arg)
{
	struct fixture *fixture = arg;

	return !strcmp(name, fixture->name) ? fixture->value : NULL;
}

static void take_warning(const char *text, void *arg)
{
	struct fixture *fixture = arg;

	fixture->warnings++;
	strncpy(fixture->warning, text, sizeof(fixture->warning) - 1);
}

static struct fixture read_one(struct environment *environment, const char *name, const char *value)
{
	struct fixture fixture = {.name = name, .value = value};

	memset(environment, 0xff, sizeof(*environment));
	environment_read(environment, get_variable, &fixture, take_warning, &fixture);
	return fixture;
}

static void switches_take_the_words_of_go_and_no_others(void **state)
{
	static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
	static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};
	static const char *const neither[] = {"yes", "on", "tRUE", " 1", "1 ", "2", "-1", "11"};
	struct environment environment;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		assert_int_equal(read_one(&environment, "NB_DISABLE_CONNTRACK", yes[i]).warnings,
				 0);
		assert_true(environment.disable_conntrack);
	}
	for (i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		assert_int_equal(read_one(&environment, "NB_DISABLE_CONNTRACK", no[i]).warnings, 0);
		assert_false(environment.disable_conntrack);
	}
	for (i = 0; i < sizeof(neither) / sizeof(neither[0]); i++) {
		assert_int_equal(
			read_one(&environment, "NB_DISABLE_CONNTRACK", neither[i]).warnings, 1);
		assert_false(environment.disable_conntrack);
	}
}

static void every_switch_sets_its_own_field_alone(void **state)
{
#define SWITCH(name, field)                                                                        \
	{                                                                                          \
		name, offsetof(struct environment, field)                                          \
	}
	static const struct {
		const char *name;
		size_t offset;
	} switches[] = {
		SWITCH("NB_DISABLE_USERSPACE_ROUTING", disable_userspace_routing),
		SWITCH("NB_FORCE_NATIVE_ROUTER", force_native_router),
		SWITCH("NB_FORCE_USERSPACE_ROUTER", force_userspace_router),
		SWITCH("NB_DISABLE_CONNTRACK", disable_conntrack),
		SWITCH("NB_DISABLE_MSS_CLAMPING", disable_mss_clamping),
		SWITCH("NB_ENABLE_LOCAL_FORWARDING", enable_local_forwarding),
		SWITCH("NB_ENABLE_NETSTACK_LOCAL_FORWARDING", enable_netstack_local_forwarding),
	};
#undef SWITCH
	struct environment environment, expected;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
		memset(&expected, 0, sizeof(expected));
		*((bool *)&expected + switches[i].offset) = true;
		read_one(&environment, switches[i].name, "true");
		assert_memory_equal(&environment, &expected, sizeof(expected));
	}
}

static void an_empty_or_missing_variable_is_not_set_and_no_mistake(void **state)
{
	static const struct environment nothing;
	struct environment environment;

	(void)state;
	assert_int_equal(read_one(&environment, "NB_DISABLE_CONNTRACK", "").warnings, 0);
	assert_memory_equal(&environment, &nothing, sizeof(nothing));
	assert_int_equal(read_one(&environment, "NB_CONNTRACK_TCP_MAX", "").warnings, 0);
	assert_memory_equal(&environment, &nothing, sizeof(nothing));
	assert_int_equal(read_one(&environment, "HOME", "true").warnings, 0);
	assert_memory_equal(&environment, &nothing, sizeof(nothing));
}

static void counts_are_positive_decimal_numbers(void **state)
{
	static const struct {
		const char *text;
		uint32_t value; /* 0: refused */
	} rows[] = {
		{"1", 1},
		{"65536", 65536},
		{"+7", 7},
		{"007", 7},
		{"4294967295", UINT32_MAX},
		{"4294967296", 0},
		{"0", 0},
		{"-1", 0},
		{"1.5", 0},
		{"1k", 0},
		{" 1", 0},
		{"1 ", 0},
		{"0x10", 0},
		{"+", 0},
		{"many", 0},
		{"18446744073709551617", 0},
	};
	struct environment environment;
	struct fixture fixture;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fixture = read_one(&environment, "NB_CONNTRACK_UDP_MAX", rows[i].text);
		assert_int_equal(environment.limits.udp, rows[i].value);
		assert_int_equal(fixture.warnings, !rows[i].value);
	}
}

static void durations_take_the_form_of_go_and_need_a_unit(void **state)
{
	static const struct {
		const char *text;
		uint64_t value; /* 0: refused */
	} rows[] = {
		{"60s", 60 * NS_PER_S},
		{"1m30s", 90 * NS_PER_S},
		{"500ms", NS_PER_S / 2},
		{"1.5h", 5400 * NS_PER_S},
		{".5s", NS_PER_S / 2},
		{"1.s", NS_PER_S},
		{"+2s", 2 * NS_PER_S},
		{"1h1m1s1ms1us1ns", 3661001001001},
		{"3\xc2\xb5s", 3000},
		{"3\xce\xbcs", 3000},
		{"0.3333333333333333333333h", 1200 * NS_PER_S - 1},
		{"2562047h47m16.854775807s", INT64_MAX},
		{"2562047h47m16.854775808s", 0},
		{"99999999999999999999s", 0},
		{"60", 0},
		{"0", 0},
		{"0s", 0},
		{"-60s", 0},
		{"1m30", 0},
		{"60 s", 0},
		{"s", 0},
		{".s", 0},
		{"+", 0},
		{"1d", 0},
		{"1S", 0},
		{"1.2.3s", 0},
		{"soon", 0},
	};
	struct environment environment;
	struct fixture fixture;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fixture = read_one(&environment, "NB_CONNTRACK_TCP_FIN_WAIT_TIMEOUT", rows[i].text);
		assert_int_equal(environment.timeouts.tcp_fin_wait, rows[i].value);
		assert_int_equal(fixture.warnings, !rows[i].value);
	}
}

static void a_warning_names_the_variable_and_its_value(void **state)
{
	struct environment environment;

	(void)state;
	assert_string_equal(
		read_one(&environment, "NB_DISABLE_CONNTRACK", "maybe").warning,
		"NB_DISABLE_CONNTRACK: 'maybe' is neither true nor false, taken as false");
	assert_string_equal(
		read_one(&environment, "NB_FRAGMENT_MAX_ENTRIES", "lots").warning,
		"NB_FRAGMENT_MAX_ENTRIES: 'lots' is not a number from 1 to 4294967295, ignored");
	assert_string_equal(
		read_one(&environment, "NB_CONNTRACK_TCP_LAST_ACK_TIMEOUT", "30").warning,
		"NB_CONNTRACK_TCP_LAST_ACK_TIMEOUT: '30' is not a duration above zero such as 60s "
		"or 1m30s, ignored");
}

static void what_is_not_set_leaves_the_policy_alone(void **state)
{
	struct environment environment = {};
	struct policy policy, before;

	(void)state;
	memset(&policy, 0, sizeof(policy));
	policy.mode.stateful = true;
	policy.mss_clamp = true;
	policy.limits.tcp = 11;
	policy.timeouts.tcp_fin_wait = 22;
	memcpy(&before, &policy, sizeof(policy));
	environment_apply(&environment, &policy);
	assert_memory_equal(&policy, &before, sizeof(policy));
}

static void what_is_set_wins_over_the_policy(void **state)
{
	struct environment environment = {
		.disable_conntrack = true,
		.disable_mss_clamping = true,
		.enable_local_forwarding = true,
		.limits.tcp = 1,
		.limits.udp = 2,
		.limits.icmp = 3,
		.limits.fragments = 4,
		.timeouts.tcp_fin_wait = 5,
		.timeouts.tcp_close_wait = 6,
		.timeouts.tcp_last_ack = 7,
	};
	struct policy policy = {.mode.stateful = true, .mss_clamp = true, .timeouts.udp = 99};

	(void)state;
	environment_apply(&environment, &policy);
	assert_false(policy.mode.stateful);
	assert_false(policy.mss_clamp);
	assert_true(policy.mode.local_forwarding);
	assert_int_equal(policy.limits.tcp, 1);
	assert_int_equal(policy.limits.udp, 2);
	assert_int_equal(policy.limits.icmp, 3);
	assert_int_equal(policy.limits.fragments, 4);
	assert_int_equal(policy.timeouts.tcp_fin_wait, 5);
	assert_int_equal(policy.timeouts.tcp_close_wait, 6);
	assert_int_equal(policy.timeouts.tcp_last_ack, 7);
	assert_int_equal(policy.timeouts.udp, 99);
}

static void netstack_local_forwarding_speaks_only_where_there_is_a_netstack(void **state)
{
	struct environment environment = {.enable_netstack_local_forwarding = true};
	struct policy policy = {};

	(void)state;
	environment_apply(&environment, &policy);
	assert_false(policy.mode.local_forwarding);
	policy.mode.netstack = true;
	environment_apply(&environment, &policy);
	assert_true(policy.mode.local_forwarding);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(switches_take_the_words_of_go_and_no_others),
		cmocka_unit_test(every_switch_sets_its_own_field_alone),
		cmocka_unit_test(an_empty_or_missing_variable_is_not_set_and_no_mistake),
		cmocka_unit_test(counts_are_positive_decimal_numbers),
		cmocka_unit_test(durations_take_the_form_of_go_and_need_a_unit),
		cmocka_unit_test(a_warning_names_the_variable_and_its_value),
		cmocka_unit_test(what_is_not_set_leaves_the_policy_alone),
		cmocka_unit_test(what_is_set_wins_over_the_policy),
		cmocka_unit_test(netstack_local_forwarding_speaks_only_where_there_is_a_netstack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
