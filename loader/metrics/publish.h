/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * `run` serves metrics: the socket that listens is its own, a server without rights (server.h) answers
 * on it, and a collector (collector.h) makes what is answered, one at a time and not too often.
 */
#ifndef SHRIKE_METRICS_PUBLISH_H
#define SHRIKE_METRICS_PUBLISH_H

#include "base/error.h"
#include "metrics/report.h"

struct publish;

/*
 * struct publish_user - who serves metrics
 * @address: of listen_open()
 * @collect: called in a process of its own, which has the rights of this one
 * @on_failure: called with what has failed; serving goes on
 * @arg: for @on_failure
 */
struct publish_user {
	const char *ifname;
	const char *address;
	metrics_collect collect;
	void (*on_failure)(void *arg, const char *what);
	void *arg;
};

int publish_new(const struct publish_user *user, struct publish **publish, struct error *error);
int publish_fd(const struct publish *publish);
void publish_ready(struct publish *publish);
void publish_check(struct publish *publish);
void publish_free(struct publish *publish);

#endif /* SHRIKE_METRICS_PUBLISH_H */
