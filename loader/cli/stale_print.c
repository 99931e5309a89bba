/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/stale_print.h"

#include <stdio.h>

#include "base/output.h"
#include "kernel/pin_path.h"
#include "kernel/stale_pins.h"

#define NAMED_MAX 3 /* in a sentence: hosts with containers may have many */

/* Append one interface to the list, as NETNS/IFACE. */
static void on_pin(const char *netns, const char *ifname, void *list)
{
	char text[PATH_NAME_MAX * 2];

	snprintf(text, sizeof(text), "%s/%s", netns, ifname);
	json_array_append_new(list, output_json_text(text));
}

/**
 * stale_list() - List the pins of network namespaces that are gone
 * @remove: remove them, too
 * @list: set to an array of texts NETNS/IFACE
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int stale_list(bool remove, json_t **list, struct error *error)
{
	json_t *found = json_array();
	int err = remove ? stale_pins_remove(on_pin, found, error)
			 : stale_pins_visit(on_pin, found, error);

	if (err)
		json_decref(found);
	else
		*list = found;
	return err;
}

/**
 * stale_describe() - Name some pins of network namespaces that are gone, and what removes them
 * @text: set to a sentence; cut where there is no room
 * @size: bytes of @text
 *
 * Return: whether there are any.
 */
bool stale_describe(char *text, size_t size)
{
	struct error ignored;
	size_t i, len, n;
	json_t *list, *one;

	if (stale_list(false, &list, &ignored))
		return false;
	n = json_array_size(list);
	len = snprintf(text, size,
		       "'shrike detach --stale' removes those of gone network "
		       "namespaces:");
	json_array_foreach (list, i, one)
		if (i < NAMED_MAX && len < size)
			len += snprintf(text + len, size - len, " %s", json_string_value(one));
	if (n > NAMED_MAX && len < size)
		snprintf(text + len, size - len, " and %zu more", n - NAMED_MAX);
	json_decref(list);
	return n;
}
