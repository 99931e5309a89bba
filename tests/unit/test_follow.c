/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The parts of following NetBird's daemon that need no daemon: when to ask, messages, bundles, and
 * what becomes of the policy's text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "follow/budget.h"
#include "follow/bundle.h"
#include "follow/follow_status.h"
#include "follow/incoming.h"
#include "follow/member.h"
#include "follow/messages.h"
#include "follow/protobuf.h"
#include "policy/parse.h"
#include "policy/part.h"

#define INTERVAL (60 * NS_PER_S)
#define BEGIN	 (1000 * NS_PER_S)

/* ---- when to ask ---- */

static void an_event_is_served_once_the_burst_is_over(void **state)
{
	struct budget budget;

	(void)state;
	budget_init(&budget, INTERVAL);
	assert_int_equal(budget_due_ns(&budget, BEGIN), UINT64_MAX);
	budget_note_event(&budget, BEGIN);
	budget_note_event(&budget, BEGIN + NS_PER_S / 10);
	assert_int_equal(budget_due_ns(&budget, BEGIN), BEGIN + 300 * NS_PER_MS);
	budget_take(&budget, false, BEGIN + 300 * NS_PER_MS);
	assert_int_equal(budget_due_ns(&budget, BEGIN), UINT64_MAX);
	/* one that is to come counts until there is one */
	budget_note_event(&budget, BEGIN + 90 * NS_PER_S);
	budget_note_event(&budget, BEGIN + 100 * NS_PER_S);
	assert_int_equal(budget_due_ns(&budget, BEGIN), BEGIN + 90 * NS_PER_S + 300 * NS_PER_MS);
	budget_note_event(&budget, BEGIN + NS_PER_S);
	assert_int_equal(budget_due_ns(&budget, BEGIN), BEGIN + NS_PER_S + 300 * NS_PER_MS);
}

/* Take a fetch for an event at a time, and return when the next event at that time would be served. */
static uint64_t spend(struct budget *budget, uint64_t now_ns)
{
	uint64_t due_ns;

	budget_note_event(budget, now_ns);
	due_ns = budget_due_ns(budget, now_ns);
	budget_take(budget, false, due_ns);
	return due_ns;
}

static void two_fetches_are_had_at_once_and_one_in_each_interval(void **state)
{
	const uint64_t pause = 300 * NS_PER_MS;
	uint64_t first = BEGIN + pause, late;
	struct budget budget;

	(void)state;
	budget_init(&budget, INTERVAL);
	budget_take(&budget, true, BEGIN); /* on connect */
	assert_int_equal(spend(&budget, BEGIN), first);
	assert_int_equal(spend(&budget, first), first + pause);
	/* the first was taken at @first, and is regained an interval later; so on */
	assert_int_equal(spend(&budget, first + pause), first + INTERVAL);
	assert_int_equal(spend(&budget, first + INTERVAL), first + 2 * INTERVAL);
	/* after a long rest there are two again, and no more */
	late = BEGIN + 1000 * INTERVAL;
	assert_int_equal(spend(&budget, late), late + pause);
	assert_int_equal(spend(&budget, late + pause), late + 2 * pause);
	assert_int_equal(spend(&budget, late + 2 * pause), late + pause + INTERVAL);
}

/* ---- messages ---- */

static void an_event_says_whether_the_map_has_changed(void **state)
{
	static const uint8_t update[] = "\x0a\x02id\x10\x00\x18\x04\x22\x13Network map updated"
					"\x3a\x08\x0a\x01k\x12\x03map",
			     other[] = "\x22\x14Network map updated!",
			     elsewhere[] = "\x2a\x13Network map updated";
	bool is_update;

	(void)state;
	assert_int_equal(daemon_read_event(update, sizeof(update) - 1, &is_update), 0);
	assert_true(is_update);
	assert_int_equal(daemon_read_event(other, sizeof(other) - 1, &is_update), 0);
	assert_false(is_update);
	assert_int_equal(daemon_read_event(elsewhere, sizeof(elsewhere) - 1, &is_update), 0);
	assert_false(is_update);
	/* cut anywhere it is a fault or an event of something else, and nothing beyond is read */
	for (size_t len = 0; len < sizeof(update) - 1; len++) {
		uint8_t *cut = malloc(len + !len);

		memcpy(cut, update, len);
		daemon_read_event(cut, len, &is_update);
		free(cut);
	}
}

static void numbers_that_are_too_long_and_groups_are_faults(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} rows[] = {
		{"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12}, /* a varint of 11 bytes */
		{"\x08", 1},
		{"\x0b\x0c", 2},				  /* a group */
		{"\x00\x01", 2},				  /* field 0 */
		{"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10}, /* longer than there are bytes */
		{"\x0d\x01\x02\x03", 4},
		{"\x09\x01\x02\x03\x04\x05\x06\x07", 8},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct protobuf_reader reader;
		struct protobuf_field field;

		protobuf_begin(&reader, (const uint8_t *)rows[i].bytes, rows[i].len);
		assert_false(protobuf_next(&reader, &field));
		assert_true(reader.malformed);
	}
}

static void a_configuration_is_read_and_asked_for(void **state)
{
	static const uint8_t answer[] = "\x32\x03wt0\x40\x80\x0a\x78\x01\xa0\x01\x01";
	struct daemon_profile profile = {.name = "work", .user = "anna"};
	struct daemon_config config;
	uint8_t request[64];
	size_t len = daemon_write_config(&profile, request, sizeof(request));

	(void)state;
	assert_int_equal(len, 12);
	assert_memory_equal(request,
			    "\x0a\x04work\x12\x04"
			    "anna",
			    len);
	assert_int_equal(daemon_read_config(answer, sizeof(answer) - 1, &config), 0);
	assert_string_equal(config.ifname, "wt0");
	assert_true(config.block_inbound);
	assert_true(config.block_lan_access);
	assert_int_equal(daemon_read_config(answer, 5, &config), 0);
	assert_false(config.block_inbound);
	assert_int_not_equal(daemon_read_config(answer, 4, &config), 0);
}

/* ---- bundles ---- */

static void only_files_that_can_be_bundles_are_taken(void **state)
{
	static const char *const paths[] = {
		"",
		"/tmp",
		"/tmp/",
		"/tmp/passwd",
		"/etc/netbird.debug.1.zip",
		"/tmp/x/netbird.debug.1.zip",
		"/tmp/../tmp/netbird.debug.1.zip",
		"/tmp//netbird.debug.1.zip",
		"netbird.debug.1.zip",
		"/tmp/netbird.debug.1.zip/",
	};
	char path[] = "/tmp/netbird.debug.XXXXXX.zip", other[sizeof(path) + 4];
	struct error error;
	int file = mkstemps(path, 4), fd;

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		assert_int_not_equal(bundle_take(paths[i], &fd, &error), 0);
	assert_true(file >= 0);
	snprintf(other, sizeof(other), "%s.too", path);
	assert_int_equal(link(path, other), 0);
	assert_int_not_equal(bundle_take(path, &fd, &error), 0);
	assert_int_equal(access(path, F_OK), 0);
	unlink(other);
	assert_int_equal(bundle_take(path, &fd, &error), 0);
	assert_int_not_equal(access(path, F_OK), 0);
	close(fd);
	close(file);
}

static void what_is_no_archive_has_no_member(void **state)
{
	FILE *file = tmpfile();
	struct error error;
	char *data;
	size_t len;

	(void)state;
	assert_int_not_equal(member_read(fileno(file), "x", &data, &len, &error), 0);
	/* the end of an archive that claims 65,535 members of which there are none */
	fwrite("PK\5\6\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\x7f\0\0\0\0\0\0", 22, 1, file);
	fflush(file);
	assert_int_not_equal(member_read(fileno(file), "x", &data, &len, &error), 0);
	fclose(file);
}

/* ---- the policy's text ---- */

#define PART                                                                                       \
	"{\"version\":1,\"peer_acl\":[{\"id\":\"nb/a\\\"[\",\"action\":\"allow\","                 \
	"\"source\":[\"10.0.0.1\",\"fd00::1\"]}],\"sets\":{\"nb-1\":[],\"own\":[]},"               \
	"\"names\":{\"anna\":[\"10.0.0.1\"]},"                                                     \
	"\"route_acl\":[{\"id\":\"nb/r\",\"action\":\"deny\",\"destination\":[\"set:own\"]}]}"

static const char *const owns[] = {
	"version: 1\n",
	"version: 1",
	"# a comment\nversion: 1\nsets: {own: [10.0.0.0/8]}\npeer_acl:\n  - {id: own, action: "
	"deny}\n# end",
	"  version: 1\n  mode: {routing: native}\n",
	"{\"version\": 1}",
	"{\"version\": 1, \"peer_acl\": [{\"id\": \"own\", \"action\": \"allow\"}]\n}\n",
	"---\nversion: 1\nnames: {anna: [10.0.0.9]}\n",
};

static void a_part_is_put_behind_a_policy_and_taken_away(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(owns) / sizeof(*owns); i++) {
		const struct part_text own = {(char *)owns[i], strlen(owns[i])},
				       part = {(char *)PART, strlen(PART)};
		struct part_text whole, own_again, part_again;
		struct policy *policy;
		struct error error;

		if (part_join("own", &own, &part, &whole, &error) ||
		    policy_parse("whole", whole.text, whole.len, &policy, &error) ||
		    part_split("whole", &whole, &own_again, &part_again, &error))
			fail_msg("%s", error.text);
		assert_true(policy->has_netbird);
		assert_string_equal(policy->acl[ACL_PEER].rules[policy->acl[ACL_PEER].n_own].id,
				    "nb/a\"[");
		assert_string_equal(part_again.text, PART);
		if (owns[i][0] != '{') /* byte by byte, but for the end of its last line */
			assert_memory_equal(own_again.text, owns[i], strlen(owns[i]));
		policy_free(policy);
		assert_int_equal(
			policy_parse("own", own_again.text, own_again.len, &policy, &error), 0);
		assert_false(policy->has_netbird);
		policy_free(policy);
		free(own_again.text);
		free(part_again.text);
		free(whole.text);
	}
}

/* What is wrong with a policy with NetBird's part is told of the user's file, or of NetBird's rule. */
static void what_is_wrong_with_a_part_names_no_line(void **state)
{
	static const struct {
		const char *own;
		const char *part;
		const char *why;
	} rows[] = {
		{"version: 1\npeer_acl:\n  - {id: own, action: deny, source: 10.0.0.256}\n", "{}",
		 "own:3:37: '10.0.0.256' is not an address or prefix"},
		{"version: 1\npeer_acl:\n  - {id: nb/own, action: deny}\n", "{}",
		 "own:3:10: ids that begin with nb/ are those of NetBird's rules, which is "
		 "followed"},
		{"version: 1\npeer_acl:\n  - {id: own, action: deny}\n",
		 "{\"peer_acl\":[{\"id\":\"own\",\"action\":\"allow\"}]}",
		 "own:3:10: duplicate id 'own', which a rule of NetBird's has"},
		{"version: 1\n",
		 "{\"peer_acl\":[{\"id\":\"nb/a\",\"action\":\"allow\",\"source\":[\"anna\"]}]}",
		 "NetBird's rule 'nb/a': 'anna' is not an address or prefix"},
		{"version: 1\n",
		 "{\"peer_acl\":[{\"id\":\"nb/a\",\"action\":\"deny\"},"
		 "{\"id\":\"nb/a\",\"action\":\"deny\"}]}",
		 "NetBird's rule 'nb/a': duplicate id"},
		{"version: 1\n", "{\"mode\":{}}", "NetBird's part: unknown key 'mode'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct part_text own = {(char *)rows[i].own, strlen(rows[i].own)},
				       part = {(char *)rows[i].part, strlen(rows[i].part)};
		struct part_text whole;
		struct policy *policy;
		struct error error;

		assert_int_equal(part_join("own", &own, &part, &whole, &error), 0);
		assert_int_equal(policy_parse("own", whole.text, whole.len, &policy, &error),
				 -EINVAL);
		assert_string_equal(error.text, rows[i].why);
		free(whole.text);
	}
}

static void a_part_cannot_say_more_than_it_may(void **state)
{
	static const char *const parts[] = {
		"",
		"{",
		"}",
		"[]",
		"{}\r\nmode: {}",
		"{}\nmode: {}",
		"{\"mode\":{\"stateful\":false}}",
		"{\"follow\":{}}",
		"{\"limits\":{\"tcp\":1}}",
		"{\"nat\":{\"one_to_one\":[]}}",
		"{\"netbird\":{}}",
		"{} , \"mode\": {}",
		"{}}\n{",
		"{\"peer_acl\":[{\"id\":\"own\",\"action\":\"allow\"}]}",
		"{\"names\":{\"a\":[\"\xc2\x85\"]}}",
	};
	const char *text = "version: 1\npeer_acl: [{id: own, action: deny}]\n";

	(void)state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		const struct part_text own = {(char *)text, strlen(text)},
				       part = {(char *)parts[i], strlen(parts[i])};
		struct part_text whole = {};
		struct policy *policy;
		struct error error;

		if (!part_join("own", &own, &part, &whole, &error) &&
		    !policy_parse("whole", whole.text, whole.len, &policy, &error))
			fail_msg("part %zu is taken", i);
		free(whole.text);
	}
}

static void a_policy_comes_out_of_a_pipe_in_pieces(void **state)
{
	struct incoming incoming;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	incoming_init(&incoming);
	incoming_open(&incoming, ends[0]);
	assert_int_equal(incoming_read(&incoming), INCOMING_NOTHING);
	assert_int_not_equal(incoming_begin(&incoming, 1, 0), 0);
	assert_int_not_equal(incoming_begin(&incoming, 1, (uint64_t)1 << 40), 0);
	assert_int_equal(incoming_begin(&incoming, 7, 5), 0);
	assert_int_not_equal(incoming_begin(&incoming, 8, 5), 0);
	assert_int_equal(write(ends[1], "abc", 3), 3);
	assert_int_equal(incoming_read(&incoming), INCOMING_PART);
	assert_int_equal(incoming_read(&incoming), INCOMING_NOTHING);
	assert_int_equal(write(ends[1], "defgh", 5), 5);
	assert_int_equal(incoming_read(&incoming), INCOMING_WHOLE);
	assert_string_equal(incoming.text, "abcde");
	assert_int_equal(incoming.serial, 7);
	incoming_reset(&incoming);
	assert_int_equal(incoming_begin(&incoming, 8, 9), 0);
	close(ends[1]);
	assert_int_equal(incoming_read(&incoming), INCOMING_PART);
	assert_int_equal(incoming_read(&incoming), INCOMING_ENDED);
	incoming_close(&incoming);
}

static void the_status_is_a_sentence(void **state)
{
	struct follow_status status = {.serial = 812, .map_ns = BEGIN};
	char text[FOLLOW_SENTENCE_MAX];

	(void)state;
	assert_string_equal(follow_status_sentence(&status, BEGIN + 14 * NS_PER_S, text),
			    "NetBird map serial 812, 14 s old");
	status.due_ns = BEGIN + 200 * NS_PER_S;
	assert_string_equal(follow_status_sentence(&status, BEGIN + 150 * NS_PER_S, text),
			    "NetBird map serial 812, 2 min old; a newer one is fetched in 50 s");
	status = (struct follow_status){.stale_ns = BEGIN, .why = "it is gone"};
	assert_string_equal(follow_status_sentence(&status, BEGIN + 100 * 3600 * NS_PER_S, text),
			    "no NetBird map yet, stale for 4 days: it is gone");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_is_served_once_the_burst_is_over),
		cmocka_unit_test(two_fetches_are_had_at_once_and_one_in_each_interval),
		cmocka_unit_test(an_event_says_whether_the_map_has_changed),
		cmocka_unit_test(numbers_that_are_too_long_and_groups_are_faults),
		cmocka_unit_test(a_configuration_is_read_and_asked_for),
		cmocka_unit_test(only_files_that_can_be_bundles_are_taken),
		cmocka_unit_test(what_is_no_archive_has_no_member),
		cmocka_unit_test(a_part_is_put_behind_a_policy_and_taken_away),
		cmocka_unit_test(what_is_wrong_with_a_part_names_no_line),
		cmocka_unit_test(a_part_cannot_say_more_than_it_may),
		cmocka_unit_test(a_policy_comes_out_of_a_pipe_in_pieces),
		cmocka_unit_test(the_status_is_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
