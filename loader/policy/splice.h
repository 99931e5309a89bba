/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Another content for a set in a policy's text, in which all else stays byte by byte.
 *
 * libfyaml's documents would keep comments as well, but take seconds for large policies
 * (yaml_parse.c).  So only the lines or the brackets of the set are written anew.
 */
#ifndef SHRIKE_POLICY_SPLICE_H
#define SHRIKE_POLICY_SPLICE_H

#include <stddef.h>

#include "base/error.h"
#include "policy/set_element.h"
#include "yaml/yaml.h"

/* What a set is to hold, and where it is. */
struct splice {
	const char *text; /* NUL-terminated */
	size_t len;
	const struct yaml_node *set;
	const struct set_element *elements; /* sorted, each once */
	size_t n_elements;
};

int splice_write(const struct splice *splice, char **text, size_t *len, struct error *error);

#endif /* SHRIKE_POLICY_SPLICE_H */
