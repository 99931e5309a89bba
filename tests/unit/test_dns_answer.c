/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * DNS answers: a row is a message and what is read of it, and real ones as they leave an interface.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns_answer_probe.skel.h"
#include "dns_sender.h"
#include "kernel/hooks.h"
#include "netbird/dns_answer.h"
#include "netbird/dns_memory.h"
#include "netbird/dns_tap.h"
#include "netbird/domain_index.h"
#include "unit/namespace.h"

#define EVENT_TIMEOUT_MS 10000

/* Bytes with their number; what is quoted holds NULs. */
#define BYTES(text) (text), sizeof(text) - 1

#define HEADER(flags, answers) "\x12\x34" flags "\0\1" answers "\0\0\0\0"
#define NAME		       "\3www\7Example\3com\0" /* at 12 */
#define QUESTION(type)	       NAME "\0" type "\0\1"
#define RECORD(type, ttl)      "\xc0\x0c\0" type "\0\1" ttl
#define MINUTE		       "\0\0\0\x3c"
#define ADDRESS		       RECORD("\1", MINUTE) "\0\4\xc0\0\2\1"

struct row {
	const char *what;
	const char *bytes;
	size_t len;
	int result;
	const char *read; /* name, and addresses with their TTL */
};

static const struct row rows[] = {
	{"an address", BYTES(HEADER("\x81\x80", "\0\1") QUESTION("\1") ADDRESS), 0,
	 "www.example.com 192.0.2.1/60"},
	{"no address", BYTES(HEADER("\x81\x80", "\0\0") QUESTION("\1")), 0, "www.example.com"},
	{"one of IPv6",
	 BYTES(HEADER("\x81\x80", "\0\1") QUESTION("\x1c")
		       RECORD("\x1c", MINUTE) "\0\x10\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7"),
	 0, "www.example.com 2001:db8::7/60"},
	{"one that is IPv4's, mapped",
	 BYTES(HEADER("\x81\x80", "\0\1") QUESTION("\x1c")
		       RECORD("\x1c", MINUTE) "\0\x10\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1"),
	 0, "www.example.com"},
	{"an alias, the shorter TTL",
	 BYTES(HEADER("\x81\x80", "\0\2") QUESTION("\1")
		       RECORD("\5", "\0\0\0\7") "\0\4\1a\xc0\x10"
						"\1a\xc0\x10\0\1\0\1" MINUTE "\0\4\xc0\0\2\2"),
	 0, "www.example.com 192.0.2.2/7"},
	{"an alias behind what it stands for",
	 BYTES(HEADER("\x81\x80", "\0\2")
		       QUESTION("\1") "\1a\xc0\x10\0\1\0\1" MINUTE
				      "\0\4\xc0\0\2\2" RECORD("\5", MINUTE) "\0\4\1a\xc0\x10"),
	 0, "www.example.com 192.0.2.2/60"},
	{"an alias of itself",
	 BYTES(HEADER("\x81\x80", "\0\1") QUESTION("\1") RECORD("\5", MINUTE) "\0\2\xc0\x0c"), 0,
	 "www.example.com"},
	{"another name's address",
	 BYTES(HEADER("\x81\x80", "\0\1") QUESTION("\1") "\1b\xc0\x10\0\1\0\1" MINUTE
							 "\0\4\xc0\0\2\2"),
	 0, "www.example.com"},
	{"an address of 5 bytes",
	 BYTES(HEADER("\x81\x80", "\0\1") QUESTION("\1") RECORD("\1", MINUTE) "\0\5\xc0\0\2\1\1"),
	 0, "www.example.com"},
	{"a negative TTL",
	 BYTES(HEADER("\x81\x80", "\0\1") QUESTION("\1")
		       RECORD("\1", "\xff\xff\xff\xff") "\0\4\xc0\0\2\1"),
	 0, "www.example.com 192.0.2.1/0"},
	{"a TTL of years",
	 BYTES(HEADER("\x81\x80", "\0\1") QUESTION("\1")
		       RECORD("\1", "\x7f\xff\xff\xff") "\0\4\xc0\0\2\1"),
	 0, "www.example.com 192.0.2.1/86400"},
	{"cut off, and said so", BYTES(HEADER("\x83\x80", "\0\1") QUESTION("\1") ADDRESS), 0,
	 "www.example.com 192.0.2.1/60"},
	{"cut off within the second",
	 BYTES(HEADER("\x81\x80", "\0\2") QUESTION("\1") ADDRESS
	       "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\1"),
	 0, "www.example.com 192.0.2.1/60"},
	{"more said than there is", BYTES(HEADER("\x81\x80", "\xff\xff") QUESTION("\1") ADDRESS), 0,
	 "www.example.com 192.0.2.1/60"},
	{"a query", BYTES(HEADER("\1\0", "\0\0") QUESTION("\1")), -ENOMSG, NULL},
	{"no such name", BYTES(HEADER("\x81\x83", "\0\0") QUESTION("\1")), -ENOMSG, NULL},
	{"a mail exchanger", BYTES(HEADER("\x81\x80", "\0\1") QUESTION("\x0f") ADDRESS), -ENOMSG,
	 NULL},
	{"two questions", BYTES("\0\0\x81\x80\0\2\0\0\0\0\0\0" QUESTION("\1") "\xc0\x0c\0\1\0\1"),
	 -ENOMSG, NULL},
	{"a name that points at itself",
	 BYTES(HEADER("\x81\x80", "\0\1") "\xc0\x0c\0\1\0\1" ADDRESS), -EBADMSG, NULL},
	{"a name that points ahead", BYTES(HEADER("\x81\x80", "\0\1") "\xc0\x20\0\1\0\1" ADDRESS),
	 -EBADMSG, NULL},
	{"nothing", BYTES(""), -EBADMSG, NULL},
	{"a header alone", BYTES(HEADER("\x81\x80", "\0\1")), -EBADMSG, NULL},
};

static void a_message_is_read_as_far_as_it_is_right(void **state)
{
	static struct dns_answer answer;
	char text[DNS_NAME_SIZE + 256], one[PREFIX_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		uint8_t *copy = malloc(row->len + 1); /* of its size, for sanitizers */
		int result;

		assert_non_null(copy);
		memcpy(copy, row->bytes, row->len);
		result = dns_answer_parse(copy, row->len, &answer);
		free(copy);
		if (result != row->result)
			fail_msg("%s: %d", row->what, result);
		if (result)
			continue;
		snprintf(text, sizeof(text), "%s", answer.name);
		for (size_t a = 0; a < answer.n; a++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), " %s/%u",
				 prefix_format(&answer.addresses[a].prefix, one, sizeof(one)),
				 answer.addresses[a].ttl_s);
		if (strcmp(text, row->read))
			fail_msg("%s: %s", row->what, text);
	}
}

/* ---- domains ---- */

static void append_set(void *arg, const char *set)
{
	strcat(arg, set);
}

static void assert_sets(const struct domain_index *index, const char *name, const char *expected)
{
	char text[64] = "";

	assert_int_equal(domain_index_match(index, name, append_set, text), *expected != '\0');
	assert_string_equal(text, expected);
}

static void a_name_is_in_the_sets_of_its_domains(void **state)
{
	struct domain_index *index = domain_index_new();
	char longest[300];

	(void)state;
	assert_non_null(index);
	assert_int_equal(domain_index_add(index, "a.example", "1"), 0);
	assert_int_equal(domain_index_add(index, "A.Example", "2"), 0);
	assert_int_equal(domain_index_add(index, "*.b.example", "3"), 0);
	assert_int_equal(domain_index_add(index, "*.example", "4"), 0);
	assert_int_equal(domain_index_add(index, "", "5"), -EINVAL);
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(domain_index_add(index, longest, "6"), -EINVAL);
	domain_index_sort(index);
	assert_sets(index, "a.example", "124");
	assert_sets(index, "b.example", "34");
	assert_sets(index, "c.b.example", "34");
	assert_sets(index, "cb.example", "4");
	assert_sets(index, "example", "4");
	assert_sets(index, "a.example.com", "");
	assert_sets(index, "ample", "");
	assert_sets(index, "x\\.b.example", "");
	assert_sets(index, "", "");
	assert_sets(index, longest, "");
	domain_index_free(index);
}

/* ---- what leaves an interface ---- */

/* @uid: of its owner */
static int udp_socket(uid_t uid, const char *address, uint16_t port)
{
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd, on = 1;

	assert_int_equal(seteuid(uid), 0);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(seteuid(0), 0);
	inet_pton(AF_INET, address, &from.sin_addr);
	setsockopt(fd, SOL_IP, IP_TRANSPARENT, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	return fd;
}

static void send_answer(uid_t uid, const char *address, uint16_t port)
{
	const struct row *row = &rows[0];
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(40000)};
	int fd = udp_socket(uid, address, port);

	inet_pton(AF_INET, "100.64.0.2", &to.sin_addr);
	assert_int_equal(sendto(fd, row->bytes, row->len, 0, (struct sockaddr *)&to, sizeof(to)),
			 row->len);
	close(fd);
}

/* From the forwarder's port of @bound, but with the address @source. */
static void send_answer_as(uid_t uid, const char *bound, const char *source)
{
	const struct row *row = &rows[0];
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(40000)};
	struct in_pktinfo info = {.ipi_spec_dst.s_addr = inet_addr(source)};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(info))];
	} control = {.header = {CMSG_LEN(sizeof(info)), IPPROTO_IP, IP_PKTINFO}};
	struct iovec part = {(void *)row->bytes, row->len};
	struct msghdr message = {&to, sizeof(to), &part, 1, &control, sizeof(control), 0};
	int fd = udp_socket(uid, bound, NETBIRD_DNS_PORT);

	inet_pton(AF_INET, "100.64.0.2", &to.sin_addr);
	memcpy(CMSG_DATA(&control.header), &info, sizeof(info));
	assert_int_equal(sendmsg(fd, &message, 0), row->len);
	close(fd);
}

/* Have an interface note who sends, as one that is protected does. */
static void note_senders(const char *name)
{
	struct hook_place place = {.ifindex = ifindex_of(name), .point = HOOK_POINT_TC_EGRESS};
	struct dns_answer_probe *probe = dns_answer_probe__open_and_load();
	struct error error;
	int link;

	assert_non_null(probe);
	if (hook_attach(&place, bpf_program__fd(probe->progs.note_sender), &link, &error))
		fail_msg("%s", error.text); /* the link ends with the test */
	dns_answer_probe__destroy(probe);
}

static void on_sighting(void *arg, const struct dns_sighting *sighting)
{
	char *text = arg, one[PREFIX_TEXT_MAX];

	sprintf(text + strlen(text), "%s %s/%d;", sighting->set,
		prefix_format(&sighting->prefix, one, sizeof(one)), sighting->ttl_s);
}

static void only_answers_of_this_host_are_seen(void **state)
{
	static struct dns_memory memory;
	char text[256] = "";
	struct domain_index *index = domain_index_new(), *other = domain_index_new();
	struct dns_reader reader = {index, &memory, on_sighting, text};
	struct pollfd poll_fd = {.events = POLLIN};
	struct error error;
	(void)state;
	need_root();
	assert_int_equal(domain_index_add(index, "*.example.com", "nb-00000001"), 0);
	domain_index_sort(index);
	run("ip link set wt0 up; ip link set other0 up; ip addr add 100.64.0.1/16 dev wt0;"
	    "ip addr add 100.64.0.9/32 dev wt0;"
	    "ip neigh add 100.64.0.2 dev wt0 lladdr 02:00:00:00:00:02");
	assert_int_equal(
		dns_tap_open(ifindex_of("wt0"), inet_addr("100.64.0.1"), &poll_fd.fd, &error), 0);
	send_answer(0, "100.64.0.1",
		    NETBIRD_DNS_PORT); /* not noted: nothing protects the interface */
	note_senders("wt0");
	send_answer(0, "100.64.0.1", NETBIRD_DNS_PORT + 1);
	send_answer(0, "100.64.0.9", NETBIRD_DNS_PORT);
	send_answer(0, "192.168.9.9", NETBIRD_DNS_PORT); /* as one that is routed has */
	send_answer(12345, "100.64.0.1", NETBIRD_DNS_PORT);
	send_answer_as(12345, "100.64.0.9", "100.64.0.1"); /* though root may have bound the port */
	send_answer(0, "100.64.0.1", 5353); /* translated answers have 22054 where they are noted */
	send_answer(0, "100.64.0.1", NETBIRD_DNS_PORT);
	assert_int_equal(poll(&poll_fd, 1, EVENT_TIMEOUT_MS), 1);
	assert_int_equal(dns_tap_read(poll_fd.fd, &reader), 0);
	assert_string_equal(text, "nb-00000001 192.0.2.1/60;");
	/* a set of other domains has it, too */
	assert_int_equal(domain_index_add(other, "www.example.com", "nb-00000002"), 0);
	domain_index_sort(other);
	reader.index = other;
	text[0] = '\0';
	dns_tap_recall(&reader);
	assert_true(!strcmp(text, "nb-00000002 192.0.2.1/60;") ||
		    !strcmp(text, "nb-00000002 192.0.2.1/59;"));
	run("ip link del wt0");
	assert_int_equal(poll(&poll_fd, 1, EVENT_TIMEOUT_MS), 1);
	assert_true(dns_tap_read(poll_fd.fd, &reader) < 0);
	close(poll_fd.fd);
	domain_index_free(index);
	domain_index_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_read_as_far_as_it_is_right),
		cmocka_unit_test(a_name_is_in_the_sets_of_its_domains),
		cmocka_unit_test_setup(only_answers_of_this_host_are_seen, namespace_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
