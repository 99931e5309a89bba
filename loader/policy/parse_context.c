/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "policy/parse_context.h"

#include <errno.h>
#include <string.h>

/**
 * parse_no_memory() - Note that memory ran out
 *
 * Return: -ENOMEM.
 */
int parse_no_memory(struct error *error)
{
	return error_no_memory_for(error, "policy");
}

/**
 * parse_name() - Copy the name of a rule or set
 * @in: for the position; its error is set where the name is empty or longer than RULE_ID_MAX - 1
 *	bytes
 * @at: position of the name
 * @what: what is named, for messages
 * @text: the name
 * @name: result, to be freed by the caller
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int parse_name(const struct yaml_reader *in, struct position at, const char *what, const char *text,
	       char **name)
{
	if (*text == '\0')
		return yaml_error(in->doc, at, in->error, "empty %s", what);
	if (strlen(text) >= RULE_ID_MAX)
		return yaml_error(in->doc, at, in->error, "%s is longer than %d bytes", what,
				  RULE_ID_MAX - 1);
	*name = strdup(text);
	return *name ? 0 : parse_no_memory(in->error);
}
