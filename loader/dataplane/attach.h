/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Attaches a generation's programs to the hooks of an interface: both of them or, after a failure,
 * none.
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
	bool is_attached[HOOK_POINTS]; /* the new program is attached */
	int replaced_fds[HOOK_POINTS]; /* the programs that were replaced, -1: none */
	struct pins pins;
};

void attachment_init(struct attachment *a);
int attachment_open_pins(struct attachment *a, struct error *error);
int attachment_attach(struct attachment *a, struct error *error);
int attachment_pin(struct attachment *a, struct error *error);
void attachment_end(struct attachment *a);

#endif /* SHRIKE_DATAPLANE_ATTACH_H */
