/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A generation's programs at the hooks of an interface, with a way back until both are there.
 */
#ifndef SHRIKE_DATAPLANE_ATTACH_H
#define SHRIKE_DATAPLANE_ATTACH_H

#include "dataplane/dataplane.h"
#include "dataplane/mode.h"
#include "kernel/pins.h"

/*
 * struct attachment - programs on their way to the hooks
 * @to: what is attached: a link, a generation, and the links at the hooks that this opens
 * @hooks: what was there before, by enum hook_point
 * @mode: which hook, and how
 * @caller: who holds the links afterwards
 */
struct attachment {
	struct dataplane *to;
	const struct hook_state *hooks;
	const struct mode *mode;
	enum dataplane_caller caller;

	/* private to attach.c */
	bool is_put[HOOK_POINTS];    /* the new programs are there */
	int before_fds[HOOK_POINTS]; /* the programs whose place they took, -1: none */
	struct pins pins;
};

void attachment_init(struct attachment *a);
int attachment_open_pins(struct attachment *a, struct error *error);
int attachment_put(struct attachment *a, struct error *error);
int attachment_pin(struct attachment *a, struct error *error);
void attachment_end(struct attachment *a);

#endif /* SHRIKE_DATAPLANE_ATTACH_H */
