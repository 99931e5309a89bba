/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "follow/mirror.h"

#include <errno.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/value.h"
#include "kernel/nftables.h"
#include "netbird/nft_mirror.h"
#include "netbird/nft_sets.h"

/* NetBird makes changes one by one: they are read when there were none for so long, or after so long. */
#define PAUSE_NS     (300 * NS_PER_MS)
#define PAUSE_MAX_NS (2 * NS_PER_S)
#define AGAIN_MAX_NS (60 * NS_PER_S) /* at most, until what has failed is tried again */

/*
 * struct mirror_follow - the tables, followed
 * @events: hears of changes
 * @timer_fd: to read them
 * @changed_ns: when the first change came that has not been read; 0: none has
 * @has: of them, as of nft_mirror_read(); 0 where none was there
 * @again_ns: how long what has failed was waited with; 0: nothing has
 */
struct mirror_follow {
	struct follow_user user;
	struct follow_status status;
	struct nftables *events;
	int epoll_fd;
	int timer_fd;
	uint64_t changed_ns;
	uint32_t has;
	uint64_t again_ns;
};

static int watch(const struct mirror_follow *mirror, int fd, struct error *error)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (fd < 0 || epoll_ctl(mirror->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		return error_set(error, errno, "cannot wait for events: %s", strerror(errno));
	return 0;
}

/* There is a change: read when no more of them come. */
static void read_soon(struct mirror_follow *mirror)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC), left_ns;

	if (!mirror->changed_ns)
		mirror->changed_ns = now_ns;
	left_ns = mirror->changed_ns + PAUSE_MAX_NS > now_ns
			  ? mirror->changed_ns + PAUSE_MAX_NS - now_ns
			  : 1;
	clock_arm(mirror->timer_fd, left_ns < PAUSE_NS ? left_ns : PAUSE_NS);
}

/**
 * mirror_new() - Follow the tables from now on
 * @user: who; its socket and interval are not looked at
 * @mirror: set to what follows, for mirror_free()
 * @error: set on failure
 *
 * Tables that are not there are no failure: they may come.  Callbacks are called by mirror_ready().
 *
 * Return: 0 or -errno.
 */
int mirror_new(const struct follow_user *user, struct mirror_follow **mirror, struct error *error)
{
	struct mirror_follow *fresh = calloc(1, sizeof(*fresh));
	int err;

	if (!fresh)
		return error_no_memory(error);
	fresh->user = *user;
	snprintf(fresh->status.socket, sizeof(fresh->status.socket), "%s", MIRROR_SOCKET);
	fresh->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	fresh->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	err = watch(fresh, fresh->timer_fd, error);
	if (!err)
		err = nftables_open(true, &fresh->events, error);
	if (!err)
		err = watch(fresh, nftables_fd(fresh->events), error);
	if (err) {
		mirror_free(fresh);
		return err;
	}
	clock_arm(fresh->timer_fd, 1); /* at once, but not before this returns */
	*mirror = fresh;
	return 0;
}

/**
 * mirror_fd() - Readable when mirror_ready() has something to do
 */
int mirror_fd(const struct mirror_follow *mirror)
{
	return mirror->epoll_fd;
}

static int on_event(void *arg, const struct nftables_message *message)
{
	struct nlattr *attributes[NFTA_SET_MAX + 1];
	struct mirror_follow *mirror = arg;

	/* the table is the same attribute of all */
	if (!nftables_attributes(message, attributes, NFTA_SET_MAX) &&
	    !strcmp(nftables_text(attributes[NFTA_SET_TABLE]), NETBIRD_TABLE))
		read_soon(mirror);
	return 0;
}

static void fail(struct mirror_follow *mirror, const char *why)
{
	struct follow_status *status = &mirror->status;

	if (!status->why[0])
		status->stale_ns = clock_kernel_ns(CLOCK_MONOTONIC);
	snprintf(status->why, sizeof(status->why), "%.*s", FOLLOW_WHY_MAX - 1, why);
	text_make_printable(status->why);
	mirror->user.on_change(mirror->user.arg, status);
}

/* No event tells that what has failed would not fail now: once more, after twice as long each time. */
static void try_again(struct mirror_follow *mirror)
{
	mirror->again_ns = mirror->again_ns ? mirror->again_ns * 2 : NS_PER_S;
	if (mirror->again_ns > AGAIN_MAX_NS)
		mirror->again_ns = AGAIN_MAX_NS;
	clock_arm(mirror->timer_fd, mirror->again_ns);
}

/* Read the tables, and have them put into force. */
static void read_tables(struct mirror_follow *mirror)
{
	struct follow_status *status = &mirror->status;
	struct nft_mirrored mirrored;
	struct error error;
	int err = nft_mirror_read(mirror->user.ifname, mirror->has, &mirrored, &error);

	if (err == -EAGAIN)
		read_soon(mirror);
	if (err == -ENOENT)
		mirror->has = 0; /* whatever comes is as NetBird makes it from then on */
	if (err) {
		/* what is not understood, or is not there, changes with an event */
		if (err != -EAGAIN && err != -ENOENT && err != -EOPNOTSUPP)
			try_again(mirror);
		fail(mirror, error.text);
		return;
	}
	err = mirror->user.on_map(mirror->user.arg, mirrored.generation, mirrored.text,
				  mirrored.len, &error);
	free(mirrored.text);
	if (err) {
		try_again(mirror);
		fail(mirror, error.text);
		return;
	}
	mirror->again_ns = 0;
	mirror->has = mirrored.has;
	status->serial = mirrored.generation;
	status->map_ns = clock_kernel_ns(CLOCK_MONOTONIC);
	status->why[0] = '\0';
	mirror->user.on_change(mirror->user.arg, status);
}

/**
 * mirror_ready() - Do what there is to do
 */
void mirror_ready(struct mirror_follow *mirror)
{
	struct error error;
	uint64_t ticks;
	bool lost;

	if (nftables_read(mirror->events, on_event, mirror, &lost, &error))
		fail(mirror, error.text);
	else if (lost)
		read_soon(mirror);
	if (read(mirror->timer_fd, &ticks, sizeof(ticks)) != sizeof(ticks))
		return;
	mirror->changed_ns = 0;
	read_tables(mirror);
}

/**
 * mirror_forget() - Take the tables as they are, whatever has been there before, as the user has asked
 * for it
 */
void mirror_forget(struct mirror_follow *mirror)
{
	mirror->has = 0;
	read_soon(mirror);
}

/**
 * mirror_free() - Follow no longer; NULL is nothing and fine
 */
void mirror_free(struct mirror_follow *mirror)
{
	if (!mirror)
		return;
	nftables_close(mirror->events);
	if (mirror->timer_fd >= 0)
		close(mirror->timer_fd);
	if (mirror->epoll_fd >= 0)
		close(mirror->epoll_fd);
	free(mirror);
}
