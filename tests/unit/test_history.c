/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The history of NetBird's maps, whatever is in its file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "change_record.h"
#include "dataplane/history_maps.h"

static char state[] = "/tmp/shrike-history.XXXXXX";

static int begin(void **unused)
{
	(void)unused;
	strcpy(state + strlen(state) - 6, "XXXXXX");
	return !mkdtemp(state) || setenv("SHRIKE_STATE", state, 1);
}

static int end(void **unused)
{
	char command[64];

	(void)unused;
	snprintf(command, sizeof(command), "rm -r %s", state);
	return system(command);
}

static void note(uint64_t serial, uint64_t digest)
{
	const struct history_map map = {.time_ns = serial * 1000,
					.serial = serial,
					.digest = digest,
					.generation = 3,
					.rules_added = 1,
					.rules_removed = 0,
					.cut = CHANGE_NO_COUNT};
	struct error error;

	assert_int_equal(history_note_map("wt0", &map, &error), 0);
}

/* The maps that are kept; the caller frees them. */
static struct history_map *list(size_t n)
{
	struct history_map *maps;
	struct error error;
	size_t found;

	assert_int_equal(history_list_maps("wt0", &maps, &found, &error), 0);
	assert_int_equal(found, n);
	return maps;
}

static void the_last_hundred_maps_are_kept(void **unused)
{
	struct history_map *maps;

	(void)unused;
	free(list(0));
	for (uint64_t serial = 1; serial <= 130; serial++)
		note(serial, 1);
	maps = list(100);
	assert_int_equal(maps[0].serial, 31);
	assert_int_equal(maps[99].serial, 130);
	assert_int_equal(maps[99].time_ns, 130000);
	assert_int_equal(maps[99].rules_added, 1);
	assert_int_equal(maps[99].cut, CHANGE_NO_COUNT);
	free(maps);
}

static void a_map_that_comes_again_is_noted_once(void **unused)
{
	(void)unused;
	note(7, 5);
	note(7, 5);
	note(7, UINT64_MAX); /* another map, which a daemon begun anew calls the same */
	note(8, UINT64_MAX);
	free(list(3));
}

static void a_file_that_is_spoilt_is_begun_anew(void **unused)
{
	struct history_map *maps;
	char pattern[64];
	glob_t found;
	FILE *file;

	(void)unused;
	note(1, 1);
	snprintf(pattern, sizeof(pattern), "%s/wt0/maps", state);
	if (glob(pattern, 0, NULL, &found)) {
		snprintf(pattern, sizeof(pattern), "%s/*/wt0/maps", state);
		assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	}
	file = fopen(found.gl_pathv[0], "w");
	fputs("[{\"serial\":1},7,", file);
	fclose(file);
	globfree(&found);
	free(list(0));
	note(2, 1);
	maps = list(1);
	assert_int_equal(maps[0].serial, 2);
	free(maps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_last_hundred_maps_are_kept, begin, end),
		cmocka_unit_test_setup_teardown(a_map_that_comes_again_is_noted_once, begin, end),
		cmocka_unit_test_setup_teardown(a_file_that_is_spoilt_is_begun_anew, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
