/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The past of an interface (past.h) as files of a report.
 */
#ifndef SHRIKE_INCIDENT_PAST_FILE_H
#define SHRIKE_INCIDENT_PAST_FILE_H

#include "incident/archive.h"
#include "incident/past.h"

#define PAST_JSON_MAX	 ((size_t)64 << 20)
#define PAST_RECORDS_MAX ((size_t)1 << 30)

int past_file_write(const struct incident_past *past, struct incident_archive *archive,
		    struct error *error);
int past_file_parse(struct incident_past *past, const char *text, size_t len, struct error *error);
int past_file_records(struct incident_past *past, char *bytes, size_t len, struct error *error);
int past_file_read(const char *path, struct incident_past *past, struct error *error);

#endif /* SHRIKE_INCIDENT_PAST_FILE_H */
