/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Network maps as tests write them, and the policies made of them. */
#ifndef SHRIKE_TESTS_NETBIRD_MAP_H
#define SHRIKE_TESTS_NETBIRD_MAP_H

#include <jansson.h>
#include <stdbool.h>

#include "netbird/import.h"

/* What the last import made: as text, and parsed; or why it made nothing. */
extern struct netbird_import import;
extern json_t *policy;
extern struct error error;

/* All that a map does not tell is known, so that nothing is noted of it. */
extern const struct netbird_options known;

#define SSH(peer) "{'PolicyID': 'cA==', 'PeerIP': '" peer "', 'Protocol': 'TCP', 'Port': '22'}"
#define ROUTED(source, destination)                                                                \
	"{'PolicyID': 'cA==', 'sourceRanges': ['" source "'], 'destination': '" destination        \
	"', 'protocol': 'TCP', 'portInfo': {'port': 443}}"

int import_text(const char *text, const struct netbird_options *options);
void import_with(const char *fields, const struct netbird_options *options);
void import_fields(const char *fields);
void check_and_free(void);
void check_yaml(const char *fields);
bool is_noted(const char *words);
void expect_part(const char *fields, const char *key, const char *expected);

#endif /* SHRIKE_TESTS_NETBIRD_MAP_H */
