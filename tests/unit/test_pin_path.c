/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Pin directories, on a bpffs of the test's own in a mount namespace of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "kernel/pin_path.h"

/* Inode of the initial network namespace: NET_NS_INIT_INO of <linux/nsfs.h>, fixed since 6.17. */
#define INITIAL_NETNS_INODE 0xeffffff9

static char root[] = "/tmp/shrike-test-path-XXXXXX";
static struct error error;

static unsigned long netns_inode(void)
{
	struct stat info;

	assert_int_equal(stat("/proc/self/ns/net", &info), 0);
	return info.st_ino;
}

static int setup_group(void **state)
{
	(void)state;
	if (geteuid()) {
		print_message("needs root: no namespaces can be made\n");
		return 0;
	}
	if (!mkdtemp(root) || unshare(CLONE_NEWNS) || mount("", "/", "", MS_REC | MS_PRIVATE, NULL))
		return -1;
	return 0;
}

static int teardown_group(void **state)
{
	(void)state;
	return geteuid() ? 0 : rmdir(root);
}

static int setup(void **state)
{
	(void)state;
	memset(&error, 0, sizeof(error));
	return geteuid() ? 0
			 : setenv("SHRIKE_BPFFS", root, 1) || mount("bpf", root, "bpf", 0, NULL);
}

static int teardown(void **state)
{
	(void)state;
	return geteuid() ? 0 : umount(root);
}

static void need_root(void)
{
	if (geteuid())
		skip();
}

static void names_that_are_no_path_component_are_refused(void **state)
{
	static const char *const bad[] = {
		"",	".",	"..",	 "a/b",	  "/",	     "../etc",		"a b",
		"a\tb", "a\nb", "wt0:1", "a\x1b", "netns-1", "sixteen-bytes-00"};
	static const char *const good[] = {
		"wt0", "...", "netns-", "netns-a", "fifteen-bytes-0", "eth0.100", "\xc3\xbc"};
	char path[PATH_MAX] = "untouched";
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(&error, 0, sizeof(error));
		if (path_check_name(bad[i], &error) != -EINVAL || !error.invalid_input)
			fail_msg("'%s' is accepted", bad[i]);
		assert_int_equal(path_pin_dir(bad[i], path, &error), -EINVAL);
		assert_string_equal(path, "untouched");
	}
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (path_check_name(good[i], &error))
			fail_msg("'%s': %s", good[i], error.text);
}

static void in_the_initial_network_namespace_the_name_alone_counts(void **state)
{
	char path[PATH_MAX];

	(void)state;
	if (netns_inode() != INITIAL_NETNS_INODE) {
		print_message("not known to be in the initial network namespace\n");
		skip();
	}
	unsetenv("SHRIKE_BPFFS");
	assert_int_equal(path_pin_dir("wt0", path, &error), 0);
	assert_string_equal(path, "/sys/fs/bpf/shrike/wt0");
	assert_int_equal(path_pin_parent(path, &error), 0);
	assert_string_equal(path, "/sys/fs/bpf/shrike");
}

static void other_network_namespaces_have_directories_of_their_own(void **state)
{
	char path[PATH_MAX], expected[PATH_MAX];

	(void)state;
	need_root();
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	unsetenv("SHRIKE_BPFFS");
	snprintf(expected, sizeof(expected), "/sys/fs/bpf/shrike/netns-%lu/wt0", netns_inode());
	assert_int_equal(path_pin_dir("wt0", path, &error), 0);
	assert_string_equal(path, expected);
}

static void names_are_paths_that_bpffs_takes(void **state)
{
	static const struct {
		const char *name, *component;
	} cases[] = {
		{"wt0", "wt0"},
		{"eth0.100", "eth0%2e100"},
		{"...", "%2e%2e%2e"},
		{"a%2eb", "a%252eb"},
		{"%", "%25"},
		{"...............", "%2e%2e%2e%2e%2e%2e%2e%2e%2e%2e%2e%2e%2e%2e%2e"},
	};
	char component[PATH_NAME_MAX], name[PATH_NAME_MAX], path[PATH_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		path_escape_name(cases[i].name, component);
		assert_string_equal(component, cases[i].component);
		path_unescape_name(component, name);
		assert_string_equal(name, cases[i].name);
		if (geteuid())
			continue;
		assert_int_equal(path_create(cases[i].name, true, path, &error), 0);
		assert_string_equal(strrchr(path, '/') + 1, component);
		assert_int_equal(path_remove(cases[i].name, &error), 0);
	}
}

static void directories_are_made_for_root_alone_and_removed_when_empty(void **state)
{
	char path[PATH_MAX], other[PATH_MAX], shrike[PATH_MAX];
	struct stat info;

	(void)state;
	need_root();
	snprintf(shrike, sizeof(shrike), "%s/shrike", root);
	assert_int_equal(path_create("wt0", true, path, &error), 0);
	assert_int_equal(strncmp(path, shrike, strlen(shrike)), 0);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode, S_IFDIR | 0700);
	assert_int_equal(stat(shrike, &info), 0);
	assert_int_equal(info.st_mode, S_IFDIR | 0700);

	assert_int_equal(path_create("wt0", true, path, &error), 0);
	assert_int_equal(path_create("wt1", true, other, &error), 0);
	assert_int_equal(path_remove("wt1", &error), 0);
	assert_int_equal(access(other, F_OK), -1);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(path_remove("wt0", &error), 0);
	assert_int_equal(access(shrike, F_OK), -1);
	assert_int_equal(path_remove("wt0", &error), 0);
}

static void a_directory_that_holds_something_is_not_removed(void **state)
{
	char path[PATH_MAX], inner[PATH_MAX + 8];

	(void)state;
	need_root();
	assert_int_equal(path_create("wt0", true, path, &error), 0);
	snprintf(inner, sizeof(inner), "%s/inner", path);
	assert_int_equal(mkdir(inner, 0700), 0);
	assert_int_equal(path_remove("wt0", &error), -ENOTEMPTY);
	assert_int_equal(access(inner, F_OK), 0);
}

static void a_directory_of_somebody_else_is_not_used(void **state)
{
	char path[PATH_MAX] = "untouched", shrike[PATH_MAX];

	(void)state;
	need_root();
	snprintf(shrike, sizeof(shrike), "%s/shrike", root);
	assert_int_equal(mkdir(shrike, 0700), 0);
	assert_int_equal(chown(shrike, 65534, 65534), 0);
	assert_int_equal(path_create("wt0", true, path, &error), -EPERM);
	assert_string_equal(path, "untouched");
	assert_int_equal(chown(shrike, 0, 0), 0);
	assert_int_equal(chmod(shrike, 0777), 0);
	assert_int_equal(path_create("wt0", true, path, &error), -EPERM);
	assert_int_equal(chmod(shrike, 0755), 0);
	assert_int_equal(path_create("wt0", true, path, &error), 0);
}

static void a_directory_that_is_no_bpffs_is_refused(void **state)
{
	char path[PATH_MAX] = "untouched";

	(void)state;
	need_root();
	setenv("SHRIKE_BPFFS", "/tmp", 1);
	assert_int_equal(path_create("wt0", false, path, &error), -ENODEV);
	assert_non_null(strstr(error.text, "/tmp is no bpffs (SHRIKE_BPFFS)"));
	assert_non_null(strstr(error.text, "mount -t bpf bpf /tmp"));
	setenv("SHRIKE_BPFFS", "/does/not/exist", 1);
	assert_int_equal(path_create("wt0", false, path, &error), -ENOENT);
	assert_string_equal(path, "untouched");
}

/* What 'ip netns exec' does: a new network namespace under a /sys of its own. */
static void only_pins_that_may_vanish_get_a_bpffs_under_ip_netns_exec(void **state)
{
	char path[PATH_MAX] = "untouched";
	struct statfs fs;

	(void)state;
	need_root();
	unsetenv("SHRIKE_BPFFS");
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(mount("test", "/sys", "sysfs", 0, NULL), 0);
	assert_int_equal(path_create("wt0", true, path, &error), -ENODEV);
	assert_non_null(strstr(error.text, "mount -t bpf bpf /sys/fs/bpf"));
	assert_string_equal(path, "untouched");
	assert_int_equal(statfs("/sys/fs/bpf", &fs), 0);
	assert_int_equal(fs.f_type, SYSFS_MAGIC);

	assert_int_equal(path_create("wt0", false, path, &error), 0);
	assert_int_equal(statfs(path, &fs), 0);
	assert_int_equal(fs.f_type, BPF_FS_MAGIC);
	assert_int_equal(umount("/sys/fs/bpf"), 0);
	assert_int_equal(umount("/sys"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	/* The first test on namespaces wants the one that the program was started in. */
	const struct CMUnitTest tests[] = {
		TEST(names_that_are_no_path_component_are_refused),
		TEST(in_the_initial_network_namespace_the_name_alone_counts),
		TEST(other_network_namespaces_have_directories_of_their_own),
		TEST(names_are_paths_that_bpffs_takes),
		TEST(directories_are_made_for_root_alone_and_removed_when_empty),
		TEST(a_directory_that_holds_something_is_not_removed),
		TEST(a_directory_of_somebody_else_is_not_used),
		TEST(a_directory_that_is_no_bpffs_is_refused),
		TEST(only_pins_that_may_vanish_get_a_bpffs_under_ip_netns_exec),
	};

	return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
