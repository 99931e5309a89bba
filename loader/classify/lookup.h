/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Addresses, ports and protocols to classes.
 */
#ifndef SHRIKE_CLASSIFY_LOOKUP_H
#define SHRIKE_CLASSIFY_LOOKUP_H

#include "classify/compile.h"

int lookup_addresses(struct build *build, enum classify_dimension dimension);
int lookup_ports(struct build *build, enum classify_dimension dimension);
int lookup_protocols(struct build *build);

#endif /* SHRIKE_CLASSIFY_LOOKUP_H */
