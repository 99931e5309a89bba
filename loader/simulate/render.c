/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "simulate/render.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Plain scalars of these characters mean the same in a flow collection. */
#define PLAIN_SAFE "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-"

/* The tree's texts hold no control characters, so only these two need an escape. */
static void render_quoted(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static void render_scalar(FILE *out, const struct yaml_node *node)
{
	if (yaml_is_null(node))
		fputs("null", out);
	else if (node->plain && !node->text[strspn(node->text, PLAIN_SAFE)])
		fputs(node->text, out);
	else
		render_quoted(out, node->text);
}

/* Recursion is bounded by YAML_DEPTH_MAX. */
static void render(FILE *out, const struct yaml_node *node)
{
	bool is_mapping = node->kind == YAML_MAPPING;
	const struct yaml_node *child;

	if (node->kind == YAML_SCALAR) {
		render_scalar(out, node);
		return;
	}
	fputc(is_mapping ? '{' : '[', out);
	for (child = node->first; child; child = child->next) {
		if (is_mapping) {
			render_quoted(out, child->key);
			fputs(": ", out);
		}
		render(out, child);
		if (child->next)
			fputs(", ", out);
	}
	fputc(is_mapping ? '}' : ']', out);
}

/**
 * render_node() - Write a value and what is in it as YAML
 * @node: any value
 * @len: set to the bytes of the text without its NUL
 *
 * Comments and layout are lost; parsing the text gives the same values again.
 *
 * Return: one line with its newline, to be freed; NULL if memory is out.
 */
char *render_node(const struct yaml_node *node, size_t *len)
{
	char *text = NULL;
	FILE *out;

	out = open_memstream(&text, len);
	if (!out)
		return NULL;
	render(out, node);
	fputc('\n', out);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}
