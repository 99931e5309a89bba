/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The key `include` of a policy file.
 *
 * What is in force has to be one text that can be read back whatever becomes of the files.  So the
 * lines of each included file, a few blanks deeper, are put behind the policy under the key `included`,
 * and those of `include` become comments.  A mark at that key says that the lines are still those of
 * the files, so that messages name the places there (struct place).
 */
#ifndef SHRIKE_POLICY_INCLUDE_H
#define SHRIKE_POLICY_INCLUDE_H

#include <stddef.h>

#include "base/error.h"
#include "policy/policy.h"
#include "yaml/yaml.h"

#define INCLUDE_KEY  "include"
#define INCLUDED_KEY "included"
#define INCLUDE_MARK "# as the files were read; shrike puts them here"

int include_expand(const char *path, char **text, size_t *len, struct error *error);
int include_places(const struct yaml_node *root, struct policy *policy);

#endif /* SHRIKE_POLICY_INCLUDE_H */
