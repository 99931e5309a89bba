/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One entry of a scenario's packet list: its keys, their values, and the packet they make.
 */
#ifndef SHRIKE_SIMULATE_FIELDS_H
#define SHRIKE_SIMULATE_FIELDS_H

#include "simulate/step.h"
#include "yaml/yaml.h"

int fields_read_time(const struct yaml_reader *in, const struct yaml_node *node, void *to);
int fields_read_packet(const struct yaml_doc *doc, const struct yaml_node *node, bool ethernet,
		       struct scenario_step *step, struct error *error);

#endif /* SHRIKE_SIMULATE_FIELDS_H */
