/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Changing a named set of a policy that is in force.
 *
 * The set's content is changed in the policy's text, so that what is in force is always one text that
 * can be read back.  All else of it stays as it is (policy/splice.h).
 */
#ifndef SHRIKE_POLICY_SETS_H
#define SHRIKE_POLICY_SETS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"
#include "base/error.h"
#include "policy/set_element.h"

enum sets_operation {
	SETS_ADD,
	SETS_DEL,
	SETS_REPLACE,
};

/*
 * struct sets_change - what to do with a set
 * @name: of the set
 * @leaves_timed: elements with a timeout are neither taken in nor out
 */
struct sets_change {
	const char *name;
	enum sets_operation operation;
	struct set_element *elements;
	size_t n_elements;
	bool leaves_timed;
};

/* What a change came to. */
struct sets_result {
	size_t added;
	size_t removed;
	size_t unchanged; /* given, and there already (add), or not there (del) */
	size_t n;	  /* elements in the set afterwards */
	size_t renewed;	  /* given, and there already, but not for the same time */
};

/* A policy as text. */
struct sets_text {
	const char *path; /* for messages */
	char *text;
	size_t len;
};

/*
 * struct sets_source - somebody who knows what some sets hold
 * @find: the content of the set of that name, sorted by sets_sort() and not to be freed; false: not
 *	known
 * @one_line: the text is to be one, as NetBird's part of a policy is (policy/part.h)
 */
struct sets_source {
	bool (*find)(void *arg, const char *name, const struct prefix **prefixes, size_t *n);
	void *arg;
	bool one_line;
};

typedef void (*sets_visit_fn)(void *arg, const char *name, const struct prefix *prefixes, size_t n);

size_t sets_sort(struct prefix *prefixes, size_t n);
int sets_change(const struct sets_text *from, const struct sets_change *change,
		struct sets_text *to, struct sets_result *result, struct error *error);
int sets_fill(const struct sets_text *from, const struct sets_source *source, struct sets_text *to,
	      struct sets_result *result, struct error *error);
int sets_visit(const struct sets_text *from, sets_visit_fn visit, void *arg, struct error *error);

#endif /* SHRIKE_POLICY_SETS_H */
