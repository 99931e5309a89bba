/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "follow/incoming.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "yaml/yaml.h"

/**
 * incoming_init() - No pipe yet
 */
void incoming_init(struct incoming *incoming)
{
	*incoming = (struct incoming){.fd = -1};
}

/**
 * incoming_open() - Have policies come by a pipe
 * @fd: its end, non-blocking; owned from here on
 */
void incoming_open(struct incoming *incoming, int fd)
{
	incoming_close(incoming);
	incoming->fd = fd;
}

/**
 * incoming_begin() - A policy has been announced
 * @serial: of its map
 * @len: bytes of it
 *
 * Return: 0; -E2BIG: no policy is as large; -EPROTO: another one has not come whole; -ENOMEM.
 */
int incoming_begin(struct incoming *incoming, uint64_t serial, uint64_t len)
{
	char *text;

	if (!len || len > YAML_TEXT_MAX)
		return -E2BIG;
	if (incoming->want)
		return -EPROTO;
	text = malloc(len + 1);
	if (!text)
		return -ENOMEM;
	incoming->text = text;
	incoming->len = 0;
	incoming->want = len;
	incoming->serial = serial;
	return 0;
}

/**
 * incoming_read() - Read what has come of a policy that has been announced
 */
enum incoming_state incoming_read(struct incoming *incoming)
{
	ssize_t got;

	if (!incoming->want)
		return INCOMING_NOTHING;
	got = read(incoming->fd, incoming->text + incoming->len, incoming->want - incoming->len);
	if (got <= 0)
		return got ? INCOMING_NOTHING : INCOMING_ENDED;
	incoming->len += got;
	if (incoming->len < incoming->want)
		return INCOMING_PART;
	incoming->text[incoming->len] = '\0';
	return INCOMING_WHOLE;
}

/**
 * incoming_reset() - Wait for the next one
 */
void incoming_reset(struct incoming *incoming)
{
	free(incoming->text);
	incoming->text = NULL;
	incoming->len = incoming->want = 0;
}

/**
 * incoming_close() - Close the pipe, if there is one
 */
void incoming_close(struct incoming *incoming)
{
	incoming_reset(incoming);
	if (incoming->fd >= 0)
		close(incoming->fd);
	incoming->fd = -1;
}
