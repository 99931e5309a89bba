/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "review/drift.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "policy/parse.h"
#include "policy/part.h"
#include "review/diff.h"

/* Compare what two texts mean, of which the second may be no policy. */
static int compare(const char *path, const struct part_text *own, const struct part_text *file,
		   enum drift *drift, struct error *error)
{
	struct policy *in_force, *now;
	json_t *diff = NULL;
	struct error ignored;
	int err = policy_parse(path, own->text, own->len, &in_force, error);

	*drift = DRIFT_DIFFERS;
	if (err)
		return err;
	err = policy_parse(path, file->text, file->len, &now, &ignored);
	if (err) {
		policy_free(in_force);
		return err == -ENOMEM ? error_no_memory(error) : 0;
	}
	err = policy_diff(&(struct policy_side){in_force, NULL}, &(struct policy_side){now, NULL},
			  &diff, error);
	if (!err && policy_diff_is_empty(diff))
		*drift = DRIFT_SAME;
	json_decref(diff);
	policy_free(now);
	policy_free(in_force);
	return err;
}

/**
 * drift_find() - Compare the policy in force with its file
 * @attached: the generation in force
 * @drift: set to how they compare; NetBird's part is not looked at
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int drift_find(const struct attached *attached, enum drift *drift, struct error *error)
{
	struct part_text whole = {}, own = {}, part = {}, file = {};
	const char *path = attached->instance.policy_path;
	struct error ignored;
	int err;

	*drift = DRIFT_NO_FILE;
	if (!path[0] || !strcmp(path, "-"))
		return 0;
	if (policy_read_text(path, &file.text, &file.len, &ignored)) {
		/* what it includes may be gone, or wrong */
		*drift = ignored.in_file ? DRIFT_DIFFERS : DRIFT_UNREADABLE;
		return 0;
	}
	err = attached_policy_text(attached, &whole.text, &whole.len, error);
	if (!err)
		err = part_split(path, &whole, &own, &part, error);
	if (!err && own.len == file.len && !memcmp(own.text, file.text, own.len))
		*drift = DRIFT_SAME;
	else if (!err)
		err = compare(path, &own, &file, drift, error);
	free(file.text);
	free(whole.text);
	free(own.text);
	free(part.text);
	return err;
}

/**
 * drift_name() - How the policy in force compares with its file, as -j has it
 */
const char *drift_name(enum drift drift)
{
	static const char *const names[] = {
		[DRIFT_NO_FILE] = "none",
		[DRIFT_SAME] = "same",
		[DRIFT_DIFFERS] = "differs",
		[DRIFT_UNREADABLE] = "unreadable",
	};

	return names[drift];
}
