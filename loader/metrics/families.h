/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What `status -j` says of interfaces, as families of metrics.
 *
 * Series stay few: each label has the values of one of this tree's lists, or names an interface, a
 * table or an uplink, but for the ids of rules, of which METRICS_RULES_MAX have series of their own.
 */
#ifndef SHRIKE_METRICS_FAMILIES_H
#define SHRIKE_METRICS_FAMILIES_H

#include <jansson.h>

#define METRICS_RULES_MAX   1000 /* of an interface: those whose ids have been in force longest, */
#define METRICS_OTHER_RULES "_other" /* and this stands for the rest, by list and action */

json_t *metrics_families(const json_t *interfaces);

#endif /* SHRIKE_METRICS_FAMILIES_H */
