/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Calls of a gRPC service over one connection: HTTP/2 by libnghttp2, messages as bytes.
 *
 * What the service sends is bounded: a message by GRPC_MESSAGE_MAX, a stream by what its caller
 * takes, all else by libnghttp2.
 */
#ifndef SHRIKE_FOLLOW_GRPC_H
#define SHRIKE_FOLLOW_GRPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define GRPC_MESSAGE_MAX   ((size_t)1 << 20) /* bytes of one that is received */
#define GRPC_REQUEST_MAX   256		     /* bytes of one that is sent */
#define GRPC_REASON_MAX	   160
#define GRPC_OK		   0
#define GRPC_UNIMPLEMENTED 12
#define GRPC_UNKNOWN	   -1 /* no status has come */

struct grpc;
struct grpc_call;

typedef void (*grpc_message_fn)(struct grpc_call *call, const uint8_t *message, size_t len);

/*
 * struct grpc_call - one call; lives until it is over, or the connection closed
 * @method: its name, without that of the service
 * @on_message: called with each message that comes; @arg is for it
 * @is_over: the stream has ended
 * @status: what the service says of it when it is over
 * @reason: the same in words, printable
 */
struct grpc_call {
	const char *method;
	grpc_message_fn on_message;
	void *arg;
	bool is_over;
	int status;
	char reason[GRPC_REASON_MAX];

	/* private to grpc.c */
	int32_t stream;
	uint8_t request[5 + GRPC_REQUEST_MAX];
	size_t request_len;
	size_t sent;
	uint8_t *in; /* of a message that has not come whole */
	size_t in_len;
};

int grpc_open(int fd, const char *service, struct grpc **grpc, struct error *error);
void grpc_close(struct grpc *grpc);
int grpc_start(struct grpc *grpc, struct grpc_call *call, const uint8_t *request, size_t len,
	       struct error *error);
void grpc_end(struct grpc_call *call);
int grpc_read(struct grpc *grpc, struct error *error);
int grpc_write(struct grpc *grpc, struct error *error);
bool grpc_wants_write(const struct grpc *grpc);

#endif /* SHRIKE_FOLLOW_GRPC_H */
