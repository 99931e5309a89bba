/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * libfyaml's events to a tree of values.
 *
 * Events and not libfyaml's own documents, which take 3.1 s and 730 MB for 100,000 rules where
 * events take 0.4 s and 18 MB, look for duplicate keys in quadratic time, and expand aliases.
 *
 * libfyaml reads ahead without a bound where a key might follow ("[[[[..." on one line), at up
 * to a microsecond and 100 bytes per byte.  So it is fed through a callback that stops when
 * LOOKAHEAD_MAX bytes have brought no event.  One-line JSON would be such a case as well: after
 * "---" no key can start with a bracket, so that is put in front of a file that does.
 */
#include <errno.h>
#include <libfyaml.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/keyed.h"
#include "yaml/yaml.h"
#include "yaml/yaml_scan.h"

#define BUILT_IN       "(built in)" /* where a text without a file comes from */
#define LOOKAHEAD_MAX  ((size_t)1 << 20)
#define CHUNK_BYTES    ((size_t)1 << 18)
#define PATH_SHOWN_MAX 512 /* bytes of a path in a message; the end of a longer one */

static const char document_start[] = "--- ";

struct chunk {
	struct chunk *next;
	size_t used;
	size_t size;
	_Alignas(max_align_t) char bytes[];
};

struct yaml_doc {
	char *path;
	struct yaml_node *root;
	struct chunk *chunks;
	yaml_on_error on_error; /* NULL: the first error ends the reading */
	void *on_error_arg;
	size_t n_errors;
	const struct place *places;
	size_t n_places;
};

/* A mapping or sequence that is still open. */
struct level {
	struct yaml_node *node;
	struct yaml_node **tail; /* where the next value is linked */
	const char *key;	 /* waits for its value; NULL where a key is next */
	struct position key_position;
};

struct builder {
	struct yaml_doc *doc;
	struct fy_parser *parser;
	struct fy_diag *diag;
	struct level levels[YAML_DEPTH_MAX];
	unsigned int depth;
	unsigned int n_nodes;
	unsigned int n_documents;
	struct position position; /* of the latest event that had one */
	struct keyed *keys;	  /* scratch, room for YAML_KEYS_MAX */

	const char *text;
	size_t len;
	size_t fed;	     /* bytes of @text that libfyaml has */
	size_t fed_at_event; /* the same when it produced the latest event */
	size_t start;	     /* document_start goes in here; beyond @len: nowhere */
	size_t start_fed;    /* bytes of document_start that libfyaml has */
	unsigned int start_line;
	bool stopped; /* LOOKAHEAD_MAX was reached */
};

static int out_of_memory(const struct yaml_doc *doc, struct error *error)
{
	return error_no_memory_for(error, doc->path);
}

/**
 * yaml_locate() - Put file, line and column in front of an error
 * @doc: names the file
 * @at: the position
 * @error: an error that has been set; its code stays
 *
 * Return: the error's negative code.
 */
int yaml_locate(const struct yaml_doc *doc, struct position at, struct error *error)
{
	const char *path = place_find(doc->places, doc->n_places, doc->path, &at);
	size_t len = strlen(path);
	bool cut = len > PATH_SHOWN_MAX;

	error->what = 0;
	error_prefix(error, "%s%s:%u:%u", cut ? "..." : "",
		     cut ? path + len - PATH_SHOWN_MAX : path, at.line, at.column);
	error->in_file = true;
	error->line = at.line;
	error->column = at.column;
	return -error->code;
}

/**
 * yaml_set_places() - Have errors name the files that lines come from
 * @doc: the document
 * @places: outlives @doc
 * @n: of @places
 */
void yaml_set_places(const struct yaml_doc *doc, const struct place *places, size_t n)
{
	/* as in yaml_go_on() */
	((struct yaml_doc *)doc)->places = places;
	((struct yaml_doc *)doc)->n_places = n;
}

/**
 * yaml_path() - The file that a place of a document is in, for messages
 * @doc: the document
 * @at: the place; becomes that in the file
 */
const char *yaml_path(const struct yaml_doc *doc, struct position *at)
{
	return place_find(doc->places, doc->n_places, doc->path, at);
}

/**
 * yaml_collect() - Have whoever reads the document go on after an error
 * @doc: the document
 * @on_error: told each error by yaml_go_on()
 * @arg: for @on_error
 */
void yaml_collect(struct yaml_doc *doc, yaml_on_error on_error, void *arg)
{
	doc->on_error = on_error;
	doc->on_error_arg = arg;
	doc->n_errors = 0;
}

/**
 * yaml_go_on() - Whether a reader goes on with what follows a value, such as the next key or item
 * @doc: the document
 * @error: what is wrong with the value, if @err says so
 * @err: of reading the value
 *
 * Where errors are collected, whoever has read the whole document asks yaml_n_errors() before what
 * was read is used.
 *
 * Return: 0: it does; else @err.
 */
int yaml_go_on(const struct yaml_doc *doc, const struct error *error, int err)
{
	if (err != -EINVAL || !doc->on_error)
		return err;
	/* who reads may not change the document, and does not see that this counts */
	((struct yaml_doc *)doc)->n_errors++;
	doc->on_error(doc->on_error_arg, error);
	return 0;
}

/**
 * yaml_n_errors() - How many errors readers have gone on after
 */
size_t yaml_n_errors(const struct yaml_doc *doc)
{
	return doc->n_errors;
}

/**
 * yaml_error() - Note what is wrong with a file
 * @doc: names the file
 * @at: the position
 * @error: set to "FILE:LINE:COLUMN: what"
 * @format: printf format of "what"
 *
 * Return: -EINVAL.
 */
int yaml_error(const struct yaml_doc *doc, struct position at, struct error *error,
	       const char *format, ...)
{
	char what[384];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	error_input(error, "%s", what);
	return yaml_locate(doc, at, error);
}

/* Memory that lives as long as the document; zeroed. */
static void *doc_alloc(struct yaml_doc *doc, size_t size)
{
	const size_t align = _Alignof(max_align_t);
	struct chunk *chunk = doc->chunks;
	size_t room;
	void *bytes;

	size = (size + align - 1) / align * align;
	if (!chunk || chunk->size - chunk->used < size) {
		room = size > CHUNK_BYTES ? size : CHUNK_BYTES;
		chunk = calloc(1, sizeof(*chunk) + room);
		if (!chunk)
			return NULL;
		chunk->size = room;
		chunk->next = doc->chunks;
		doc->chunks = chunk;
	}
	bytes = chunk->bytes + chunk->used;
	chunk->used += size;
	return bytes;
}

/* libfyaml asks for more text. */
static ssize_t feed(void *user, void *buffer, size_t count)
{
	struct builder *builder = user;
	size_t end = builder->len;
	size_t size;

	if (builder->fed - builder->fed_at_event > LOOKAHEAD_MAX) {
		builder->stopped = true;
		return 0;
	}
	if (builder->fed == builder->start && builder->start_fed < strlen(document_start)) {
		size = strlen(document_start + builder->start_fed);
		size = size < count ? size : count;
		memcpy(buffer, document_start + builder->start_fed, size);
		builder->start_fed += size;
		return (ssize_t)size;
	}
	if (builder->fed < builder->start && builder->start < end)
		end = builder->start;
	size = end - builder->fed < count ? end - builder->fed : count;
	memcpy(buffer, builder->text + builder->fed, size);
	builder->fed += size;
	return (ssize_t)size;
}

/* A line and column of libfyaml, both from 1, as they are in the file. */
static struct position in_file(const struct builder *builder, int line, int column)
{
	struct position at = {.line = (unsigned int)line, .column = (unsigned int)column};

	if (at.line == builder->start_line && builder->start < builder->len &&
	    at.column > strlen(document_start))
		at.column -= (unsigned int)strlen(document_start);
	return at;
}

/* Where an event begins; quotes, & and * belong to it, though not to libfyaml's token. */
static struct position event_position(const struct builder *builder, struct fy_event *event)
{
	struct fy_token *token = event->type == FYET_SCALAR ? event->scalar.value : NULL;
	const struct fy_mark *mark = fy_event_start_mark(event);
	int column;

	if (event->type == FYET_STREAM_START || event->type == FYET_STREAM_END || !mark)
		return builder->position;
	column = mark->column + 1;
	if (event->type == FYET_ALIAS)
		column--;
	if (token && (fy_token_scalar_style(token) == FYSS_SINGLE_QUOTED ||
		      fy_token_scalar_style(token) == FYSS_DOUBLE_QUOTED))
		column--;
	return in_file(builder, mark->line + 1, column);
}

/* Copies the text of a scalar into the document; "" for a value that is not there. */
static int copy_text(struct builder *builder, struct fy_token *token, const char **text,
		     struct error *error)
{
	const char *what, *source = "";
	size_t len = 0;
	char *copy;

	if (token)
		source = fy_token_get_text(token, &len);
	if (!source)
		return out_of_memory(builder->doc, error);
	what = yaml_scan_scalar(source, len);
	if (what)
		return yaml_error(builder->doc, builder->position, error, "%s", what);
	copy = doc_alloc(builder->doc, len + 1);
	if (!copy)
		return out_of_memory(builder->doc, error);
	memcpy(copy, source, len);
	*text = copy;
	return 0;
}

static int take_key(struct builder *builder, struct fy_event *event, struct error *error)
{
	struct level *level = &builder->levels[builder->depth - 1];

	if (event->type != FYET_SCALAR)
		return yaml_error(builder->doc, builder->position, error, "a key must be a word");
	if (level->node->n_children >= YAML_KEYS_MAX)
		return yaml_error(builder->doc, builder->position, error,
				  "more than %u keys in one mapping", YAML_KEYS_MAX);
	level->key_position = builder->position;
	return copy_text(builder, event->scalar.value, &level->key, error);
}

/* Links a new value where the events are. */
static int add_node(struct builder *builder, enum yaml_kind kind, struct yaml_node **result,
		    struct error *error)
{
	struct level *level = builder->depth ? &builder->levels[builder->depth - 1] : NULL;
	struct yaml_node *node;

	if (builder->n_nodes >= YAML_NODES_MAX)
		return yaml_error(builder->doc, builder->position, error, "more than %u values",
				  YAML_NODES_MAX);
	node = doc_alloc(builder->doc, sizeof(*node));
	if (!node)
		return out_of_memory(builder->doc, error);
	builder->n_nodes++;
	node->kind = (uint8_t)kind;
	node->position = builder->position;
	if (level) {
		node->key = level->key;
		node->key_position = level->key_position;
		level->key = NULL;
		*level->tail = node;
		level->tail = &node->next;
		level->node->n_children++;
	} else {
		builder->doc->root = node;
	}
	*result = node;
	return 0;
}

/* Add a scalar, as a key or as a value. */
static int take_scalar(struct builder *builder, struct fy_event *event, struct error *error)
{
	struct fy_token *token = event->scalar.value;
	struct yaml_node *node;
	const char *text;
	int err;

	err = copy_text(builder, token, &text, error);
	if (err)
		return err;
	err = add_node(builder, YAML_SCALAR, &node, error);
	if (err)
		return err;
	node->text = text;
	node->plain = !token || fy_token_scalar_style(token) == FYSS_PLAIN;
	return 0;
}

/* Begin a mapping or a sequence. */
static int open_level(struct builder *builder, enum yaml_kind kind, struct error *error)
{
	struct yaml_node *node;
	int err;

	if (builder->depth == YAML_DEPTH_MAX)
		return yaml_error(builder->doc, builder->position, error,
				  "nested more than %u deep", YAML_DEPTH_MAX);
	err = add_node(builder, kind, &node, error);
	if (err)
		return err;
	builder->levels[builder->depth++] = (struct level){.node = node, .tail = &node->first};
	return 0;
}

/* The mapping is complete: no key may be in it twice. */
static int check_keys(struct builder *builder, const struct yaml_node *mapping, struct error *error)
{
	const struct yaml_node *node, *again = NULL;
	const struct keyed *duplicate;
	struct keyed *keys = builder->keys;
	size_t n = 0;

	for (node = mapping->first; node; node = node->next, n++)
		keys[n] = (struct keyed){.key = node->key, .len = strlen(node->key), .index = n};
	keyed_sort(keys, n);
	duplicate = keyed_duplicate(keys, n);
	if (!duplicate)
		return 0;
	for (node = mapping->first, n = 0; n <= duplicate->index; node = node->next, n++)
		again = node;
	return yaml_error(builder->doc, again->key_position, error, "duplicate key '%.80s'",
			  again->key);
}

static int close_level(struct builder *builder, struct error *error)
{
	struct yaml_node *node = builder->levels[--builder->depth].node;

	return node->kind == YAML_MAPPING ? check_keys(builder, node, error) : 0;
}

/* Refuses what only makes a policy harder to read, and files harder to bound. */
static int refuse_extras(struct builder *builder, struct fy_event *event, struct error *error)
{
	if (event->type == FYET_ALIAS || fy_event_get_anchor_token(event))
		return yaml_error(builder->doc, builder->position, error,
				  "anchors and aliases are not supported");
	if (fy_event_get_tag_token(event))
		return yaml_error(builder->doc, builder->position, error, "tags are not supported");
	if (event->type == FYET_DOCUMENT_START && builder->n_documents++ > 0)
		return yaml_error(builder->doc, builder->position, error,
				  "a second document begins here");
	return 0;
}

/* Handle an event of the parser. */
static int take_event(struct builder *builder, struct fy_event *event, struct error *error)
{
	struct level *level = builder->depth ? &builder->levels[builder->depth - 1] : NULL;
	int err;

	builder->position = event_position(builder, event);
	err = refuse_extras(builder, event, error);
	if (err)
		return err;
	switch (event->type) {
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		return close_level(builder, error);
	case FYET_SCALAR:
	case FYET_MAPPING_START:
	case FYET_SEQUENCE_START:
		break;
	default:
		return 0;
	}
	if (level && level->node->kind == YAML_MAPPING && !level->key)
		return take_key(builder, event, error);
	if (event->type == FYET_SCALAR)
		return take_scalar(builder, event, error);
	return open_level(builder, event->type == FYET_MAPPING_START ? YAML_MAPPING : YAML_SEQUENCE,
			  error);
}

/* Turns libfyaml's first complaint into ours. */
static int syntax_error(struct builder *builder, struct error *error)
{
	struct fy_diag_error *complaint;
	struct position at = builder->position;
	void *iterator = NULL;

	complaint = fy_diag_errors_iterate(builder->diag, &iterator);
	if (!complaint || !complaint->msg)
		return yaml_error(builder->doc, at, error, "not YAML");
	if (complaint->line > 0 && complaint->column > 0)
		at = in_file(builder, complaint->line, complaint->column);
	return yaml_error(builder->doc, at, error, "%.200s", complaint->msg);
}

/* Handle all events, up to the end or the first error. */
static int take_all(struct builder *builder, struct error *error)
{
	struct fy_event *event;
	int err = 0;

	while (!err && (event = fy_parser_parse(builder->parser))) {
		builder->fed_at_event = builder->fed;
		err = take_event(builder, event, error);
		fy_parser_event_free(builder->parser, event);
	}
	if (builder->stopped)
		return yaml_error(builder->doc, builder->position, error,
				  "no end of what begins here within %zu bytes", LOOKAHEAD_MAX);
	if (err)
		return err;
	if (fy_parser_get_stream_error(builder->parser))
		return syntax_error(builder, error);
	if (!builder->doc->root)
		return yaml_error(builder->doc, (struct position){1, 1}, error,
				  "the file is empty");
	return 0;
}

/* Run the parser over the text; its own messages are kept for syntax_error(). */
static int run_parser(struct builder *builder, struct error *error)
{
	struct fy_diag_cfg diag_cfg;
	struct fy_parse_cfg cfg = {.flags = FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE};
	int err;

	fy_diag_cfg_default(&diag_cfg);
	diag_cfg.fp = NULL;
	diag_cfg.level = FYET_ERROR;
	builder->diag = fy_diag_create(&diag_cfg);
	if (!builder->diag)
		return out_of_memory(builder->doc, error);
	fy_diag_set_collect_errors(builder->diag, true); /* instead of printing them */
	cfg.diag = builder->diag;
	builder->parser = fy_parser_create(&cfg);
	if (builder->parser && !fy_parser_set_input_callback(builder->parser, builder, feed))
		err = take_all(builder, error);
	else
		err = out_of_memory(builder->doc, error);
	fy_parser_destroy(builder->parser);
	fy_diag_destroy(builder->diag);
	return err;
}

/* Build the tree of a document. */
static int build(struct yaml_doc *doc, const char *text, size_t len, struct error *error)
{
	struct builder builder = {.doc = doc, .text = text, .len = len, .position = {1, 1}};
	const char *what;
	size_t first;
	int err;

	if (len > YAML_TEXT_MAX)
		return error_input(error, "%.256s: larger than %zu bytes", doc->path,
				   YAML_TEXT_MAX);
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* byte order mark */
		builder.text += 3;
		builder.len -= 3;
	}
	what = yaml_scan_text(builder.text, builder.len, &builder.position);
	if (what)
		return yaml_error(doc, builder.position, error, "%s", what);
	what = yaml_scan_head(builder.text, builder.len, &builder.start, &builder.position);
	if (what)
		return yaml_error(doc, builder.position, error, "%s", what);
	builder.start_line = builder.position.line;
	builder.position = (struct position){1, 1};
	for (first = builder.start; first < builder.len; first++) {
		if (!strchr(" \t", builder.text[first]))
			break;
	}
	if (first >= builder.len || !strchr("[{", builder.text[first]))
		builder.start = SIZE_MAX;
	builder.keys = calloc(YAML_KEYS_MAX, sizeof(*builder.keys));
	if (!builder.keys)
		return out_of_memory(doc, error);
	err = run_parser(&builder, error);
	free(builder.keys);
	return err;
}

/**
 * yaml_parse() - Read a YAML or JSON text
 * @path: name of the file for messages; NULL: the text is of no file
 * @text: the text; need not outlive the call
 * @len: in bytes
 * @doc: result, to be freed with yaml_free()
 * @error: what is wrong and where
 *
 * Return: 0, -EINVAL for a text that is not the YAML described in yaml.h, -ENOMEM.
 */
int yaml_parse(const char *path, const char *text, size_t len, struct yaml_doc **doc,
	       struct error *error)
{
	struct yaml_doc *result;
	int err = -ENOMEM;

	result = calloc(1, sizeof(*result));
	if (result)
		result->path = strdup(path ? path : BUILT_IN);
	if (!result || !result->path) {
		error_no_memory_for(error, path ? path : BUILT_IN);
		goto out;
	}
	err = build(result, text, len, error);
	if (err)
		goto out;
	*doc = result;
	result = NULL;
out:
	yaml_free(result);
	return err;
}

/**
 * yaml_free() - Free a document and all its values
 * @doc: may be NULL
 */
void yaml_free(struct yaml_doc *doc)
{
	struct chunk *chunk, *next;

	if (!doc)
		return;
	for (chunk = doc->chunks; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	free(doc->path);
	free(doc);
}

/**
 * yaml_root() - The value that is the whole document
 */
const struct yaml_node *yaml_root(const struct yaml_doc *doc)
{
	return doc->root;
}
