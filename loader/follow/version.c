/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "follow/version.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/value.h"
#include "follow/daemon_socket.h"
#include "follow/grpc.h"

#define DEADLINE_NS (5 * NS_PER_S)

static void on_status(struct grpc_call *call, const uint8_t *message, size_t len)
{
	char *version = call->arg;

	if (daemon_read_version(message, len, version))
		version[0] = '\0';
	text_make_printable(version);
}

/* Talk until the call is over. */
static int talk(struct grpc *grpc, struct grpc_call *call, int fd, struct error *error)
{
	uint64_t end_ns = clock_ns(CLOCK_MONOTONIC) + DEADLINE_NS, now_ns;
	int err = grpc_write(grpc, error);

	while (!err && !call->is_over && (now_ns = clock_ns(CLOCK_MONOTONIC)) < end_ns) {
		struct pollfd ready = {
			.fd = fd,
			.events = POLLIN | (grpc_wants_write(grpc) ? POLLOUT : 0),
		};

		poll(&ready, 1, (end_ns - now_ns) / NS_PER_MS + 1);
		err = grpc_read(grpc, error);
		if (!err)
			err = grpc_write(grpc, error);
	}
	if (!err && !call->is_over)
		err = error_set(error, ETIMEDOUT, "it does not answer within %llu s",
				(unsigned long long)(DEADLINE_NS / NS_PER_S));
	if (!err && call->status != GRPC_OK)
		err = error_set(error, EREMOTEIO, "status %d %s", call->status, call->reason);
	return err;
}

/**
 * daemon_version() - Ask the daemon for its version
 * @socket: of the daemon
 * @version: set to it, printable; empty where the daemon does not say it
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int daemon_version(const char *socket, char version[DAEMON_NAME_MAX], struct error *error)
{
	struct grpc_call call = {.method = "Status", .on_message = on_status, .arg = version};
	struct grpc *grpc;
	int fd, err = daemon_connect(socket, &fd, error);

	if (err)
		return err;
	version[0] = '\0';
	err = grpc_open(fd, DAEMON_SERVICE, &grpc, error);
	if (!err) {
		err = grpc_start(grpc, &call, NULL, 0, error);
		if (!err)
			err = talk(grpc, &call, fd, error);
		grpc_close(grpc);
		grpc_end(&call);
	}
	close(fd);
	return err ? error_prefix(error, "%s", socket) : 0;
}
