/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Why the generation in force is there, and which try to replace it has failed (change_record.h).
 */
#ifndef SHRIKE_DATAPLANE_CHANGE_H
#define SHRIKE_DATAPLANE_CHANGE_H

#include <stdint.h>

#include "base/error.h"
#include "change_record.h"
#include "dataplane/dataplane.h"
#include "kernel/map_set.h"

#define CHANGE_TEXT_MAX 160 /* bytes of a text, with its NUL */

int change_read(const struct map_set *maps, struct change *change);
int change_write(const struct map_set *maps, const struct change *change, struct error *error);
int change_begin(const struct dataplane_request *request, const struct map_set *previous,
		 const struct generation *generation, struct error *error);
void change_failed(const struct dataplane_request *request, const char *why);
void change_who(const char *cause, uint32_t uid, char text[CHANGE_TEXT_MAX]);
void change_text(const struct change *change, char text[CHANGE_TEXT_MAX]);

#endif /* SHRIKE_DATAPLANE_CHANGE_H */
