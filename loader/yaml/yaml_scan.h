/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SHRIKE_YAML_YAML_SCAN_H
#define SHRIKE_YAML_YAML_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "yaml/position.h"

const char *yaml_scan_text(const char *text, size_t len, struct position *at);
const char *yaml_scan_scalar(const char *text, size_t len);
bool yaml_scan_name(const char *name);
const char *yaml_scan_head(const char *text, size_t len, size_t *start, struct position *at);

#endif /* SHRIKE_YAML_YAML_SCAN_H */
