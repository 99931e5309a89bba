/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit/namespace.h"

/**
 * run() - Run a command of the shell, which must succeed
 * @command: the command
 */
void run(const char *command)
{
	int status = system(command);

	if (status)
		fail_msg("'%s' failed: %d", command, status);
}

/**
 * ifindex_of() - The index of an interface
 * @name: its name
 */
int ifindex_of(const char *name)
{
	struct link_info link;
	struct error error;

	assert_int_equal(netlink_link_by_name(name, &link, &error), 0);
	return link.ifindex;
}

/**
 * addr_of() - An address, IPv4 v4-mapped
 * @text: the address
 */
union addr addr_of(const char *text)
{
	union addr addr = {.bytes = {[10] = 0xff, [11] = 0xff}};

	if (strchr(text, ':'))
		assert_int_equal(inet_pton(AF_INET6, text, addr.bytes), 1);
	else
		assert_int_equal(inet_pton(AF_INET, text, &addr.word[3]), 1);
	return addr;
}

/**
 * assert_prefix() - Whether a prefix is the one that is expected
 * @prefix: the prefix
 * @addr, @len: what is expected
 */
void assert_prefix(const struct prefix *prefix, const char *addr, int len)
{
	union addr expected = addr_of(addr);

	assert_memory_equal(&prefix->addr, &expected, sizeof(expected));
	assert_int_equal(prefix->len, len);
	assert_int_equal(prefix->ip_version, strchr(addr, ':') ? IP_VERSION_6 : IP_VERSION_4);
}

/**
 * need_root() - Skip the test where namespaces cannot be made
 */
void need_root(void)
{
	if (geteuid())
		skip();
}

/**
 * namespace_setup() - Begin a test in a new network namespace; of cmocka_unit_test_setup()
 * @state: unused
 */
int namespace_setup(void **state)
{
	(void)state;
	if (geteuid()) {
		print_message("needs root: a network namespace cannot be made\n");
		return 0;
	}
	if (unshare(CLONE_NEWNET))
		return -1;
	if (system("ip link add wt0 mtu 1280 type veth peer name other0 && ip link set wt0 "
		   "addrgenmode "
		   "none && ip link set other0 addrgenmode none"))
		return -1;
	return 0;
}
