/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A part of a YAML document as a text of its own.
 */
#ifndef SHRIKE_SIMULATE_RENDER_H
#define SHRIKE_SIMULATE_RENDER_H

#include "yaml/yaml.h"

char *render_node(const struct yaml_node *node, size_t *len);

#endif /* SHRIKE_SIMULATE_RENDER_H */
