/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The relay between the two sockets of a connection.
 *
 * It peeks at one socket, sends to the other and discards what was sent, so it buffers nothing: a
 * slow reader fills the kernel's buffers, whose window then stops the sender.  A direction that
 * could not send everything is blocked until its writer has room; one whose reader has been read
 * empty is left alone until an event says that there is more.
 *
 * A byte that is urgent (RFC 6093) stays in its place and goes on as urgent: reading stops before it.
 */
#include "forward/relay.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "forward/flows.h"
#include "forward/tcp_flow.h"

#define CHUNKS_PER_TURN 8

static bool is_harmless(int err)
{
	return err == EAGAIN || err == EWOULDBLOCK || err == EINTR;
}

static bool is_at_urgent_byte(int fd)
{
	int is_there = 0;

	return !ioctl(fd, SIOCATMARK, &is_there) && is_there;
}

/*
 * Move data in one direction until there is none, the writer is full, or the turn is over.
 *
 * Return: bytes that were moved, with @more set where the turn was too short; -errno.
 */
static ssize_t pump(struct worker *w, int from, int to, struct half *half, bool *more)
{
	ssize_t moved = 0;

	for (int i = 0; i < CHUNKS_PER_TURN; i++) {
		bool urgent = half->urgent && is_at_urgent_byte(from);
		ssize_t read, sent;

		if (half->blocked || half->shut || !half->readable)
			return moved;
		read = recv(from, w->buffer, urgent ? 1 : half->chunk, MSG_PEEK | MSG_DONTWAIT);
		if (read < 0) {
			half->readable = half->urgent = false; /* what was, has been read */
			return is_harmless(errno) ? moved : -errno;
		}
		if (!read) {
			half->shut = true;
			shutdown(to, SHUT_WR);
			return moved;
		}
		sent = send(to, w->buffer, read,
			    MSG_NOSIGNAL | MSG_DONTWAIT | (urgent ? MSG_OOB : 0));
		if (sent < 0 && !is_harmless(errno))
			return -errno;
		half->blocked = sent < read;
		if (sent <= 0)
			return moved;
		if (recv(from, NULL, sent, MSG_TRUNC | MSG_DONTWAIT) != sent)
			return -EIO;
		moved += sent;
		if (sent == (ssize_t)half->chunk && half->chunk < RELAY_BUFFER)
			half->chunk *= 2;
		else if (half->blocked)
			half->chunk = sent > RELAY_CHUNK_MIN ? sent : RELAY_CHUNK_MIN;
		else if (read < (ssize_t)half->chunk && !half->ended && !half->urgent) {
			half->readable = false; /* the kernel will say when there is more */
			return moved;
		}
		half->urgent &= !urgent;
	}
	*more = true;
	return moved;
}

/**
 * relay_turn() - Move what can be moved on a connection, both ways
 *
 * The connection may be over afterwards.
 */
void relay_turn(struct worker *w, struct tcp_flow *flow)
{
	bool more = false;
	ssize_t up = pump(w, flow->peer_fd, flow->host_fd, &flow->up, &more);
	ssize_t down = up < 0 ? up : pump(w, flow->host_fd, flow->peer_fd, &flow->down, &more);

	if (up < 0 || down < 0) {
		flow->entry.end(w, &flow->entry, END_BROKEN);
		return;
	}
	w->status->bytes_up += up;
	w->status->bytes_down += down;
	if (flow->up.shut && flow->down.shut) {
		flow->entry.end(w, &flow->entry, END_CLOSED);
		return;
	}
	if (more)
		flow_move(w, &flow->entry, &w->unfinished);
	else if (flow->entry.on == &w->unfinished)
		flow_move(w, &flow->entry, &w->connected);
	else if (up || down)
		flow_touch(w, &flow->entry);
}

/**
 * relay_continue() - Give every connection with unfinished work another turn
 */
void relay_continue(struct worker *w)
{
	struct flow_entry *last = TAILQ_LAST(&w->unfinished, flow_list), *flow;

	while (last && (flow = TAILQ_FIRST(&w->unfinished))) {
		bool is_last = flow == last;

		relay_turn(w, tcp_flow_of(flow));
		if (is_last)
			return;
	}
}
