/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counters as `status` and `stats` print them: sums, residue, growth, rates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <string.h>

#include "cli/counters_print.h"

/* 10 seen: 5 passed, 1 forwarded, 4 dropped for two reasons. */
static void fill(struct counters *counters)
{
	memset(counters, 0, sizeof(*counters));
	counters->seen = (struct counter){10, 1000};
	counters->verdict[VERDICT_PASS] = (struct counter){5, 500};
	counters->verdict[VERDICT_FORWARD] = (struct counter){1, 100};
	counters->verdict[VERDICT_DROP] = (struct counter){4, 400};
	counters->reason[REASON_PEER_ACL_ALLOWED] = (struct counter){6, 600};
	counters->reason[REASON_PEER_ACL_DENIED] = (struct counter){3, 300};
	counters->reason[REASON_PEER_ACL_DEFAULT] = (struct counter){1, 100};
	counters->tcp_out_of_window = (struct counter){2, 80};
}

static json_int_t integer_at(json_t *object, const char *outer, const char *key)
{
	json_t *value = json_object_get(json_object_get(object, outer), key);

	assert_true(json_is_integer(value));
	return json_integer_value(value);
}

static double rate_at(json_t *object, const char *outer, const char *key)
{
	json_t *value = json_object_get(json_object_get(object, outer), key);

	assert_true(json_is_real(value));
	return json_real_value(value);
}

static void test_totals_list_what_happened_and_the_residue(void **state)
{
	struct counters counters;
	json_t *object, *drops;

	(void)state;
	fill(&counters);
	object = counters_json(&counters);
	drops = json_object_get(object, "drop_reasons");
	assert_int_equal(integer_at(object, "seen", "packets"), 10);
	assert_int_equal(integer_at(object, "drop", "bytes"), 400);
	assert_int_equal(integer_at(drops, "peer_acl_denied", "packets"), 3);
	assert_int_equal(json_object_size(drops), 2);
	assert_int_equal(json_object_size(json_object_get(object, "pass_reasons")), 1);
	assert_int_equal(integer_at(object, "tcp_out_of_window", "packets"), 2);
	assert_int_equal(json_integer_value(json_object_get(object, "residue")), 0);
	json_decref(object);

	counters.seen.packets++;
	object = counters_json(&counters);
	assert_int_equal(json_integer_value(json_object_get(object, "residue")), 1);
	json_decref(object);
}

static void test_rates_are_the_growth_per_second(void **state)
{
	struct counters before, now, growth;
	json_t *object, *drops;

	(void)state;
	fill(&before);
	now = before;
	now.seen = (struct counter){13, 1600};
	now.verdict[VERDICT_DROP] = (struct counter){7, 1000};
	now.reason[REASON_PEER_ACL_DEFAULT] = (struct counter){4, 700};
	now.tcp_out_of_window = (struct counter){5, 200};
	counters_since(&before, &now, &growth);
	object = counters_json_rates(&growth, 2);
	drops = json_object_get(object, "drop_reasons");
	assert_float_equal(rate_at(object, "seen", "packets_per_s"), 1.5, 1e-9);
	assert_float_equal(rate_at(object, "seen", "bytes_per_s"), 300, 1e-9);
	assert_float_equal(rate_at(object, "pass", "packets_per_s"), 0, 1e-9);
	assert_float_equal(rate_at(object, "drop", "bytes_per_s"), 300, 1e-9);
	assert_float_equal(rate_at(drops, "peer_acl_default", "packets_per_s"), 1.5, 1e-9);
	assert_int_equal(json_object_size(drops), 1); /* the other has not grown */
	assert_null(json_object_get(object, "residue"));
	json_decref(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_totals_list_what_happened_and_the_residue),
		cmocka_unit_test(test_rates_are_the_growth_per_second),
	};

	return cmocka_run_group_tests_name("counters_print", tests, NULL, NULL);
}
