/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "yaml/yaml_file.h"

#include "base/file.h"
#include "yaml/yaml.h"

/**
 * yaml_read_file() - Read the whole text of a file
 * @path: the file, "-" for standard input
 * @text: becomes the text, to be freed
 * @len: becomes its length in bytes
 * @error: "FILE: why"
 *
 * Return: 0, -EINVAL for a file larger than 64 MiB, -ENOMEM, or what opening and reading failed with.
 */
int yaml_read_file(const char *path, char **text, size_t *len, struct error *error)
{
	static const struct file_kind kind = {"file", YAML_TEXT_MAX};

	return file_read(path, &kind, text, len, error);
}
