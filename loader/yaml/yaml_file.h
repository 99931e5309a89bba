/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The text of a file that is to be read as YAML.
 */
#ifndef SHRIKE_YAML_YAML_FILE_H
#define SHRIKE_YAML_YAML_FILE_H

#include <stddef.h>

#include "base/error.h"

#define YAML_STDIN "-"

int yaml_check_path(const char *path, struct error *error);
int yaml_read_file(const char *path, char **text, size_t *len, struct error *error);

#endif /* SHRIKE_YAML_YAML_FILE_H */
