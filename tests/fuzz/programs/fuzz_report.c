/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Coverage-guided fuzzing of what reads reports (libFuzzer).  An input is the file; and, so that not all
 * has to get through a decompressor, also recorder.json, policies/now.yaml and recorder.bin, with a NUL
 * behind the first two.  What is accepted is asked as `why --from` does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "incident/past_file.h"
#include "trace/why.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Answer, in words and as JSON, about all that is in a report. */
static void answer(const struct incident_past *report)
{
	static FILE *out;
	struct past_policies past = {};
	struct names names = {};
	struct error error;
	struct why_kind *kinds = calloc(report->n_records + 1, sizeof(*kinds));
	struct why why = {
		.to_ns = UINT64_MAX,
		.past = &past,
		.rules = &report->rules,
		.names = &names,
		.interface = report->interface,
		.offset_ns = report->offset_ns,
		.verbose = true,
	};
	size_t n;

	if (!out)
		out = fopen("/dev/null", "we");
	if (!kinds || !out || incident_past_policies(report, &past, &error) ||
	    incident_past_names(report, &names, &error))
		abort();
	trace_options_init(&why.filter);
	n = why_kinds(&why, report->records, report->n_records, kinds);
	for (size_t i = 0; i < n; i++) {
		json_t *json = why_json(&why, &kinds[i]);

		if (!json || why_print(&why, &kinds[i], out, &error))
			abort();
		json_decref(json);
	}
	past_policies_free(&past);
	names_free(&names);
	free(kinds);
}

/* What is before the next NUL, or the rest; in memory of its own, with a NUL behind. */
static char *take(const uint8_t **data, size_t *size, size_t *len)
{
	const uint8_t *end = memchr(*data, '\0', *size);
	char *made;

	*len = end ? (size_t)(end - *data) : *size;
	made = malloc(*len + 1);
	if (!made)
		abort();
	memcpy(made, *data, *len);
	made[*len] = '\0';
	*data += *len + !!end;
	*size -= *len + !!end;
	return made;
}

/* Take an input as the files of a report. */
static void read_parts(const uint8_t *data, size_t size)
{
	struct incident_past report = {.n_policies = 0};
	struct error error;
	size_t len;
	char *json = take(&data, &size, &len);
	int err = past_file_parse(&report, json, len, &error);
	char *bytes;

	free(json);
	if (!err && report.n_policies) {
		struct incident_policy *last = &report.policies[report.n_policies - 1];

		last->text = take(&data, &size, &last->len);
		bytes = malloc(size + !size);
		if (!bytes)
			abort();
		memcpy(bytes, data, size);
		err = past_file_records(&report, bytes, size, &error);
		if (!err)
			answer(&report);
	}
	incident_past_free(&report);
}

/**
 * LLVMFuzzerTestOneInput() - Read the report that libFuzzer has made, and the same bytes as its files
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct incident_past report;
	struct error error;
	char path[64];

	if (fd < 0)
		fd = memfd_create("report", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (!past_file_read(path, &report, &error)) {
		answer(&report);
		incident_past_free(&report);
	}
	read_parts(data, size);
	return 0;
}
