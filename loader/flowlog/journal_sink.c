/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): a datagram for each entry, in
 * it KEY, newline, length, value, newline for each field.  libsystemd would do it, but brings
 * decompressors and libgcrypt.
 */
#include "flowlog/journal_sink.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "flowlog/record.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define PREFIX	       "SHRIKE"
#define KEY_MAX	       64 /* of a field's name, with its NUL */
#define INFO	       "6"

struct journal_sink {
	struct sink sink;
	struct text batch; /* of each entry: its length as a size_t, and the datagram */
	size_t sent;	   /* bytes of the batch */
	int fd;		   /* -1: to be opened */
};

static int add_field(struct text *text, const char *key, const char *value)
{
	uint64_t len = htole64(strlen(value));
	int err = text_append(text, key, strlen(key));

	if (!err)
		err = text_append(text, "\n", 1);
	if (!err)
		err = text_append(text, &len, sizeof(len));
	if (!err)
		err = text_append(text, value, strlen(value));
	return err ? err : text_append(text, "\n", 1);
}

/* Add a field for each key of an object: SHRIKE_KEY, and SHRIKE_KEY_KEY of objects in it. */
static int add_fields(struct text *text, const char *prefix, json_t *object)
{
	char name[KEY_MAX], number[24];
	const char *key;
	json_t *value;
	int err = 0;

	json_object_foreach (object, key, value) {
		snprintf(name, sizeof(name), "%s_%s", prefix, key);
		for (char *c = name; *c; c++)
			*c = toupper((unsigned char)*c);
		snprintf(number, sizeof(number), "%lld", json_integer_value(value));
		if (json_is_object(value))
			err = add_fields(text, name, value);
		else if (!json_is_null(value))
			err = add_field(text, name,
					json_is_string(value) ? json_string_value(value) : number);
		if (err)
			break;
	}
	return err;
}

/* Append an entry to the batch; frees @record. */
static int add_entry(struct journal_sink *journal, const char *message, json_t *record)
{
	struct text *batch = &journal->batch;
	size_t begin = batch->len, len = 0;
	int err = record ? text_append(batch, &len, sizeof(len)) : -ENOMEM;

	if (!err)
		err = add_field(batch, "MESSAGE", message);
	if (!err)
		err = add_field(batch, "PRIORITY", INFO);
	if (!err)
		err = add_field(batch, "SYSLOG_IDENTIFIER", "shrike-flowlog");
	if (!err)
		err = add_fields(batch, PREFIX, record);
	json_decref(record);
	if (err) {
		batch->len = begin;
		return err;
	}
	len = batch->len - begin - sizeof(len);
	memcpy(batch->data + begin, &len, sizeof(len));
	return 0;
}

static int add(struct sink *sink, const struct flow_event *event,
	       const struct flow_event_names *names)
{
	char line[FLOW_LINE_MAX];

	flow_event_line(event, names, line);
	return add_entry((struct journal_sink *)sink, line, record_of_event(event, names));
}

static int add_losses(struct sink *sink, const struct flow_log_losses *losses, uint64_t time_ns)
{
	char line[128];

	snprintf(line, sizeof(line), "%llu events lost, %llu drops not sampled",
		 (unsigned long long)losses->events, (unsigned long long)losses->unsampled);
	return add_entry((struct journal_sink *)sink, line,
			 record_of_losses(losses, sink->interface, time_ns));
}

static void close_socket(struct journal_sink *journal)
{
	if (journal->fd >= 0)
		close(journal->fd);
	journal->fd = -1;
}

/* Have a socket to the journal. */
static int open_socket(struct sink *sink, struct error *error)
{
	struct journal_sink *journal = (struct journal_sink *)sink;
	const struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET};

	if (journal->fd >= 0)
		return 0;
	journal->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (journal->fd >= 0 && !connect(journal->fd, (const struct sockaddr *)&addr, sizeof(addr)))
		return 0;
	error_set(error, errno, "the journal's socket " JOURNAL_SOCKET ": %s", strerror(errno));
	close_socket(journal);
	return -error->code;
}

/* Send the entries that were not sent yet. */
static int flush(struct sink *sink, struct error *error)
{
	struct journal_sink *journal = (struct journal_sink *)sink;
	struct text *batch = &journal->batch;

	while (journal->sent < batch->len) {
		const char *entry = batch->data + journal->sent;
		size_t len;

		memcpy(&len, entry, sizeof(len));
		if (send(journal->fd, entry + sizeof(len), len, MSG_NOSIGNAL) < 0) {
			if (errno == EINTR)
				continue;
			error_set(error, errno, "the journal takes no entry: %s", strerror(errno));
			close_socket(journal);
			return -error->code;
		}
		journal->sent += sizeof(len) + len;
	}
	batch->len = journal->sent = 0;
	return 0;
}

static void free_sink(struct sink *sink)
{
	struct journal_sink *journal = (struct journal_sink *)sink;

	close_socket(journal);
	free(journal->batch.data);
	free(journal);
}

/**
 * journal_sink_new() - Write a flow log to the journal
 * @interface: whose log
 * @error: set on failure
 *
 * Return: the sink; NULL on failure.
 */
struct sink *journal_sink_new(const char *interface, struct error *error)
{
	static const struct sink_ops ops = {
		.add = add,
		.add_losses = add_losses,
		.open = open_socket,
		.flush = flush,
		.free = free_sink,
	};
	struct journal_sink *journal = sink_new(sizeof(*journal), &ops, interface, error);

	if (!journal)
		return NULL;
	journal->fd = -1;
	if (open_socket(&journal->sink, error)) {
		free_sink(&journal->sink);
		return NULL;
	}
	return &journal->sink;
}
