/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Coverage-guided fuzzing of what speaks HTTP/2 with a daemon (libFuzzer).  An input is all that the
 * daemon sends, to two calls: one whose answers go on, and one that has an end.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "follow/bundle.h"
#include "follow/grpc.h"
#include "follow/messages.h"

#define TURNS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every byte of it has to be there, and is read as what the daemon says, whatever it is. */
static void on_message(struct grpc_call *call, const uint8_t *message, size_t len)
{
	uint8_t *copy = malloc(len + !len); /* of its own, so that sanitizers see its end */
	struct daemon_profile profile = {};
	struct daemon_config config = {};
	char path[BUNDLE_PATH_MAX];
	bool is_update;

	(void)call;
	if (!copy || len > GRPC_MESSAGE_MAX)
		abort();
	memcpy(copy, message, len);
	daemon_read_event(copy, len, &is_update);
	daemon_read_profile(copy, len, &profile);
	daemon_read_config(copy, len, &config);
	daemon_read_bundle(copy, len, path);
	free(copy);
}

static void drain(int fd)
{
	char buffer[4096];

	while (recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
		;
}

/* Have all of it be read, as a follower does: what comes, then what is to be sent. */
static void talk(struct grpc *grpc, int ours, int theirs)
{
	struct error error;

	for (int i = 0; i < TURNS_MAX; i++) {
		char byte;

		if (grpc_write(grpc, &error) || grpc_read(grpc, &error))
			return;
		drain(theirs);
		if (recv(ours, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
			return;
	}
}

/**
 * LLVMFuzzerTestOneInput() - Be a daemon that sends what libFuzzer has made
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct grpc_call events = {.method = "SubscribeEvents", .on_message = on_message};
	struct grpc_call config = {.method = "GetConfig", .on_message = on_message};
	struct grpc *grpc;
	struct error error;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair))
		abort();
	if (grpc_open(pair[0], DAEMON_SERVICE, &grpc, &error) ||
	    grpc_start(grpc, &events, NULL, 0, &error) ||
	    grpc_start(grpc, &config, (const uint8_t *)"\x0a\x01x", 3, &error))
		abort();
	if (size && send(pair[1], data, size, MSG_DONTWAIT) < 0)
		abort();
	shutdown(pair[1], SHUT_WR);
	talk(grpc, pair[0], pair[1]);
	grpc_close(grpc);
	/* a call that is cut off has a message that is not whole */
	free(events.in);
	free(config.in);
	close(pair[0]);
	close(pair[1]);
	return 0;
}
