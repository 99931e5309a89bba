/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The past of an interface with other addresses and names, so that it can be given away and still
 * answers the same questions.
 *
 * Texts of policies are written anew, as JSON and without comments, which cannot be told from names.
 */
#ifndef SHRIKE_INCIDENT_PAST_HIDE_H
#define SHRIKE_INCIDENT_PAST_HIDE_H

#include "incident/anonymise.h"
#include "incident/past.h"

void past_hide_names(const struct incident_past *past, struct anonymiser *anonymiser);
int past_hide(struct incident_past *past, struct anonymiser *anonymiser, struct error *error);

#endif /* SHRIKE_INCIDENT_PAST_HIDE_H */
