/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * YAML and JSON files as a tree of values that know their line and column.
 *
 * The tree holds plain data only: no anchors, aliases, tags or second documents, every key is
 * text and unique in its mapping, and no text contains a control character, so that it may be
 * quoted in a message of one line.  Depth, number of values and time are bounded whatever the
 * input (see the limits below).
 */
#ifndef SHRIKE_YAML_YAML_H
#define SHRIKE_YAML_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "yaml/position.h"

#define YAML_TEXT_MAX  ((size_t)64 << 20) /* bytes of a file */
#define YAML_NODES_MAX 2097152u		  /* values of a file */
#define YAML_KEYS_MAX  262144u		  /* keys of one mapping */
#define YAML_DEPTH_MAX 16u		  /* mappings and lists within each other */

enum yaml_kind {
	YAML_SCALAR,
	YAML_SEQUENCE,
	YAML_MAPPING,
};

struct yaml_node {
	const char *text; /* of a scalar, else NULL */
	const char *key;  /* of a value in a mapping, else NULL */
	struct yaml_node *next;
	struct yaml_node *first; /* value of a sequence or mapping */
	struct position position;
	struct position key_position;
	uint32_t n_children;
	uint8_t kind; /* enum yaml_kind */
	bool plain;   /* a scalar without quotes */
};

struct yaml_doc;

/* What all functions that read values of a file are given. */
struct yaml_reader {
	const struct yaml_doc *doc; /* for positions in errors */
	void *context;		    /* the caller's own */
	struct error *error;	    /* set with file, line and column on failure */
};

/*
 * yaml_read_fn - reads one value
 * @in: the file
 * @node: the value
 * @to: where to
 *
 * Return: 0 or -errno.
 */
typedef int (*yaml_read_fn)(const struct yaml_reader *in, const struct yaml_node *node, void *to);

/* A key that a mapping may have. */
struct yaml_field {
	const char *key;
	yaml_read_fn read;
	size_t offset; /* of the value in the struct that the mapping describes */
};

int yaml_parse(const char *path, const char *text, size_t len, struct yaml_doc **doc,
	       struct error *error);
void yaml_free(struct yaml_doc *doc);
const struct yaml_node *yaml_root(const struct yaml_doc *doc);

typedef void (*yaml_on_error)(void *arg, const struct error *error);

void yaml_set_places(const struct yaml_doc *doc, const struct place *places, size_t n);
const char *yaml_path(const struct yaml_doc *doc, struct position *at);
void yaml_collect(struct yaml_doc *doc, yaml_on_error on_error, void *arg);
int yaml_go_on(const struct yaml_doc *doc, const struct error *error, int err);
size_t yaml_n_errors(const struct yaml_doc *doc);
int yaml_error(const struct yaml_doc *doc, struct position at, struct error *error,
	       const char *format, ...) __attribute__((format(printf, 4, 5)));
int yaml_locate(const struct yaml_doc *doc, struct position at, struct error *error);

bool yaml_is_null(const struct yaml_node *node);
const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key);
const struct yaml_node *yaml_list_first(const struct yaml_node *node);
const struct yaml_node *yaml_list_next(const struct yaml_node *node, const struct yaml_node *item);
size_t yaml_list_count(const struct yaml_node *node);

int yaml_expect(const struct yaml_doc *doc, const struct yaml_node *node, enum yaml_kind kind,
		const char *what, struct error *error);
int yaml_require(const struct yaml_doc *doc, const struct yaml_node *mapping, const char *key,
		 struct error *error);
int yaml_read_fields(const struct yaml_reader *in, const struct yaml_node *node,
		     const struct yaml_field *fields, size_t n_fields, void *to);
int yaml_read_bool(const struct yaml_reader *in, const struct yaml_node *node, void *to);
int yaml_read_choice(const struct yaml_doc *doc, const struct yaml_node *node,
		     const char *const *names, unsigned int *choice, struct error *error);

#endif /* SHRIKE_YAML_YAML_H */
