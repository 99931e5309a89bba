/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "flowlog/sink.h"

#include <stdio.h>
#include <stdlib.h>

/**
 * sink_new() - Memory for a sink of some kind
 * @bytes: of the kind's struct, which begins with struct sink
 * @ops: of the kind
 * @interface: whose log
 * @error: set on failure
 *
 * Return: that, all zero but for struct sink; NULL on failure.
 */
void *sink_new(size_t bytes, const struct sink_ops *ops, const char *interface, struct error *error)
{
	struct sink *sink = calloc(1, bytes);

	if (!sink) {
		error_no_memory(error);
		return NULL;
	}
	sink->ops = ops;
	snprintf(sink->interface, sizeof(sink->interface), "%s", interface);
	return sink;
}
