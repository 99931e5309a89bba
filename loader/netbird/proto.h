/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Values of a protocol buffers message written as JSON, as NetBird's debug bundles hold it: fields
 * under their own or their camel-case names, enums as names, bytes in base64, and fields that may
 * be missing or null where they have their default.
 */
#ifndef SHRIKE_NETBIRD_PROTO_H
#define SHRIKE_NETBIRD_PROTO_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/address.h"
#include "base/value.h"

bool proto_is_name(const char *a, const char *b);
json_t *proto_get(const json_t *object, const char *name);
const char *proto_string(const json_t *value);
const char *proto_text(const json_t *object, const char *name);
int proto_enum(const json_t *object, const char *name, const char *const *words, size_t n_words);
ssize_t proto_bytes(const json_t *value, uint8_t *bytes, size_t size);
int proto_ports(const json_t *info, struct port_range *ports);
int proto_prefix(const char *text, struct prefix *prefix);
int proto_compact_prefix(const uint8_t *bytes, size_t n, struct prefix *prefix);

#endif /* SHRIKE_NETBIRD_PROTO_H */
