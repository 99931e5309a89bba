/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/stale_pins.h"

#include <bpf/bpf.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/pin_path.h"
#include "kernel/pins.h"

/*
 * struct namespaces - the directories of network namespaces that have pins
 * @root: of all pins
 * @inodes: of the namespaces
 * @alive: of each, whether the namespace is known to be there
 */
struct namespaces {
	char root[PATH_MAX];
	unsigned long long *inodes;
	bool *alive;
	size_t n;
};

/* Add a namespace, unless there is no memory. */
static int add_namespace(struct namespaces *all, unsigned long long inode, struct error *error)
{
	unsigned long long *inodes = realloc(all->inodes, (all->n + 1) * sizeof(*inodes));
	bool *alive;

	if (!inodes)
		return error_no_memory(error);
	all->inodes = inodes;
	alive = realloc(all->alive, (all->n + 1) * sizeof(*alive));
	if (!alive)
		return error_no_memory(error);
	all->alive = alive;
	inodes[all->n] = inode;
	alive[all->n++] = false;
	return 0;
}

static void free_namespaces(struct namespaces *all)
{
	free(all->inodes);
	free(all->alive);
}

/* Read the names of the directories; none where nothing is pinned. */
static int list_namespaces(struct namespaces *all, struct error *error)
{
	const size_t prefix = strlen(PATH_NETNS_PREFIX);
	struct dirent *entry;
	DIR *dir;
	int err;

	*all = (struct namespaces){};
	err = path_pin_root(all->root, error);
	if (err)
		return err;
	dir = opendir(all->root);
	if (!dir)
		return errno == ENOENT
			       ? 0
			       : error_set(error, errno, "%s: %s", all->root, strerror(errno));
	while (!err && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, PATH_NETNS_PREFIX, prefix) &&
		    isdigit((unsigned char)entry->d_name[prefix]))
			err = add_namespace(all, strtoull(entry->d_name + prefix, NULL, 10), error);
	closedir(dir);
	return err;
}

/* Note that a namespace is there, if the text names one: "net:[4026531840]". */
static void note_namespace(struct namespaces *all, const char *text)
{
	unsigned long long inode;

	if (sscanf(text, "net:[%llu]", &inode) != 1)
		return;
	for (size_t i = 0; i < all->n; i++)
		all->alive[i] |= all->inodes[i] == inode;
}

static void note_link(struct namespaces *all, int dir, const char *path)
{
	char target[64];
	ssize_t len = readlinkat(dir, path, target, sizeof(target) - 1);

	if (len < 0)
		return;
	target[len] = '\0';
	note_namespace(all, target);
}

/* The namespaces that a process has mounted: the fourth field of a line is what is mounted. */
static void note_mounts(struct namespaces *all, const char *pid)
{
	char path[64], *line = NULL;
	size_t room = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%.20s/mountinfo", pid);
	file = fopen(path, "re");
	while (file && getline(&line, &room, file) > 0) {
		const char *found = strstr(line, " net:[");

		if (found)
			note_namespace(all, found + 1);
	}
	free(line);
	if (file)
		fclose(file);
}

static void note_descriptors(struct namespaces *all, const char *pid)
{
	struct dirent *entry;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		note_link(all, dirfd(dir), entry->d_name);
	if (dir)
		closedir(dir);
}

/* Look which of the namespaces the processes of this machine have. */
static int look_at_processes(struct namespaces *all, struct error *error)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	char path[64];

	if (!dir)
		return error_set(error, errno, "/proc: %s", strerror(errno));
	while ((entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "%.20s/ns/net", entry->d_name);
		note_link(all, dirfd(dir), path);
		note_mounts(all, entry->d_name);
		note_descriptors(all, entry->d_name);
	}
	closedir(dir);
	return 0;
}

/* Whether a pinned link is attached: one of a device that is gone has the index 0. */
static bool is_attached_link(const char *path)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	int fd = bpf_obj_get(path);
	bool attached;

	if (fd < 0)
		return false;
	/* at the same place for TCX, which the headers of Linux 6.1 do not know */
	attached = !bpf_obj_get_info_by_fd(fd, &info, &len) && info.xdp.ifindex;
	close(fd);
	return attached;
}

static bool has_attached_link(const char *path)
{
	char link[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *dir = opendir(path);

	while (dir && !found && (entry = readdir(dir)))
		found = !strncmp(entry->d_name, "link_", 5) &&
			snprintf(link, sizeof(link), "%s/%s", path, entry->d_name) <
				(int)sizeof(link) &&
			is_attached_link(link);
	if (dir)
		closedir(dir);
	return found;
}

/* What to do with an interface's pins of a namespace that is gone. */
struct visit {
	stale_pin_fn on_pin;
	void *arg;
	bool remove;
};

/* Visit one interface of a namespace that is gone. */
static int visit_interface(const struct visit *visit, const char *netns, const char *dir,
			   const char *component, struct error *error)
{
	char path[PATH_MAX], ifname[PATH_NAME_MAX];
	int err = 0;

	if (snprintf(path, sizeof(path), "%s/%s", dir, component) >= (int)sizeof(path))
		return error_set(error, ENAMETOOLONG, "%.64s...: the path is too long", dir);
	if (has_attached_link(path))
		return 0;
	if (visit->remove) {
		err = pins_clear(path, true, error);
		if (!err && rmdir(path))
			err = error_set(error, errno, "%s: %s", path, strerror(errno));
	}
	path_unescape_name(component, ifname);
	if (!err)
		visit->on_pin(netns, ifname, visit->arg);
	return err;
}

/* Visit the interfaces of a namespace that is gone; its directory goes with the last of them. */
static int visit_namespace(const struct visit *visit, const char *root, unsigned long long inode,
			   struct error *error)
{
	char dir[PATH_MAX], name[64];
	struct dirent *entry;
	DIR *stream;
	int err = 0;

	snprintf(name, sizeof(name), PATH_NETNS_PREFIX "%llu", inode);
	if (snprintf(dir, sizeof(dir), "%s/%s", root, name) >= (int)sizeof(dir))
		return error_set(error, ENAMETOOLONG, "%.64s...: the path is too long", root);
	stream = opendir(dir);
	while (stream && !err && (entry = readdir(stream)))
		if (entry->d_name[0] != '.')
			err = visit_interface(visit, name, dir, entry->d_name, error);
	if (stream)
		closedir(stream);
	if (visit->remove && !err)
		rmdir(dir); /* what is still there belongs to a link that is attached */
	return err;
}

static int visit_all(const struct visit *visit, struct error *error)
{
	struct namespaces all;
	int err = list_namespaces(&all, error);

	if (!err && all.n)
		err = look_at_processes(&all, error);
	for (size_t i = 0; i < all.n && !err; i++)
		if (!all.alive[i])
			err = visit_namespace(visit, all.root, all.inodes[i], error);
	free_namespaces(&all);
	return err;
}

/**
 * stale_pins_visit() - Name the pins of network namespaces that are gone
 * @on_pin: called for each interface
 * @arg: for @on_pin
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int stale_pins_visit(stale_pin_fn on_pin, void *arg, struct error *error)
{
	return visit_all(&(struct visit){on_pin, arg, false}, error);
}

/**
 * stale_pins_remove() - Remove the pins of network namespaces that are gone
 * @on_removed: called for each interface whose pins have been removed
 * @arg: for @on_removed
 * @error: set on failure; what comes after it stays
 *
 * Return: 0 or -errno.
 */
int stale_pins_remove(stale_pin_fn on_removed, void *arg, struct error *error)
{
	return visit_all(&(struct visit){on_removed, arg, true}, error);
}
