/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "yaml/yaml_file.h"

#include <string.h>

#include "base/file.h"
#include "yaml/yaml.h"
#include "yaml/yaml_scan.h"

static int refuse_name(const char *path, struct error *error)
{
	return error_input(error, "%.256s: a file name with control characters", path);
}

/**
 * yaml_check_path() - Refuse a name that a report or another file could not hold as it is
 * @path: of a file
 * @error: "FILE: why"
 *
 * Return: 0, or -EINVAL (invalid input): it is no UTF-8, or controls a terminal.
 */
int yaml_check_path(const char *path, struct error *error)
{
	if (!yaml_scan_scalar(path, strlen(path)))
		return 0;
	return refuse_name(path, error);
}

/**
 * yaml_read_file() - Read the whole text of a file
 * @path: the file, "-" for standard input
 * @text: becomes the text, to be freed
 * @len: becomes its length in bytes
 * @error: "FILE: why"
 *
 * Return: 0, -EINVAL for a file larger than 64 MiB and for a name with control characters, -ENOMEM, or
 * what opening and reading failed with.
 */
int yaml_read_file(const char *path, char **text, size_t *len, struct error *error)
{
	static const struct file_kind kind = {"file", YAML_TEXT_MAX};

	if (yaml_scan_name(path))
		return refuse_name(path, error);
	return file_read(path, &kind, text, len, error);
}
