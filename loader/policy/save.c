/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "policy/save.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "policy/sets.h"
#include "yaml/yaml_file.h"

#define MODE_BITS 07777

/* Put a text in the place of a file, whose owner and permissions stay. */
static int replace(const char *path, const struct sets_text *text, struct error *error)
{
	char *target = realpath(path, NULL); /* a link stays one */
	struct stat status;
	int err;

	if (!target || stat(target, &status))
		err = error_set(error, errno, "%.256s: %s", path, strerror(errno));
	else
		err = file_replace(target, status.st_mode & MODE_BITS, text->text, text->len,
				   error);
	if (!err && (status.st_uid != geteuid() || status.st_gid != getegid()) &&
	    chown(target, status.st_uid, status.st_gid))
		err = error_set(error, errno, "%.256s: cannot give it back to its owner: %s", path,
				strerror(errno));
	free(target);
	return err;
}

static int change(const char *path, const struct sets_change *change, bool *is_saved,
		  struct error *error)
{
	struct sets_text from = {.path = path}, to = {.text = NULL};
	struct sets_result result;
	bool has_changed;
	int err = yaml_read_file(path, &from.text, &from.len, error);

	if (err)
		return err;
	err = sets_change(&from, change, &to, &result, error);
	has_changed = !err && (result.added || result.removed || result.renewed);
	if (has_changed)
		err = replace(path, &to, error);
	*is_saved = !err && has_changed;
	free(to.text);
	free(from.text);
	return err;
}

/**
 * save_set() - Write the content of a set to the file that it comes from
 * @in_force: a policy that was read from a file
 * @set: one of its sets
 * @is_saved: set to whether the file had to be changed
 * @error: set on failure
 *
 * The file is replaced at once; all else in it stays, and so do elements that have a timeout there, as
 * what is in the set for a time is not written to it.
 *
 * Return: 0; -EINVAL: the file has no such set; or another -errno.
 */
int save_set(const struct policy *in_force, const struct prefix_set *set, bool *is_saved,
	     struct error *error)
{
	struct sets_change to = {
		.name = set->name,
		.operation = SETS_REPLACE,
		.n_elements = set->n_prefixes,
		.leaves_timed = true,
	};
	struct position at = set->position;
	const char *path = policy_place(in_force, &at);
	int err;

	*is_saved = false;
	if (!in_force->path || !strcmp(path, YAML_STDIN))
		return error_set(error, ENOENT, "the policy in force comes from no file");
	to.elements = calloc(set->n_prefixes + 1, sizeof(*to.elements));
	if (!to.elements)
		return error_no_memory(error);
	for (size_t i = 0; i < set->n_prefixes; i++)
		to.elements[i] = (struct set_element){
			.prefix = set->prefixes[i],
			.timeout_ns = set->times ? set->times[i].timeout_ns : 0,
		};
	err = change(path, &to, is_saved, error);
	free(to.elements);
	return err;
}
