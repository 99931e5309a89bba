/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The command runs itself: its traces have one printer, and what it does with the kernel's tables
 * and with memory ends with that process.
 */
#include "cli/top_trace.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/address.h"
#include "base/names.h"

#define OUTPUT_MAX     65536
#define PATIENCE_MS    30000
#define ARGUMENTS_MAX  16
#define ARGUMENT_BYTES 64

struct arguments {
	char text[ARGUMENTS_MAX][ARGUMENT_BYTES];
	char *list[ARGUMENTS_MAX + 1];
	size_t n;
};

static void add(struct arguments *arguments, const char *text)
{
	snprintf(arguments->text[arguments->n], ARGUMENT_BYTES, "%s", text);
	arguments->list[arguments->n] = arguments->text[arguments->n];
	arguments->n++;
}

static void add_number(struct arguments *arguments, const char *option, __be16 value)
{
	char number[16];

	snprintf(number, sizeof(number), "%u", be16toh(value));
	add(arguments, option);
	add(arguments, number);
}

/* Ports, or the identifier of a connection of ICMP, where the packet is known to have them. */
static void add_ports(struct arguments *arguments, const struct top_row *row)
{
	static const char *const options[] = {"--sport", "--dport"};
	const struct top_key *key = &row->key;

	for (int end = 0; end < 2 && l4_has_ports(key->l4_proto); end++)
		if (key->port[end])
			add_number(arguments, options[end], key->port[end]);
	if (row->connections && l4_is_icmp(key->l4_proto, key->ip_version))
		add_number(arguments, "--icmp-id", key->port[0]);
}

/* The words of the command: the packet, as the one that opened the connection, or was dropped. */
static void set_arguments(struct arguments *arguments, const char *interface,
			  const struct top_row *row, bool numeric)
{
	const struct top_key *key = &row->key;
	char text[ADDR_TEXT_MAX], protocol[FLOW_PROTOCOL_NUMBER];

	add(arguments, "shrike");
	add(arguments, "trace");
	add(arguments, key->direction == DIR_EGRESS ? "out" : "in");
	for (int end = 0; end < 2; end++)
		add(arguments, addr_format(&key->addr[end], key->ip_version, text, sizeof(text)));
	add(arguments, "-p");
	add(arguments, flow_protocol_name(key->l4_proto, key->ip_version, protocol));
	add_ports(arguments, row);
	if (key->l4_proto == IPPROTO_TCP && row->connections && row->state != FLOW_STATE_SYN_SENT &&
	    row->state != FLOW_STATE_SYN_RECEIVED)
		add(arguments, "--ack");
	if (numeric)
		add(arguments, "--numeric");
	add(arguments, "-v");
	add(arguments, "-i");
	add(arguments, interface);
}

/* Start the command, which writes to @fd. */
static int start(const struct arguments *arguments, int fd, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int err;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, fd, STDERR_FILENO);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	err = posix_spawn(pid, "/proc/self/exe", &actions, &attributes, arguments->list, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return err;
}

/* Read until the end, as much as there is room for, and not for ever. */
static void read_all(int fd, char *text)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	size_t len = 0;
	ssize_t n;

	while (len < OUTPUT_MAX && poll(&wait, 1, PATIENCE_MS) > 0 &&
	       (n = read(fd, text + len, OUTPUT_MAX - len)) > 0)
		len += n;
	text[len] = '\0';
}

/**
 * top_trace() - Trace a packet of a connection, or one like those that were dropped
 * @interface: where
 * @row: a row of connections
 * @numeric: addresses instead of names
 * @error: set on failure
 *
 * Return: what the command says, to be freed; NULL on failure.
 */
char *top_trace(const char *interface, const struct top_row *row, bool numeric, struct error *error)
{
	struct arguments arguments = {};
	char *text = malloc(OUTPUT_MAX + 1);
	int ends[2], err;
	pid_t pid;

	if (!text || pipe2(ends, O_CLOEXEC)) {
		error_set(error, text ? errno : ENOMEM, "cannot trace: %s",
			  strerror(text ? errno : ENOMEM));
		free(text);
		return NULL;
	}
	set_arguments(&arguments, interface, row, numeric);
	err = start(&arguments, ends[1], &pid);
	close(ends[1]);
	if (err) {
		error_set(error, err, "cannot trace: %s", strerror(err));
		free(text);
		text = NULL;
	} else {
		read_all(ends[0], text);
		kill(pid, SIGTERM); /* it has ended, or has taken too long */
		waitpid(pid, NULL, 0);
	}
	close(ends[0]);
	if (text && !*text) {
		error_set(error, ETIMEDOUT, "cannot trace: no answer");
		free(text);
		return NULL;
	}
	return text;
}
