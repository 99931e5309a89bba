/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Coverage-guided fuzzing of what takes a map out of a debug bundle (libFuzzer): the archive, and
 * from there the map.  An input is the file.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "follow/member.h"
#include "netbird/domain_index.h"
#include "netbird/import.h"
#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What becomes of a map is a policy, or nothing. */
static void import(const char *text, size_t len)
{
	const struct netbird_map map = {"network_map.json", text, len};
	const struct netbird_options options = {.json = true, .fills_sets = true};
	struct netbird_import made;
	struct domain_index *index;
	struct error error;

	if (netbird_import(&map, &options, &made, &error))
		return;
	if (strlen(made.text) != made.len)
		abort();
	index = domain_index_read(made.sets);
	if (!index)
		abort();
	domain_index_free(index);
	netbird_import_free(&made);
}

/**
 * LLVMFuzzerTestOneInput() - Read the archive that libFuzzer has made, and the same bytes as a map
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct error error;
	char *map, *copy;
	size_t len;

	if (fd < 0)
		fd = memfd_create("bundle", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	if (!member_read(fd, "network_map.json", &map, &len, &error)) {
		if (len > MEMBER_MAX)
			abort();
		import(map, len);
		free(map);
	}
	copy = malloc(size + !size);
	if (!copy)
		abort();
	memcpy(copy, data, size);
	import(copy, size);
	free(copy);
	return 0;
}
