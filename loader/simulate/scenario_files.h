/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The scenarios that a path stands for: a file, or those in a folder.
 */
#ifndef SHRIKE_SIMULATE_SCENARIO_FILES_H
#define SHRIKE_SIMULATE_SCENARIO_FILES_H

#include <stddef.h>

#include "base/error.h"

struct scenario_files {
	char **paths;
	size_t n;
};

int scenario_files_add(struct scenario_files *files, const char *path, struct error *error);
void scenario_files_free(struct scenario_files *files);

#endif /* SHRIKE_SIMULATE_SCENARIO_FILES_H */
