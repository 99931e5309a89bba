/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/pin_path.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define DEFAULT_BPFFS "/sys/fs/bpf"
#define PIN_ROOT      "shrike"

/* How often path_create() begins anew where path_remove() takes away what it has just made. */
#define CREATE_ATTEMPTS 8

static const char *other_bpffs(void)
{
	const char *root = secure_getenv("SHRIKE_BPFFS");

	return root && *root ? root : NULL;
}

static const char *bpffs_root(void)
{
	return other_bpffs() ?: DEFAULT_BPFFS;
}

/* "netns-4026532281" is a directory of interfaces and must not be taken for one. */
static bool is_netns_dir(const char *ifname)
{
	size_t len = strlen(PATH_NETNS_PREFIX);

	return !strncmp(ifname, PATH_NETNS_PREFIX, len) && ifname[len] &&
	       strspn(ifname + len, "0123456789") == strlen(ifname + len);
}

/**
 * path_check_name() - Check that a name given by a user can be that of an interface
 * @ifname: the name
 * @error: set on failure
 *
 * The kernel's own rules (dev_valid_name() in net/core/dev.c), which keep it one path component,
 * and no name that our directories of namespaces have.
 *
 * Return: 0 or -EINVAL (invalid input).
 */
int path_check_name(const char *ifname, struct error *error)
{
	const char *c;

	if (!*ifname)
		return error_input(error, "interface name: it is empty");
	if (strnlen(ifname, IF_NAMESIZE) == IF_NAMESIZE)
		return error_input(error, "'%.32s...': an interface name has at most %d bytes",
				   ifname, IF_NAMESIZE - 1);
	if (!strcmp(ifname, ".") || !strcmp(ifname, ".."))
		return error_input(error, "%s: not an interface name", ifname);
	for (c = ifname; *c; c++)
		if (*c == '/' || *c == ':' || isspace((unsigned char)*c) ||
		    iscntrl((unsigned char)*c))
			return error_input(
				error, "interface name: it has a slash, colon, space or control "
				       "character");
	if (is_netns_dir(ifname))
		return error_input(error, "'%s': interfaces named so cannot be protected", ifname);
	return 0;
}

/*
 * Whether this is the initial network namespace, which is that of process 1.  Where that may not
 * be looked at (it takes ptrace rights: a root with fewer capabilities than process 1 lacks them),
 * ask for a sysctl that the kernel registers in the initial namespace alone.  Where both are
 * hidden the answer is no: a directory with a number in its name meets no other.
 */
static bool ask_initial_netns(const struct stat *own)
{
	struct stat initial;

	if (!stat("/proc/1/ns/net", &initial))
		return own->st_dev == initial.st_dev && own->st_ino == initial.st_ino;
	return !access("/proc/sys/net/core/bpf_jit_enable", F_OK);
}

/* One answer for a namespace, whatever rights this process gives up in between. */
static bool is_initial_netns(const struct stat *own)
{
	static struct stat asked;
	static bool is_initial;

	if (asked.st_dev != own->st_dev || asked.st_ino != own->st_ino) {
		is_initial = ask_initial_netns(own);
		asked = *own;
	}
	return is_initial;
}

static int format_path(char path[PATH_MAX], struct error *error, const char *first,
		       const char *second)
{
	char text[PATH_MAX];
	int len = snprintf(text, sizeof(text), "%s/%s", first, second);

	if (len < 0 || (size_t)len >= sizeof(text))
		return error_set(error, ENAMETOOLONG, "%.64s...: the path is too long", first);
	memcpy(path, text, len + 1);
	return 0;
}

/**
 * path_pin_root() - The directory of all pins of shrike
 * @path: set to its path; it need not exist
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int path_pin_root(char path[PATH_MAX], struct error *error)
{
	return format_path(path, error, bpffs_root(), PIN_ROOT);
}

/**
 * path_pin_parent() - The directory of the caller's network namespace
 * @path: set to the path of the directory that holds a directory per protected interface
 * @error: set on failure
 *
 * The directory need not exist.
 *
 * Return: 0 or -errno.
 */
int path_pin_parent(char path[PATH_MAX], struct error *error)
{
	char root[PATH_MAX], name[64];
	struct stat own;
	int err;

	if (stat("/proc/self/ns/net", &own))
		return error_set(error, errno, "/proc/self/ns/net: %s", strerror(errno));
	if (is_initial_netns(&own))
		return path_pin_root(path, error);
	snprintf(name, sizeof(name), PATH_NETNS_PREFIX "%llu", (unsigned long long)own.st_ino);
	err = path_pin_root(root, error);
	return err ? err : format_path(path, error, root, name);
}

/**
 * path_escape_name() - The path component that stands for an interface
 * @ifname: name of the interface
 * @component: set to the name, with "%2e" for each dot, which bpffs refuses, and "%25" for '%'
 */
void path_escape_name(const char *ifname, char component[PATH_NAME_MAX])
{
	size_t len = 0;

	component[0] = '\0';
	for (; *ifname && len + 4 <= PATH_NAME_MAX; ifname++) {
		if (*ifname == '.' || *ifname == '%')
			len += snprintf(component + len, PATH_NAME_MAX - len, "%%%02x", *ifname);
		else
			len += snprintf(component + len, PATH_NAME_MAX - len, "%c", *ifname);
	}
}

/**
 * path_unescape_name() - The interface that a path component stands for
 * @component: as path_escape_name() made it
 * @ifname: set to the name, which has the length of an interface's if it is one
 */
void path_unescape_name(const char *component, char ifname[PATH_NAME_MAX])
{
	size_t len = 0;

	for (; *component && len + 1 < PATH_NAME_MAX; component++) {
		bool is_dot = !strncmp(component, "%2e", 3);
		bool is_percent = !strncmp(component, "%25", 3);

		ifname[len++] = is_dot ? '.' : *component;
		if (is_dot || is_percent)
			component += 2;
	}
	ifname[len] = '\0';
}

/**
 * path_pin_dir() - The pin directory of an interface
 * @ifname: name of the interface in the caller's network namespace, as given by the user
 * @path: set to its path; the directory need not exist
 * @error: set on failure
 *
 * Return: 0; -EINVAL (invalid input): no name of an interface; or another -errno.
 */
int path_pin_dir(const char *ifname, char path[PATH_MAX], struct error *error)
{
	char parent[PATH_MAX], component[PATH_NAME_MAX];
	int err;

	err = path_check_name(ifname, error);
	if (!err)
		err = path_pin_parent(parent, error);
	if (err)
		return err;
	path_escape_name(ifname, component);
	return format_path(path, error, parent, component);
}

static bool is_empty_dir(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool empty = true;

	if (!dir)
		return false;
	while (empty && (entry = readdir(dir)))
		empty = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
	closedir(dir);
	return empty;
}

static int no_bpffs(const char *root, const char *why, struct error *error)
{
	return error_set(error, ENODEV,
			 "%s is no bpffs%s: mount one with 'mount -t bpf bpf %s' (under 'ip netns "
			 "exec', which hides it, use 'nsenter --net=/run/netns/NAME' instead)",
			 root, why, root);
}

/* Whether mounts of this process end with it and those that it comes from. */
static bool has_own_mounts(void)
{
	struct stat own, initial;

	return !stat("/proc/self/ns/mnt", &own) && !stat("/proc/1/ns/mnt", &initial) &&
	       (own.st_dev != initial.st_dev || own.st_ino != initial.st_ino);
}

/* Whether this process has mounted a bpffs that ends with its mount namespace. */
static bool is_fleeting;

/**
 * path_is_fleeting() - Whether pins are lost with the last process of this mount namespace
 *
 * Known after path_create(), and only where that has mounted the bpffs.
 */
bool path_is_fleeting(void)
{
	return is_fleeting;
}

/*
 * A mount of ours outside the initial network namespace is not lasting: 'ip netns exec' gives its
 * command a mount namespace of its own, which ends with it and takes the pins along.
 */
static int ensure_bpffs(bool lasting, struct error *error)
{
	const char *root = bpffs_root();
	struct statfs fs;
	struct stat own;

	if (statfs(root, &fs))
		return error_set(error, errno, "%s: %s", root, strerror(errno));
	if (fs.f_type == BPF_FS_MAGIC)
		return 0;
	if (other_bpffs())
		return no_bpffs(root, " (SHRIKE_BPFFS)", error);
	if (fs.f_type != SYSFS_MAGIC || !is_empty_dir(root))
		return no_bpffs(root, "", error);
	if (lasting && (stat("/proc/self/ns/net", &own) || !is_initial_netns(&own)))
		return no_bpffs(root, "", error);
	is_fleeting = has_own_mounts();
	if (mount("bpf", root, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME, "mode=0700"))
		return error_set(error, errno, "%s: cannot mount a bpffs: %s", root,
				 strerror(errno));
	return 0;
}

/**
 * path_check_bpffs() - Whether there is a bpffs to pin in, without mounting one
 * @error: set on failure, and what to mount
 *
 * Return: 0; -ENODEV: there is none; or another -errno.
 */
int path_check_bpffs(struct error *error)
{
	const char *root = bpffs_root();
	struct statfs fs;

	if (statfs(root, &fs))
		return error_set(error, errno, "%s: %s", root, strerror(errno));
	return fs.f_type == BPF_FS_MAGIC
		       ? 0
		       : no_bpffs(root, other_bpffs() ? " (SHRIKE_BPFFS)" : "", error);
}

/*
 * A bpffs may be writable to everyone (mode 1777 is the kernel's default), and a directory made by
 * somebody else would be theirs to fill.
 */
static int ensure_dir(const char *path, struct error *error)
{
	struct stat info;

	if (!mkdir(path, 0700))
		return 0;
	if (errno != EEXIST || lstat(path, &info))
		return error_set(error, errno, "%s: %s", path, strerror(errno));
	if (!S_ISDIR(info.st_mode))
		return error_set(error, ENOTDIR, "%s: %s", path, strerror(ENOTDIR));
	if (info.st_uid != geteuid() || info.st_mode & (S_IWGRP | S_IWOTH))
		return error_set(error, EPERM,
				 "%s: belongs to others or is writable to them: "
				 "remove it first",
				 path);
	return 0;
}

/* Creates what is missing of @path below the bpffs, from the top. */
static int ensure_dirs(const char *path, struct error *error)
{
	char part[PATH_MAX];
	char *slash;
	int err;

	snprintf(part, sizeof(part), "%s", path);
	slash = part + strlen(bpffs_root());
	while ((slash = strchr(slash + 1, '/'))) {
		*slash = '\0';
		err = ensure_dir(part, error);
		if (err)
			return err;
		*slash = '/';
	}
	return ensure_dir(part, error);
}

/**
 * path_create() - Make the pin directory of an interface, mode 0700
 * @ifname: name of the interface in the caller's network namespace, as given by the user
 * @lasting: the pins must outlive the caller
 * @path: set to the path of the directory, which may have existed
 * @error: set on failure, and what to mount
 *
 * An empty /sys/fs/bpf without a bpffs gets one mounted, unless that might vanish with the
 * caller and @lasting asks for more.
 *
 * Return: 0; -EINVAL (invalid input): no name of an interface; -ENODEV: no bpffs; -EPERM: the
 * directory is somebody else's; or another -errno.
 */
int path_create(const char *ifname, bool lasting, char path[PATH_MAX], struct error *error)
{
	char wanted[PATH_MAX];
	int err, attempt;

	err = path_pin_dir(ifname, wanted, error);
	if (!err)
		err = ensure_bpffs(lasting, error);
	if (err)
		return err;
	for (attempt = 0; attempt < CREATE_ATTEMPTS; attempt++) {
		err = ensure_dirs(wanted, error);
		if (err != -ENOENT)
			break;
	}
	if (!err)
		memcpy(path, wanted, sizeof(wanted));
	return err;
}

/**
 * path_remove() - Remove the pin directory of an interface
 * @ifname: name of the interface in the caller's network namespace, as given by the user
 * @error: set on failure
 *
 * The directory must be empty; one that does not exist is fine.  Directories above it go too
 * where they hold nothing else.
 *
 * Return: 0; -EINVAL (invalid input): no name of an interface; -ENOTEMPTY: it still holds pins;
 * or another -errno.
 */
int path_remove(const char *ifname, struct error *error)
{
	size_t root_len = strlen(bpffs_root());
	char path[PATH_MAX];
	char *slash;
	int err;

	err = path_pin_dir(ifname, path, error);
	if (err)
		return err;
	if (rmdir(path) && errno != ENOENT && errno != ENOTDIR)
		return error_set(error, errno, "%s: %s", path, strerror(errno));
	while ((slash = strrchr(path, '/')) && (size_t)(slash - path) > root_len) {
		*slash = '\0';
		if (rmdir(path))
			break;
	}
	return 0;
}
