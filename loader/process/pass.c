/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "process/pass.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(PASS_FDS_MAX * sizeof(int))];
};

struct pass_message {
	const void *data;
	size_t len;
	const int *fds;
	int n;
};

static int send_message(int socket, const struct pass_message *message, int flags)
{
	union control control = {};
	struct iovec part = {(void *)message->data, message->len};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};

	if (message->n) {
		header.msg_control = &control;
		header.msg_controllen = CMSG_SPACE(message->n * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(message->n * sizeof(int));
		memcpy(CMSG_DATA(&control.header), message->fds, message->n * sizeof(int));
	}
	return sendmsg(socket, &header, MSG_NOSIGNAL | flags) < 0 ? -errno : 0;
}

/**
 * pass_send() - Send a message with descriptors, without waiting for room
 * @fds: stay open here
 * @n: how many, at most PASS_FDS_MAX
 *
 * Return: 0 or -errno; -EAGAIN where there is no room.
 */
int pass_send(int socket, const void *data, size_t len, const int *fds, int n)
{
	return send_message(socket, &(struct pass_message){data, len, fds, n}, MSG_DONTWAIT);
}

/**
 * pass_send_waiting() - Send a message, as soon as there is room
 *
 * Return: 0 or -errno.
 */
int pass_send_waiting(int socket, const void *data, size_t len)
{
	return send_message(socket, &(struct pass_message){data, len, NULL, 0}, 0);
}

/**
 * pass_receive() - Receive a message with descriptors, without waiting for one
 * @fds: becomes them
 * @n: room in @fds; becomes how many there are.  All others are closed.
 *
 * Return: bytes of the message, 0: the other end is closed, or -errno.
 */
ssize_t pass_receive(int socket, void *data, size_t len, int *fds, int *n)
{
	union control control;
	struct iovec part = {data, len};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t got = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int room = *n, received = 0, fd;

	*n = 0;
	if (got < 0)
		return -errno;
	if (message.msg_controllen >= sizeof(control.header) &&
	    control.header.cmsg_type == SCM_RIGHTS)
		received = (control.header.cmsg_len - CMSG_LEN(0)) / sizeof(int);
	for (int i = 0; i < received; i++) {
		memcpy(&fd, CMSG_DATA(&control.header) + i * sizeof(int), sizeof(int));
		if (i < room)
			fds[(*n)++] = fd;
		else
			close(fd);
	}
	return got;
}
