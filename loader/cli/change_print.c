/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/change_print.h"

#include <stdio.h>
#include <unistd.h>

#include "base/output.h"
#include "dataplane/change.h"
#include "review/change_count.h"

/* Print what came into force, and what that has changed. */
static int print(const struct dataplane *dataplane, const struct change *change, bool json,
		 struct error *error)
{
	const struct instance *instance = &dataplane->generation->instance;
	char text[CHANGE_TEXT_MAX];
	bool counted = change->state == CHANGE_COUNTED;
	bool has_cut = counted && change->cut != CHANGE_NO_COUNT;

	if (json)
		return output_json(
			json_pack("{s:o,s:i,s:i,s:o,s:o,s:o,s:o}", "interface",
				  output_json_text(dataplane->link.name), "generation",
				  instance->config.generation, "rules", instance->rules, "added",
				  counted ? json_integer(change->rules_added) : json_null(),
				  "removed",
				  counted ? json_integer(change->rules_removed) : json_null(),
				  "cut", has_cut ? json_integer(change->cut) : json_null(),
				  "policy", output_json_text(instance->policy_path)),
			stdout, error);
	change_text(change, text);
	printf("%s: generation %u in force %s\n", dataplane->link.name, instance->config.generation,
	       text);
	return output_flush(stdout, error);
}

/**
 * change_apply() - Put a policy into force, and say what that has changed
 * @request: what and where; it gets who asks
 * @json: as JSON
 * @dataplane: set to what is in force, for dataplane_free()
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int change_apply(struct dataplane_request *request, bool json, struct dataplane **dataplane,
		 struct error *error)
{
	struct dataplane *applied;
	struct change change;
	int err;

	request->uid = getuid();
	request->counts = true;
	err = change_count_apply(request, true, &applied, &change, error);
	if (err)
		return err;
	err = print(applied, &change, json, error);
	if (err)
		dataplane_free(applied);
	else
		*dataplane = applied;
	return err;
}
