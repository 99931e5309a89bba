/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/history.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/output.h"
#include "base/value.h"
#include "change_record.h"
#include "kernel/pin_path.h"
#include "maps.h"
#include "policy/part.h"

#define STATE_DIR   "/var/lib/shrike"
#define SUBDIR	    "/history"
#define COUNTED	    "/counted" /* beside it: since when hits are counted */
#define MAPS_FILE   "/maps"    /* likewise: NetBird's */
#define MAPS_MAX    100
#define MAPS_SIZE   ((size_t)64 << 10)
#define ENTRIES_MAX 100
#define BYTES_MAX   ((off_t)64 << 20) /* of all entries */
#define ENTRY_MAX   ((size_t)65 << 20)
#define DIR_MODE    0700
#define FILE_MODE   0600

/* A file or directory of an interface, which need not exist. */
static int state_path(const char *ifname, const char *name, char path[PATH_MAX],
		      struct error *error)
{
	const char *state = secure_getenv("SHRIKE_STATE");
	char root[PATH_MAX], pins[PATH_MAX];
	int err = path_pin_root(root, error);

	if (!err)
		err = path_pin_dir(ifname, pins, error);
	if (err)
		return err;
	/* below the pins of shrike there is a directory for each namespace and interface: the same here */
	if (snprintf(path, PATH_MAX, "%s%s%s", state && *state ? state : STATE_DIR,
		     pins + strlen(root), name) >= PATH_MAX)
		return error_set(error, ENAMETOOLONG, "the path of the history is too long");
	return 0;
}

static int make_dirs(char *dir, struct error *error)
{
	for (char *slash = strchr(dir + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = '\0';
		if (mkdir(dir, DIR_MODE) && errno != EEXIST)
			return error_set(error, errno, "%.200s: %s", dir, strerror(errno));
		if (!slash)
			return 0;
		*slash = '/';
	}
}

static int is_number(const struct dirent *entry)
{
	return strspn(entry->d_name, "0123456789") == strlen(entry->d_name);
}

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int list_dir(const char *dir, uint32_t **numbers, size_t *n, struct error *error)
{
	struct dirent **entries;
	int found = scandir(dir, &entries, is_number, NULL);

	if (found < 0 && errno != ENOENT)
		return error_set(error, errno, "%.200s: %s", dir, strerror(errno));
	*n = found > 0 ? (size_t)found : 0;
	*numbers = calloc(*n + 1, sizeof(**numbers));
	for (size_t i = 0; i < *n; i++) {
		if (*numbers)
			(*numbers)[i] = (uint32_t)strtoul(entries[i]->d_name, NULL, 10);
		free(entries[i]);
	}
	if (found >= 0)
		free(entries);
	if (!*numbers)
		return error_no_memory(error);
	qsort(*numbers, *n, sizeof(**numbers), by_number);
	return 0;
}

/**
 * history_list() - The policies that are kept of an interface
 * @ifname: the interface
 * @numbers: set to their numbers, the oldest first; the caller frees it
 * @n: set to how many
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int history_list(const char *ifname, uint32_t **numbers, size_t *n, struct error *error)
{
	char dir[PATH_MAX];
	int err = state_path(ifname, SUBDIR, dir, error);

	return err ? err : list_dir(dir, numbers, n, error);
}

static int entry_path(const char *dir, uint32_t number, char path[PATH_MAX], struct error *error)
{
	if (snprintf(path, PATH_MAX, "%s/%08u", dir, number) < PATH_MAX)
		return 0;
	return error_set(error, ENAMETOOLONG, "the path of the history is too long");
}

/* Take the line of JSON apart. */
static int read_head(const char *line, size_t len, struct history_entry *entry)
{
	json_int_t time, uid, sudo_uid, generation;
	json_t *head = json_loadb(line, len, 0, NULL);
	const char *cause, *path = NULL;
	int err;

	err = json_unpack(head, "{s:I,s:I,s:I,s:I,s:s,s?s}", "time_ns", &time, "uid", &uid,
			  "sudo_uid", &sudo_uid, "generation", &generation, "cause", &cause, "path",
			  &path)
		      ? -EINVAL
		      : 0;
	if (!err) {
		entry->time_ns = (uint64_t)time;
		entry->uid = (uint32_t)uid;
		entry->sudo_uid = (uint32_t)sudo_uid;
		entry->generation = (uint32_t)generation;
		entry->cause = strdup(cause);
		entry->path = path ? strdup(path) : NULL;
	}
	json_decref(head);
	return err;
}

static int read_entry(const char *dir, uint32_t number, struct history_entry *entry,
		      struct error *error)
{
	static const struct file_kind kind = {"policy", ENTRY_MAX};
	char path[PATH_MAX], *all, *end;
	size_t len;
	int err = entry_path(dir, number, path, error);

	if (!err)
		err = file_read(path, &kind, &all, &len, error);
	if (err)
		return err;
	*entry = (struct history_entry){.number = number};
	end = memchr(all, '\n', len);
	if (!end || read_head(all, (size_t)(end - all), entry)) {
		free(all);
		return error_set(error, EPROTO, "%.256s: no policy of the history", path);
	}
	entry->len = len - (size_t)(end + 1 - all);
	memmove(all, end + 1, entry->len + 1);
	entry->text = all;
	if (entry->cause)
		return 0;
	history_entry_free(entry);
	return error_no_memory(error);
}

/**
 * history_read() - A policy that was in force
 * @ifname: the interface
 * @number: of the policy
 * @entry: is filled, for history_entry_free()
 * @error: set on failure
 *
 * Return: 0; -EINVAL (invalid input): it is not kept; or another -errno.
 */
int history_read(const char *ifname, uint32_t number, struct history_entry *entry,
		 struct error *error)
{
	char dir[PATH_MAX];
	int err = state_path(ifname, SUBDIR, dir, error);

	if (!err)
		err = read_entry(dir, number, entry, error);
	if (err == -ENOENT)
		return error_input(error, "%s: no policy %u in the history", ifname, number);
	return err;
}

/**
 * history_entry_free() - Free what a policy of the history holds
 */
void history_entry_free(struct history_entry *entry)
{
	free(entry->cause);
	free(entry->path);
	free(entry->text);
	*entry = (struct history_entry){.number = 0};
}

/* Remove the oldest entries beyond the limits; the newest stays. */
static void prune(const char *dir)
{
	char path[PATH_MAX];
	struct error ignored;
	struct stat status;
	uint32_t *numbers;
	off_t bytes = 0;
	size_t n;

	if (list_dir(dir, &numbers, &n, &ignored))
		return;
	for (size_t i = n; i-- > 0;) {
		if (entry_path(dir, numbers[i], path, &ignored) || stat(path, &status))
			continue;
		bytes += status.st_size;
		if (i + 1 < n && (n - i > ENTRIES_MAX || bytes > BYTES_MAX))
			unlink(path);
	}
	free(numbers);
}

/* Who has become uid 0 by sudo; `run` keeps the environment of whoever has started it. */
static uint32_t sudo_uid(const struct dataplane_request *request)
{
	const char *text = request->caller == DATAPLANE_RUN ? NULL : getenv("SUDO_UID");
	struct error ignored;
	uint64_t uid;

	if (!text || number_parse(text, 0, UINT32_MAX - 1, &uid, &ignored))
		return CHANGE_NO_UID;
	return (uint32_t)uid;
}

/* Write an entry. */
static int write_entry(const char *dir, const struct history_entry *entry, struct error *error)
{
	json_t *head = json_pack("{s:I,s:I,s:I,s:I,s:s,s:o*}", "time_ns",
				 (json_int_t)entry->time_ns, "uid", (json_int_t)entry->uid,
				 "sudo_uid", (json_int_t)entry->sudo_uid, "generation",
				 (json_int_t)entry->generation, "cause", entry->cause, "path",
				 entry->path ? output_json_text(entry->path) : NULL);
	char path[PATH_MAX], *line = head ? json_dumps(head, JSON_COMPACT) : NULL, *all = NULL;
	int err = line && asprintf(&all, "%s\n%s", line, entry->text) > 0 ? 0
									  : error_no_memory(error);

	if (!err)
		err = entry_path(dir, entry->number, path, error);
	if (!err)
		err = file_replace(path, FILE_MODE, all, strlen(all), error);
	free(all);
	free(line);
	json_decref(head);
	return err;
}

/* Whether the newest entry says the same; @entry gets the number behind it. */
static bool is_known(const char *dir, struct history_entry *entry)
{
	struct history_entry newest;
	struct error ignored;
	uint32_t *numbers;
	bool is_same = false;
	size_t n;

	entry->number = 1;
	if (list_dir(dir, &numbers, &n, &ignored))
		return false;
	if (n)
		entry->number = numbers[n - 1] + 1;
	if (n && !read_entry(dir, numbers[n - 1], &newest, &ignored)) {
		is_same = !strcmp(newest.text, entry->text) &&
			  !strcmp(newest.path ?: "", entry->path ?: "");
		history_entry_free(&newest);
	}
	free(numbers);
	return is_same;
}

/* @always: even if the policy is the same as the one before */
static int note(const char *ifname, struct history_entry *entry, bool always, struct error *error)
{
	char dir[PATH_MAX];
	int err = state_path(ifname, SUBDIR, dir, error);

	if (err || (is_known(dir, entry) && !always))
		return err;
	err = make_dirs(dir, error);
	if (!err)
		err = write_entry(dir, entry, error);
	if (!err)
		prune(dir);
	return err;
}

/* ---- NetBird's maps ---- */

/* Read the file of maps; an empty array where there is none, or none that can be read. */
static json_t *read_maps(const char *path)
{
	static const struct file_kind kind = {"history", MAPS_SIZE};
	struct error ignored;
	json_t *list = NULL;
	char *text;
	size_t len;

	if (!file_read(path, &kind, &text, &len, &ignored)) {
		list = json_loadb(text, len, 0, NULL);
		free(text);
	}
	if (json_is_array(list))
		return list;
	json_decref(list);
	return json_array();
}

/* Take a map of the file apart. */
static int parse_map(json_t *object, struct history_map *map)
{
	json_int_t time, serial, digest, generation, added, removed, cut;

	if (json_unpack(object, "{s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "time_ns", &time, "serial",
			&serial, "digest", &digest, "generation", &generation, "added", &added,
			"removed", &removed, "cut", &cut))
		return -EINVAL;
	*map = (struct history_map){
		.time_ns = (uint64_t)time,
		.serial = (uint64_t)serial,
		.digest = (uint64_t)digest,
		.generation = (uint32_t)generation,
		.rules_added = (uint32_t)added,
		.rules_removed = (uint32_t)removed,
		.cut = (uint32_t)cut,
	};
	return 0;
}

/* Whether the newest one is the same, which came into force once more, as after a restart. */
static bool is_same_map(const json_t *list, const struct history_map *map)
{
	struct history_map newest;
	size_t n = json_array_size(list);

	return n && !parse_map(json_array_get(list, n - 1), &newest) &&
	       newest.serial == map->serial && newest.digest == map->digest;
}

static json_t *noted_map_json(const struct history_map *map)
{
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "time_ns", (json_int_t)map->time_ns,
			 "serial", (json_int_t)map->serial, "digest", (json_int_t)map->digest,
			 "generation", (json_int_t)map->generation, "added",
			 (json_int_t)map->rules_added, "removed", (json_int_t)map->rules_removed,
			 "cut", (json_int_t)map->cut);
}

/**
 * history_note_map() - Note a map of NetBird's that has come into force
 * @ifname: the interface
 * @map: the map
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int history_note_map(const char *ifname, const struct history_map *map, struct error *error)
{
	char path[PATH_MAX], dir[PATH_MAX], *text = NULL;
	int err = state_path(ifname, "", dir, error);
	json_t *list;

	if (!err)
		err = make_dirs(dir, error);
	if (!err)
		err = state_path(ifname, MAPS_FILE, path, error);
	if (err)
		return err;
	list = read_maps(path);
	if (!is_same_map(list, map)) {
		json_array_append_new(list, noted_map_json(map));
		while (json_array_size(list) > MAPS_MAX)
			json_array_remove(list, 0);
		text = json_dumps(list, JSON_COMPACT);
		err = text ? file_replace(path, FILE_MODE, text, strlen(text), error)
			   : error_no_memory(error);
		free(text);
	}
	json_decref(list);
	return err;
}

/**
 * history_list_maps() - The last maps of NetBird's that came into force
 * @ifname: the interface
 * @maps: set to them, the oldest first; the caller frees it
 * @n: set to how many
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int history_list_maps(const char *ifname, struct history_map **maps, size_t *n, struct error *error)
{
	char path[PATH_MAX];
	int err = state_path(ifname, MAPS_FILE, path, error);
	json_t *list, *object;
	size_t i;

	if (err)
		return err;
	list = read_maps(path);
	*n = 0;
	*maps = calloc(json_array_size(list) + 1, sizeof(**maps));
	if (*maps)
		json_array_foreach (list, i, object)
			if (!parse_map(object, &(*maps)[*n]))
				++*n;
	json_decref(list);
	return *maps ? 0 : error_no_memory(error);
}

/* ---- since when hits are counted ---- */

/* What tells apart the tables of two attachments: maps have numbers, which begin anew at boot. */
static json_t *tables_json(const struct map_set *maps)
{
	static const struct file_kind kind = {"id", 64};
	const struct map_entry *map = map_set_find(maps, MAP_NUMBERS);
	struct error ignored;
	char *boot = NULL;
	json_t *json;
	size_t len;

	if (!map || file_read("/proc/sys/kernel/random/boot_id", &kind, &boot, &len, &ignored))
		return NULL;
	json = json_pack("{s:I,s:s%}", "numbers", (json_int_t)map->id, "boot", boot,
			 strcspn(boot, "\n"));
	free(boot);
	return json;
}

/**
 * history_counted_since() - Since when the hits of rules are counted
 * @ifname: the interface
 * @maps: of the generation in force
 * @time_ns: set to it, CLOCK_REALTIME
 *
 * Hits are kept as long as the interface stays attached.
 *
 * Return: whether it is known.
 */
bool history_counted_since(const char *ifname, const struct map_set *maps, uint64_t *time_ns)
{
	static const struct file_kind kind = {"note", 4096};
	json_t *tables = tables_json(maps), *noted = NULL;
	char path[PATH_MAX], *text = NULL;
	struct error ignored;
	bool known;
	size_t len;

	if (!state_path(ifname, COUNTED, path, &ignored) &&
	    !file_read(path, &kind, &text, &len, &ignored))
		noted = json_loadb(text, len, 0, NULL);
	known = tables && json_equal(json_object_get(noted, "tables"), tables) &&
		json_is_integer(json_object_get(noted, "since_ns"));
	if (known)
		*time_ns = (uint64_t)json_integer_value(json_object_get(noted, "since_ns"));
	free(text);
	json_decref(noted);
	json_decref(tables);
	return known;
}

/* Note that hits are counted from now on, unless they have been before. */
static int note_counted(const char *ifname, const struct map_set *maps, uint64_t now_ns,
			struct error *error)
{
	char path[PATH_MAX], *text;
	json_t *json, *tables;
	uint64_t since_ns;
	int err;

	if (history_counted_since(ifname, maps, &since_ns))
		return 0;
	tables = tables_json(maps);
	if (!tables)
		return 0;
	json = json_pack("{s:o,s:I}", "tables", tables, "since_ns", (json_int_t)now_ns);
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	err = text ? state_path(ifname, "", path, error) : error_no_memory(error);
	if (!err)
		err = make_dirs(path, error);
	if (!err)
		err = state_path(ifname, COUNTED, path, error);
	if (!err)
		err = file_replace(path, FILE_MODE, text, strlen(text), error);
	free(text);
	json_decref(json);
	return err;
}

/**
 * history_note() - Note a policy that has come into force, unless that is what was there
 * @request: that led to it; is warned where it cannot be noted
 * @policy: the policy
 * @generation: in force by now
 */
void history_note(const struct dataplane_request *request, const struct policy *policy,
		  const struct generation *generation)
{
	const struct part_text whole = {policy->text, policy->text_len};
	struct part_text own = {}, part = {};
	struct history_entry entry = {
		.generation = generation->instance.config.generation,
		.time_ns = clock_ns(CLOCK_REALTIME),
		.uid = request->uid,
		.sudo_uid = sudo_uid(request),
		.cause = (char *)(request->cause ?: ""),
		.path = policy->path,
	};
	char text[1200], cause[256];
	struct error error;
	int err;

	/* where it cannot be noted, the history is warned of */
	(void)note_counted(request->ifname, &generation->maps, entry.time_ns, &error);
	/* the interface, the host or NetBird's map has changed: the user's policy is the same */
	if (request->edit && request->uid == CHANGE_NO_UID && !request->subject)
		return;
	if (request->subject) {
		snprintf(cause, sizeof(cause), "%s %s", request->cause, request->subject);
		entry.cause = cause;
	}
	err = part_split(policy->path, &whole, &own, &part, &error);
	entry.text = own.text;
	if (!err)
		err = note(request->ifname, &entry, request->subject, &error);
	free(own.text);
	free(part.text);
	if (!err)
		return;
	snprintf(text, sizeof(text), "%s: the policy is in force, but not in its history: %s",
		 request->ifname, error.text);
	request->warn(text, request->warn_arg);
}
