/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/history.h"

#include <ctype.h>
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
#include "dataplane/state_dir.h"
#include "maps.h"
#include "policy/part.h"

#define SUBDIR	    "/history"
#define COUNTED	    "/counted" /* beside it: since when hits are counted */
#define ENTRIES_MAX 100
#define BYTES_MAX   ((off_t)64 << 20) /* of all entries */
#define ENTRY_MAX   ((size_t)65 << 20)
#define FILE_MODE   0600

/*
 * struct slot - an entry in the directory
 * @text_of: the number of the entry that has its text: its own, or that before a note
 */
struct slot {
	uint32_t number;
	uint32_t text_of;
};

/* Take a file's name apart: NUMBER, or NUMBER-OTHER; false for others. */
static bool parse_name(const char *name, struct slot *slot)
{
	char *end;

	if (!isdigit((unsigned char)*name))
		return false;
	slot->number = slot->text_of = (uint32_t)strtoul(name, &end, 10);
	if (*end == '-' && isdigit((unsigned char)end[1]))
		slot->text_of = (uint32_t)strtoul(end + 1, &end, 10);
	return !*end;
}

static int is_entry(const struct dirent *entry)
{
	struct slot ignored;

	return parse_name(entry->d_name, &ignored);
}

static int by_number(const void *a, const void *b)
{
	const struct slot *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

/* The entries of a directory, the oldest first; the caller frees them. */
static int list_dir(const char *dir, struct slot **slots, size_t *n, struct error *error)
{
	struct dirent **entries;
	int found = scandir(dir, &entries, is_entry, NULL);

	if (found < 0 && errno != ENOENT)
		return error_set(error, errno, "%.200s: %s", dir, strerror(errno));
	*n = found > 0 ? (size_t)found : 0;
	*slots = calloc(*n + 1, sizeof(**slots));
	for (size_t i = 0; i < *n; i++) {
		if (*slots)
			parse_name(entries[i]->d_name, &(*slots)[i]);
		free(entries[i]);
	}
	if (found >= 0)
		free(entries);
	if (!*slots)
		return error_no_memory(error);
	qsort(*slots, *n, sizeof(**slots), by_number);
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
	struct slot *slots;
	char dir[PATH_MAX];
	int err = state_dir_find(ifname, SUBDIR, dir, error);

	if (!err)
		err = list_dir(dir, &slots, n, error);
	if (err)
		return err;
	*numbers = calloc(*n + 1, sizeof(**numbers));
	for (size_t i = 0; i < *n && *numbers; i++)
		(*numbers)[i] = slots[i].number;
	free(slots);
	return *numbers ? 0 : error_no_memory(error);
}

static int entry_path(const char *dir, struct slot slot, char path[PATH_MAX], struct error *error)
{
	int len = slot.text_of == slot.number
			  ? snprintf(path, PATH_MAX, "%s/%08u", dir, slot.number)
			  : snprintf(path, PATH_MAX, "%s/%08u-%08u", dir, slot.number,
				     slot.text_of);

	if (len < PATH_MAX)
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

/* Read a file of the history; a note has an empty text. */
static int read_file(const char *dir, struct slot slot, struct history_entry *entry,
		     struct error *error)
{
	static const struct file_kind kind = {"policy", ENTRY_MAX};
	char path[PATH_MAX], *all, *end;
	size_t len;
	int err = entry_path(dir, slot, path, error);

	if (!err)
		err = file_read(path, &kind, &all, &len, error);
	if (err)
		return err;
	*entry = (struct history_entry){.number = slot.number};
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

/* Read an entry, with the text that it may have elsewhere. */
static int read_entry(const char *dir, struct slot slot, struct history_entry *entry,
		      struct error *error)
{
	struct history_entry with_text;
	int err = read_file(dir, slot, entry, error);

	if (err || slot.text_of == slot.number)
		return err;
	err = read_file(dir, (struct slot){slot.text_of, slot.text_of}, &with_text, error);
	if (err) {
		history_entry_free(entry);
		return error_set(error, EPROTO, "policy %u of the history: that of %u is gone",
				 slot.number, slot.text_of);
	}
	free(entry->text);
	entry->text = with_text.text;
	entry->len = with_text.len;
	with_text.text = NULL;
	history_entry_free(&with_text);
	return 0;
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
	struct slot *slots, *slot = NULL;
	char dir[PATH_MAX];
	size_t n;
	int err = state_dir_find(ifname, SUBDIR, dir, error);

	if (!err)
		err = list_dir(dir, &slots, &n, error);
	if (err)
		return err;
	slot = bsearch(&(struct slot){.number = number}, slots, n, sizeof(*slots), by_number);
	err = slot ? read_entry(dir, *slot, entry, error) : -ENOENT;
	free(slots);
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

/* Remove the oldest entries beyond the limits, and notes of policies that are gone. */
static void prune(const char *dir)
{
	size_t n, n_policies = 0, n_notes = 0;
	struct slot *slots;
	char path[PATH_MAX];
	struct error ignored;
	struct stat status;
	uint32_t oldest = 0;
	off_t bytes = 0;

	if (list_dir(dir, &slots, &n, &ignored))
		return;
	for (size_t i = n; i-- > 0;) {
		if (slots[i].text_of != slots[i].number ||
		    entry_path(dir, slots[i], path, &ignored) || stat(path, &status))
			continue;
		bytes += status.st_size;
		/* the newest stays, however large it is */
		if (n_policies++ && (n_policies > ENTRIES_MAX || bytes > BYTES_MAX))
			unlink(path);
		else
			oldest = slots[i].number;
	}
	for (size_t i = n; i-- > 0;)
		if (slots[i].text_of != slots[i].number &&
		    (++n_notes > ENTRIES_MAX || slots[i].text_of < oldest) &&
		    !entry_path(dir, slots[i], path, &ignored))
			unlink(path);
	free(slots);
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

/* Write an entry; only one that has a text of its own with it. */
static int write_entry(const char *dir, const struct history_entry *entry, uint32_t text_of,
		       struct error *error)
{
	struct slot slot = {entry->number, text_of};
	json_t *head = json_pack("{s:I,s:I,s:I,s:I,s:s,s:o*}", "time_ns",
				 (json_int_t)entry->time_ns, "uid", (json_int_t)entry->uid,
				 "sudo_uid", (json_int_t)entry->sudo_uid, "generation",
				 (json_int_t)entry->generation, "cause", entry->cause, "path",
				 entry->path ? output_json_text(entry->path) : NULL);
	char path[PATH_MAX], *line = head ? json_dumps(head, JSON_COMPACT) : NULL, *all = NULL;
	const char *text = text_of == entry->number ? entry->text : "";
	int err = line && asprintf(&all, "%s\n%s", line, text) > 0 ? 0 : error_no_memory(error);

	if (!err)
		err = entry_path(dir, slot, path, error);
	if (!err)
		err = file_replace(path, FILE_MODE, all, strlen(all), error);
	free(all);
	free(line);
	json_decref(head);
	return err;
}

/* Number a new entry; returns the number of the one that has the same text: its own, or the newest's. */
static uint32_t number_entry(const char *dir, struct history_entry *entry)
{
	struct history_entry newest;
	struct slot *slots, last;
	struct error ignored;
	uint32_t text_of;
	size_t n;

	text_of = entry->number = 1;
	if (list_dir(dir, &slots, &n, &ignored))
		return text_of;
	last = n ? slots[n - 1] : (struct slot){0, 0};
	free(slots);
	text_of = entry->number = last.number + 1;
	if (n && !read_entry(dir, last, &newest, &ignored)) {
		if (!strcmp(newest.text, entry->text) &&
		    !strcmp(newest.path ?: "", entry->path ?: ""))
			text_of = last.text_of;
		history_entry_free(&newest);
	}
	return text_of;
}

/* @always: even if the policy is the same as the one before */
static int note(const char *ifname, struct history_entry *entry, bool always, struct error *error)
{
	char dir[PATH_MAX];
	uint32_t text_of;
	int err = state_dir_claim(error);

	if (!err)
		err = state_dir_path(ifname, SUBDIR, dir, error);
	if (err)
		return err;
	text_of = number_entry(dir, entry);
	if (text_of != entry->number && !always)
		return 0;
	err = state_dir_make(dir, error);
	if (!err)
		err = write_entry(dir, entry, text_of, error);
	if (!err)
		prune(dir);
	return err;
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

	if (!state_dir_path(ifname, COUNTED, path, &ignored) &&
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
	err = text ? state_dir_path(ifname, "", path, error) : error_no_memory(error);
	if (!err)
		err = state_dir_make(path, error);
	if (!err)
		err = state_dir_path(ifname, COUNTED, path, error);
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
