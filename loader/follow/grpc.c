/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "follow/grpc.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/value.h"

#define PREFIX_LEN   5 /* before each message: whether it is compressed, and its length */
#define READ_BYTES   65536
#define PATH_MAX_LEN 128
#define STATUS_MAX   8 /* digits of a status */

struct grpc {
	nghttp2_session *session;
	int fd;
	const char *service;
	const char *fault; /* why the service cannot be listened to any longer */
};

static struct grpc_call *call_of(nghttp2_session *session, int32_t stream)
{
	return nghttp2_session_get_stream_user_data(session, stream);
}

static ssize_t on_send(nghttp2_session *session, const uint8_t *data, size_t len, int flags,
		       void *arg)
{
	const struct grpc *grpc = arg;
	ssize_t sent = send(grpc->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	(void)session;
	(void)flags;
	if (sent >= 0)
		return sent;
	return errno == EAGAIN || errno == EINTR ? NGHTTP2_ERR_WOULDBLOCK
						 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static bool is_name(const uint8_t *name, size_t len, const char *text)
{
	return len == strlen(text) && !memcmp(name, text, len);
}

/* A header or a trailer: what the service says of the call. */
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *arg)
{
	struct grpc_call *call = call_of(session, frame->hd.stream_id);
	char digits[STATUS_MAX];

	(void)flags;
	(void)arg;
	if (!call)
		return 0;
	if (is_name(name, name_len, "grpc-status")) {
		snprintf(digits, sizeof(digits), "%.*s", (int)value_len, (const char *)value);
		call->status = atoi(digits);
	} else if (is_name(name, name_len, "grpc-message")) {
		snprintf(call->reason, sizeof(call->reason), "%.*s", (int)value_len,
			 (const char *)value);
		text_make_printable(call->reason);
	}
	return 0;
}

static size_t length_of(const uint8_t *prefix)
{
	return (size_t)prefix[1] << 24 | (size_t)prefix[2] << 16 | (size_t)prefix[3] << 8 |
	       prefix[4];
}

static int fail(struct grpc *grpc, const char *fault)
{
	grpc->fault = fault;
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* Give on all messages that have come whole, and keep the rest. */
static int take_messages(struct grpc *grpc, struct grpc_call *call)
{
	size_t done = 0;

	while (call->in_len - done >= PREFIX_LEN) {
		const uint8_t *prefix = call->in + done;
		size_t len = length_of(prefix);

		if (prefix[0])
			return fail(grpc, "it sends a compressed message");
		if (len > GRPC_MESSAGE_MAX)
			return fail(grpc, "it sends a message that is too long");
		if (call->in_len - done - PREFIX_LEN < len)
			break;
		call->on_message(call, prefix + PREFIX_LEN, len);
		done += PREFIX_LEN + len;
	}
	call->in_len -= done;
	memmove(call->in, call->in + done, call->in_len);
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
		   size_t len, void *arg)
{
	struct grpc_call *call = call_of(session, stream);
	struct grpc *grpc = arg;
	uint8_t *larger;

	(void)flags;
	if (!call)
		return 0;
	/* take_messages() leaves no more than a part of one message */
	larger = realloc(call->in, call->in_len + len);
	if (!larger)
		return fail(grpc, "there is no memory for what it sends");
	call->in = larger;
	memcpy(call->in + call->in_len, data, len);
	call->in_len += len;
	return take_messages(grpc, call);
}

/**
 * grpc_end() - Free what has come of a call, whose connection may be closed already
 */
void grpc_end(struct grpc_call *call)
{
	free(call->in);
	call->in = NULL;
	call->in_len = 0;
	call->is_over = true;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *arg)
{
	struct grpc_call *call = call_of(session, stream);

	(void)arg;
	if (!call)
		return 0;
	if (call->status == GRPC_UNKNOWN && !call->reason[0])
		snprintf(call->reason, sizeof(call->reason), "the stream has ended (%s)",
			 nghttp2_http2_strerror(code));
	grpc_end(call);
	return 0;
}

/* The request's bytes, when libnghttp2 can send them. */
static ssize_t give_request(nghttp2_session *session, int32_t stream, uint8_t *buffer, size_t size,
			    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct grpc_call *call = source->ptr;
	size_t left = call->request_len - call->sent, len = left < size ? left : size;

	(void)session;
	(void)stream;
	(void)arg;
	memcpy(buffer, call->request + call->sent, len);
	call->sent += len;
	if (call->sent == call->request_len)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return len;
}

/* A service that is about to leave takes no calls any more, though those under way may last for ever. */
static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	(void)session;
	return frame->hd.type == NGHTTP2_GOAWAY ? fail(arg, "it has ended the connection") : 0;
}

static int new_session(struct grpc *grpc)
{
	const nghttp2_settings_entry no_push = {NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
	nghttp2_session_callbacks *callbacks;
	int err = nghttp2_session_callbacks_new(&callbacks);

	if (err)
		return err;
	nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	err = nghttp2_session_client_new(&grpc->session, callbacks, grpc);
	nghttp2_session_callbacks_del(callbacks);
	return err ? err : nghttp2_submit_settings(grpc->session, NGHTTP2_FLAG_NONE, &no_push, 1);
}

/**
 * grpc_open() - Begin to talk to a service
 * @fd: a connection to it; stays the caller's
 * @service: its full name; stays where it is
 * @grpc: set to the connection, for grpc_close()
 * @error: set on failure
 *
 * Return: 0 or -ENOMEM.
 */
int grpc_open(int fd, const char *service, struct grpc **grpc, struct error *error)
{
	struct grpc *fresh = calloc(1, sizeof(*fresh));

	if (!fresh)
		return error_no_memory(error);
	fresh->fd = fd;
	fresh->service = service;
	if (new_session(fresh)) {
		grpc_close(fresh);
		return error_no_memory(error);
	}
	*grpc = fresh;
	return 0;
}

/**
 * grpc_close() - Free what there is of the connection; calls of it are never over
 */
void grpc_close(struct grpc *grpc)
{
	nghttp2_session_del(grpc->session);
	free(grpc);
}

/* Have libnghttp2 send the request. */
static int submit(struct grpc *grpc, struct grpc_call *call, const char *path)
{
#define HEADER(name, value)                                                                        \
	{                                                                                          \
		(uint8_t *)name, (uint8_t *)value, sizeof(name) - 1, strlen(value), 0              \
	}
	const nghttp2_nv headers[] = {
		HEADER(":method", "POST"),
		HEADER(":scheme", "http"),
		HEADER(":path", path),
		HEADER(":authority", "localhost"),
		HEADER("content-type", "application/grpc"),
		HEADER("te", "trailers"),
		HEADER("user-agent", "shrike"),
	};
#undef HEADER
	const nghttp2_data_provider body = {.source.ptr = call, .read_callback = give_request};

	call->stream = nghttp2_submit_request(grpc->session, NULL, headers,
					      sizeof(headers) / sizeof(*headers), &body, call);
	return call->stream < 0 ? -ENOMEM : 0;
}

/**
 * grpc_start() - Call a method
 * @grpc: the connection
 * @call: with method and callback set
 * @request: the message
 * @len: in bytes, at most GRPC_REQUEST_MAX
 * @error: set on failure
 *
 * It is sent by the next grpc_write().
 *
 * Return: 0, -E2BIG or -ENOMEM.
 */
int grpc_start(struct grpc *grpc, struct grpc_call *call, const uint8_t *request, size_t len,
	       struct error *error)
{
	char path[PATH_MAX_LEN];

	if (len > GRPC_REQUEST_MAX)
		return error_set(error, E2BIG, "%s: the request is too long", call->method);
	snprintf(path, sizeof(path), "/%s/%s", grpc->service, call->method);
	memset(call->request, 0, PREFIX_LEN);
	call->request[PREFIX_LEN - 2] = len >> 8;
	call->request[PREFIX_LEN - 1] = len;
	if (len)
		memcpy(call->request + PREFIX_LEN, request, len);
	call->request_len = PREFIX_LEN + len;
	call->sent = 0;
	call->is_over = false;
	call->status = GRPC_UNKNOWN;
	call->reason[0] = '\0';
	return submit(grpc, call, path) ? error_no_memory(error) : 0;
}

static int connection_error(const struct grpc *grpc, const char *why, struct error *error)
{
	return error_set(error, ECONNRESET, "%s", grpc->fault ? grpc->fault : why);
}

/**
 * grpc_read() - Take what has come, and give it to the calls that it is for
 * @grpc: the connection
 * @error: set on failure
 *
 * Return: 0; -ECONNRESET: the service is gone, or does not speak as it should.
 */
int grpc_read(struct grpc *grpc, struct error *error)
{
	uint8_t buffer[READ_BYTES];
	ssize_t got = recv(grpc->fd, buffer, sizeof(buffer), MSG_DONTWAIT), taken;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got < 0)
		return connection_error(grpc, strerror(errno), error);
	if (!got)
		return connection_error(grpc, "it has closed the connection", error);
	taken = nghttp2_session_mem_recv(grpc->session, buffer, got);
	if (taken < 0)
		return connection_error(grpc, nghttp2_strerror(taken), error);
	return 0;
}

/**
 * grpc_write() - Send what waits, as far as there is room
 * @grpc: the connection
 * @error: set on failure
 *
 * Return: 0, or -ECONNRESET.
 */
int grpc_write(struct grpc *grpc, struct error *error)
{
	int err = nghttp2_session_send(grpc->session);

	if (err)
		return connection_error(grpc, nghttp2_strerror(err), error);
	if (!nghttp2_session_want_read(grpc->session))
		return connection_error(grpc, "it has ended the connection", error);
	return 0;
}

/**
 * grpc_wants_write() - Whether something waits for room
 */
bool grpc_wants_write(const struct grpc *grpc)
{
	return nghttp2_session_want_write(grpc->session);
}
