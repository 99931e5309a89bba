/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "incident/libarchive.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>

#define LIBRARY "libarchive.so.13" /* of libarchive 3, whose headers this is built with */

/* Where a function goes in struct libarchive. */
struct symbol {
	const char *name;
	size_t offset;
};

static const struct symbol symbols[] = {
#define LIBARCHIVE_SYMBOL(name) {#name, offsetof(struct libarchive, name)},
	LIBARCHIVE_FUNCTIONS(LIBARCHIVE_SYMBOL)
#undef LIBARCHIVE_SYMBOL
};

/**
 * libarchive_load() - The functions of libarchive
 * @error: set on failure; says which package is missing
 *
 * Return: them, for the rest of the process; NULL on failure.
 */
const struct libarchive *libarchive_load(struct error *error)
{
	static struct libarchive loaded;
	static void *library;

	if (library)
		return &loaded;
	library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	for (size_t i = 0; library && i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		void *found = dlsym(library, symbols[i].name);

		*(void **)((char *)&loaded + symbols[i].offset) = found;
		if (!found) {
			dlclose(library);
			library = NULL;
		}
	}
	if (library)
		return &loaded;
	error_set(error, ENOENT,
		  "reports need libarchive (package libarchive13 of Debian, libarchive of Fedora): "
		  "%.200s",
		  dlerror() ?: "one of its functions is missing");
	return NULL;
}
