/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every line of settings.h has arrived wherever it is to be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/generation_build.h"
#include "dataplane/generation_config.h"
#include "policy/policy.h"
#include "review/diff.h"

#define MANUAL "docs/man/shrike-policy.5" /* tests run in the root of the tree */

static char *read_manual(void)
{
	FILE *file = fopen(MANUAL, "r");
	char *text = NULL;
	size_t size = 0;

	assert_non_null(file);
	assert_true(getdelim(&text, &size, '\0', file) > 0);
	fclose(file);
	return text;
}

/* A key as the manual sets it: in bold, or first in a line of a table. */
static void assert_key(const char *manual, const char *name)
{
	char bold[64], row[64];

	snprintf(bold, sizeof(bold), "\n.B %s\n", name);
	snprintf(row, sizeof(row), "\n%s\t", name);
	if (!strstr(manual, bold) && !strstr(manual, row))
		fail_msg("%s does not have %s", MANUAL, name);
}

static void the_manual_has_every_setting(void **state)
{
	char *manual = read_manual();

	(void)state;
#define MODE(name, type, kind, value) assert_key(manual, #name);
	POLICY_MODES(MODE)
#undef MODE
#define SWITCH(name, value) assert_key(manual, #name);
	POLICY_SWITCHES(SWITCH)
#undef SWITCH
#define LIMIT(name, entries)                                                                       \
	assert_key(manual, #name);                                                                 \
	if (!strstr(manual, "(" #entries ")") && !strstr(manual, "(default " #entries ")"))        \
		fail_msg("%s does not have the %u entries of %s", MANUAL, entries, #name);
	POLICY_LIMITS(LIMIT)
#undef LIMIT
#define SIZE_LIMIT(name, mebibytes) assert_key(manual, #name);
	POLICY_SIZE_LIMITS(SIZE_LIMIT)
#undef SIZE_LIMIT
#define TIMEOUT(name, seconds, what) assert_key(manual, #name);
	POLICY_TIMEOUTS(TIMEOUT)
#undef TIMEOUT
	free(manual);
}

/* What the programs get of a policy. */
static struct config config_of(const struct policy *policy)
{
	const struct mode mode = {.routing = ROUTING_NATIVE, .hook = HOOK_XDP};
	const struct generation_spec spec = {.policy = policy, .mode = &mode, .mtu = 1420};
	struct config config = {};

	generation_config(&spec, 1, &config);
	return config;
}

static void every_timeout_reaches_the_programs(void **state)
{
	struct policy policy = {};
	struct config config;
	uint64_t ns = 1000;

	(void)state;
#define TIMEOUT(name, seconds, what) policy.timeouts.name = ns++;
	POLICY_TIMEOUTS(TIMEOUT)
#undef TIMEOUT
	config = config_of(&policy);
	for (uint64_t wanted = 1000; wanted < ns; wanted++) {
		bool found = config.fragment_timeout_ns == wanted;

		for (size_t i = 0; i < FLOW_STATE_MAX; i++)
			found |= config.timeout_ns[i] == wanted;
		assert_true(found);
	}
	assert_int_equal(config.timeout_ns[FLOW_STATE_CLOSING], policy.timeouts.tcp_fin_wait);
	assert_int_equal(config.timeout_ns[FLOW_STATE_CLOSED], FLOW_CLOSED_NS);
}

static void every_flag_reaches_the_programs(void **state)
{
	const struct policy none = {};
	const struct config before = config_of(&none);
	struct config after;

	(void)state;
#define CHANGE(what)                                                                               \
	{                                                                                          \
		struct policy changed = {.what = true};                                            \
                                                                                                   \
		after = config_of(&changed);                                                       \
		if (!memcmp(&before, &after, sizeof(after)))                                       \
			fail_msg("the programs do not get %s", #what);                             \
	}
#define CHANGE_flag(name)	CHANGE(mode.name)
#define CHANGE_native_acl(name) CHANGE(mode.name)
#define CHANGE_routing(name)	/* decided by mode.c, see test_mode.c */
#define CHANGE_forwarder_input(name)
#define CHANGE_hook(name)
#define MODE(name, type, kind, value) CHANGE_##kind(name)
	POLICY_MODES(MODE)
#undef MODE
#define SWITCH(name, value) CHANGE(name)
	POLICY_SWITCHES(SWITCH)
#undef SWITCH
}

/* Confirmed tables have the limit itself; no two limits are alike, nor what others are made of. */
static void every_limit_is_the_size_of_a_table(void **state)
{
	const struct mode mode = {.routing = ROUTING_NATIVE, .hook = HOOK_XDP};
	struct policy *policy = policy_default();
	struct generation_spec spec = {.policy = policy, .mode = &mode, .virtual_clock = true};
	struct generation *generation;
	uint32_t entries = 301;
	struct error error;

	(void)state;
	assert_non_null(policy);
#define LIMIT(name, value) policy->limits.name = entries++;
	POLICY_LIMITS(LIMIT)
#undef LIMIT
	if (generation_build(&spec, &generation, &error))
		fail_msg("%s", error.text);
	for (uint32_t wanted = 301; wanted < entries; wanted++) {
		bool found = false;

		for (size_t i = 0; i < generation->maps.n; i++)
			found |= generation->maps.maps[i].max_entries == wanted;
		if (!found)
			fail_msg("no table has the size of limit %u of settings.h", wanted - 300);
	}
	generation_free(generation);
	policy_free(policy);
}

/* The setting of a diff between two policies that differ in nothing else; releases @diff. */
static void assert_only(json_t *diff, const char *name)
{
	const json_t *settings = json_object_get(diff, "settings");

	if (!json_object_get(settings, name) || json_object_size(settings) != 1)
		fail_msg("%s: %s", name, json_dumps(diff, 0));
	json_decref(diff);
}

static json_t *diff_of(const struct policy *before, const struct policy *after)
{
	const struct config of_before = config_of(before), of_after = config_of(after);
	const struct policy_side a = {before, &of_before}, b = {after, &of_after};
	struct error error;
	json_t *diff;

	assert_int_equal(policy_diff(&a, &b, &diff, &error), 0);
	return diff;
}

static void every_setting_that_differs_is_named_by_a_diff(void **state)
{
	struct policy *before = policy_default(), *after = policy_default();

	(void)state;
	assert_non_null(before);
	assert_non_null(after);
#define TRY(field, other)                                                                          \
	after->field = other;                                                                      \
	assert_only(diff_of(before, after), #field);                                               \
	after->field = before->field;
#define LIMIT(name, entries) TRY(limits.name, 7)
	POLICY_LIMITS(LIMIT)
#define SIZE_LIMIT(name, mebibytes) LIMIT(name, )
	POLICY_SIZE_LIMITS(SIZE_LIMIT)
#undef SIZE_LIMIT
#undef LIMIT
#define TIMEOUT(name, seconds, what) TRY(timeouts.name, 7 * NS_PER_S)
	POLICY_TIMEOUTS(TIMEOUT)
#undef TIMEOUT
#define SWITCH(name, value) TRY(name, !(value))
	POLICY_SWITCHES(SWITCH)
#undef SWITCH
#define TRY_flag(name)	     TRY(mode.name, !before->mode.name)
#define TRY_native_acl(name) TRY(mode.name, !before->mode.name)
#define TRY_routing(name)    /* the policies have what was decided, not what was asked for */
#define TRY_forwarder_input(name)
#define TRY_hook(name)
#define MODE(name, type, kind, value) TRY_##kind(name)
	POLICY_MODES(MODE)
#undef MODE
	policy_free(before);
	policy_free(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_manual_has_every_setting),
		cmocka_unit_test(every_timeout_reaches_the_programs),
		cmocka_unit_test(every_flag_reaches_the_programs),
		cmocka_unit_test(every_limit_is_the_size_of_a_table),
		cmocka_unit_test(every_setting_that_differs_is_named_by_a_diff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
