/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The past of an interface in a report: what is written comes back, with other addresses and names it
 * says the same, and what is no report is refused.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/address.h"
#include "incident/past_file.h"
#include "incident/past_hide.h"
#include "policy/parse.h"
#include "trace/explain.h"
#include "trace/recorded.h"

#define HEAD                                                                                       \
	"{\"interface\":\"wt0\",\"written_ns\":5,\"clock_offset_ns\":7,\"byte_order\":\"little\"," \
	"\"record_bytes\":64,\"ip_forward\":false"
#define TAIL ",\"records\":0,\"addresses\":[],\"rules\":[],\"policies\":[]}"

static const char policy_text[] = "version: 1 # of ACME\n"
				  "mode: {routing: disabled, stateful: true}\n"
				  "limits: {tcp: 1000, recorder: 1M}\n"
				  "names: {anna: [100.64.0.2, 'fd64::2'], bob: 10.1.2.3}\n"
				  "peer_acl:\n"
				  "  - {id: 7, action: deny, source: [bob], protocol: udp}\n"
				  "  - {id: web, action: allow, source: [anna, 'set:office'],\n"
				  "     protocol: tcp, destination_ports: [80, 8000-8999]}\n"
				  "  - {id: ping, description: all of 10/8, action: allow,\n"
				  "     source: [10.0.0.0/8], protocol: icmp}\n"
				  "sets: {office: [172.16.0.0/12, 'fd00:1::/32'], spare: []}\n";

static union addr addr(const char *text)
{
	struct error error;
	union addr addr;
	uint8_t ip_version;

	assert_int_equal(addr_parse(text, &addr, &ip_version, &error), 0);
	return addr;
}

static struct record record(const char *from, uint8_t l4_proto, uint16_t port)
{
	static uint64_t time_ns;

	return (struct record){
		.time_ns = ++time_ns,
		.saddr = addr(from),
		.daddr = addr(strchr(from, ':') ? "fd64::1" : "100.64.0.1"),
		.count = 1,
		.dport = htons(port),
		.l4_proto = l4_proto,
		.reason = REASON_PEER_ACL_DEFAULT,
		.flags = RECORD_DROP | (strchr(from, ':') ? RECORD_IP6 : 0),
	};
}

/* A past with a policy, some packets and names. */
static void begin(struct incident_past *past)
{
	const struct record records[] = {
		record("100.64.0.2", 6, 80), record("172.20.1.1", 6, 8080),
		record("10.1.2.3", 17, 9),   record("10.9.9.9", 1, 0x800),
		record("fd64::2", 6, 80),    record("8.8.8.8", 6, 80),
		record("fd00:1::9", 6, 443),
	};

	*past = (struct incident_past){
		.interface = "wt0",
		.written_ns = 99,
		.offset_ns = 17,
		.n_records = sizeof(records) / sizeof(records[0]),
		.n_policies = 1,
		.addresses = {"100.64.0.1/16"},
		.n_addresses = 1,
	};
	past->records = malloc(sizeof(records));
	assert_non_null(past->records);
	memcpy(past->records, records, sizeof(records));
	past->policies[0] = (struct incident_policy){
		.generation = 3,
		.from_ns = 12,
		.path = strdup("/etc/shrike/acme.yaml"),
		.text = strdup(policy_text),
		.len = strlen(policy_text),
	};
	past->rules.names = calloc(1, sizeof(*past->rules.names));
	assert_non_null(past->rules.names);
	past->rules.names[0] = (struct rule_name){4, "web"};
	past->rules.n = 1;
}

/* Write a past into a report and read it back. */
static void go_round(const struct incident_past *past, struct incident_past *read)
{
	char dir[] = "/tmp/test_past_file.XXXXXX", path[64];
	struct incident_archive *archive;
	struct error error;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/x.tar.zst", dir);
	assert_int_equal(archive_create(path, &archive, &error), 0);
	assert_int_equal(archive_add(archive, "version.json", "{}", 2, &error), 0);
	assert_int_equal(past_file_write(past, archive, &error), 0);
	assert_int_equal(archive_finish(archive, &error), 0);
	if (past_file_read(path, read, &error))
		fail_msg("%s", error.text);
	unlink(path);
	rmdir(dir);
}

static void what_is_written_comes_back(void **state)
{
	struct incident_past past, read;

	(void)state;
	begin(&past);
	go_round(&past, &read);
	assert_string_equal(read.interface, "wt0");
	assert_int_equal(read.written_ns, 99);
	assert_int_equal(read.offset_ns, 17);
	assert_int_equal(read.n_records, past.n_records);
	assert_memory_equal(read.records, past.records, past.n_records * sizeof(*past.records));
	assert_string_equal(rule_names_find(&read.rules, 4), "web");
	assert_string_equal(read.addresses[0], "100.64.0.1/16");
	assert_int_equal(read.n_policies, 1);
	assert_string_equal(read.policies[0].text, policy_text);
	assert_string_equal(read.policies[0].path, "/etc/shrike/acme.yaml");
	assert_int_equal(read.policies[0].generation, 3);
	incident_past_free(&past);
	incident_past_free(&read);
}

/* Which rule decides about a record, by its place; -1: none. */
static int deciding(const struct incident_past *past, size_t i)
{
	const struct incident_policy *text = &past->policies[0];
	struct policy *policy;
	struct trace_event event;
	struct error error;
	const char *id;
	int found = -1;

	if (policy_parse(NULL, text->text, text->len, &policy, &error))
		fail_msg("%s", error.text);
	recorded_event(&past->records[i], &event);
	event.reason = REASON_PEER_ACL_DENIED;
	id = trace_explain_rule(policy, &event);
	event.verdict = VERDICT_PASS;
	if (!id)
		id = trace_explain_rule(policy, &event);
	for (size_t rule = 0; id && rule < policy->acl[ACL_PEER].n_rules; rule++)
		if (!strcmp(policy->acl[ACL_PEER].rules[rule].id, id))
			found = (int)rule;
	policy_free(policy);
	return found;
}

static void with_other_addresses_and_names_the_same_rules_decide(void **state)
{
	static const char *const hidden[] = {"anna",	 "bob",	    "web",    "ping", "office",
					     "spare",	 "ACME",    "acme",   "10/8", "100.64.0.2",
					     "10.1.2.3", "fd64::2", "fd00:1:"};
	struct incident_past past, other, read;
	struct anonymiser *anonymiser;
	struct error error;

	(void)state;
	begin(&past);
	begin(&other);
	assert_int_equal(anonymiser_new(&anonymiser, &error), 0);
	past_hide_names(&other, anonymiser);
	assert_int_equal(past_hide(&other, anonymiser, &error), 0);
	anonymiser_free(anonymiser);
	go_round(&other, &read);
	assert_int_equal(read.n_policies, 1);
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		assert_null(strstr(read.policies[0].text, hidden[i]));
	for (size_t i = 0; i < past.n_records; i++) {
		assert_memory_not_equal(&read.records[i].saddr, &past.records[i].saddr, 16);
		assert_int_equal(deciding(&read, i), deciding(&past, i));
	}
	assert_true(deciding(&past, 0) >= 0);
	assert_int_equal(deciding(&past, 5), -1);
	assert_null(strstr(read.addresses[0], "100.64.0.1"));
	assert_string_not_equal(rule_names_find(&read.rules, 4), "web");
	assert_non_null(strstr(read.policies[0].text, rule_names_find(&read.rules, 4)));
	incident_past_free(&past);
	incident_past_free(&other);
	incident_past_free(&read);
}

static void what_recorder_json_must_not_say_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"interface\":\"../x\"" /* a path */ TAIL,
		HEAD ",\"records\":-1,\"addresses\":[],\"rules\":[],\"policies\":[]}",
		HEAD ",\"records\":0,\"addresses\":[1],\"rules\":[],\"policies\":[]}",
		HEAD ",\"records\":0,\"addresses\":[],\"rules\":[{}],\"policies\":[]}",
		HEAD
		",\"records\":0,\"addresses\":[],\"rules\":[{\"number\":1,\"id\":\"\\u001b[2J\"}],"
		"\"policies\":[]}",
		HEAD ",\"records\":0,\"addresses\":[],\"rules\":[],\"policies\":[{\"number\":1}]}",
		HEAD ",\"records\":0,\"addresses\":[],\"rules\":[],\"policies\":[{\"number\":1,"
		     "\"generation\":1,\"from_ns\":1,\"path\":\"\\u009bx\"}]}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct incident_past past = {.n_policies = 0};
		struct error error = {};

		if (!past_file_parse(&past, bad[i], strlen(bad[i]), &error))
			fail_msg("%s", bad[i]);
		assert_true(error.invalid_input);
		incident_past_free(&past);
	}
}

/* Whether records are taken as those of a report that says it has @n. */
static bool takes(const struct record *records, size_t len, size_t n)
{
	struct incident_past past = {.n_records = n};
	struct error error;
	char *bytes = malloc(len + 1);
	bool taken;

	assert_non_null(bytes);
	memcpy(bytes, records, len);
	taken = !past_file_records(&past, bytes, len, &error);
	incident_past_free(&past);
	return taken;
}

static void records_that_are_none_are_refused(void **state)
{
	struct record two[] = {record("100.64.0.2", 6, 80), record("100.64.0.2", 6, 81)};

	(void)state;
	assert_true(takes(two, sizeof(two), 2));
	assert_false(takes(two, sizeof(two), 1));
	assert_false(takes(two, sizeof(two) - 1, 2));
	two[1].reason = REASON_MAX;
	assert_false(takes(two, sizeof(two), 2));
	two[1].reason = two[0].reason;
	two[1].count = 0;
	assert_false(takes(two, sizeof(two), 2));
	two[1].count = 1;
	two[1].time_ns = two[0].time_ns - 1;
	assert_false(takes(two, sizeof(two), 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_comes_back),
		cmocka_unit_test(with_other_addresses_and_names_the_same_rules_decide),
		cmocka_unit_test(what_recorder_json_must_not_say_is_refused),
		cmocka_unit_test(records_that_are_none_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
