/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "simulate/scenario_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "yaml/yaml.h"
#include "yaml/yaml_file.h"

static int append(struct scenario_files *files, const char *path, struct error *error)
{
	char **larger;
	int err = yaml_check_path(path, error);

	if (err)
		return err;
	larger = realloc(files->paths, (files->n + 1) * sizeof(*larger));
	if (!larger)
		return error_no_memory(error);
	files->paths = larger;
	larger[files->n] = strdup(path);
	if (!larger[files->n])
		return error_no_memory(error);
	files->n++;
	return 0;
}

/*
 * Whether a file has packets, and is no policy that lies beside it; one that is broken is looked at, but no
 * pipe, which might never end.
 */
static bool may_be_scenario(const char *path)
{
	struct stat status;
	struct yaml_doc *doc;
	struct error ignored;
	bool may = true;
	char *text;
	size_t len;

	if (!stat(path, &status) && !S_ISREG(status.st_mode))
		return false;
	if (yaml_read_file(path, &text, &len, &ignored))
		return true;
	if (!yaml_parse(path, text, len, &doc, &ignored)) {
		may = yaml_get(yaml_root(doc), "packets");
		yaml_free(doc);
	}
	free(text);
	return may;
}

static int is_yaml(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && dot != entry->d_name &&
	       (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml") || !strcmp(dot, ".json"));
}

static int add_folder(struct scenario_files *files, const char *folder, struct error *error)
{
	struct dirent **entries;
	char path[4096];
	int n = scandir(folder, &entries, is_yaml, alphasort), err = 0;
	size_t before = files->n;

	if (n < 0)
		return error_set(error, errno, "%.256s: %s", folder, strerror(errno));
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		free(entries[i]);
		if (!err && may_be_scenario(path))
			err = append(files, path, error);
	}
	free(entries);
	if (!err && files->n == before)
		return error_input(error, "%.256s: there is no scenario in it", folder);
	return err;
}

/**
 * scenario_files_add() - Add what a path stands for
 * @files: begins as {}; for scenario_files_free()
 * @path: a file, "-", or a folder: the scenarios in it, sorted by name
 * @error: set on failure
 *
 * Return: 0; -EINVAL (invalid input): there is none in the folder; or another -errno.
 */
int scenario_files_add(struct scenario_files *files, const char *path, struct error *error)
{
	struct stat status;

	if (strcmp(path, YAML_STDIN) && !stat(path, &status) && S_ISDIR(status.st_mode))
		return add_folder(files, path, error);
	return append(files, path, error);
}

/**
 * scenario_files_free() - Free the paths
 */
void scenario_files_free(struct scenario_files *files)
{
	for (size_t i = 0; i < files->n; i++)
		free(files->paths[i]);
	free(files->paths);
}
