/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * libarchive, loaded when a report is written or read.
 *
 * Linking would bring what it needs in its turn, libxml2 and the tables of libicu, 30 MB of address
 * space, into every command and into the process of `run`.
 */
#ifndef SHRIKE_INCIDENT_LIBARCHIVE_H
#define SHRIKE_INCIDENT_LIBARCHIVE_H

#include <archive.h>
#include <archive_entry.h>

#include "base/error.h"

/* FUNCTION(name): those that are used, with the types of its headers */
#define LIBARCHIVE_FUNCTIONS(FUNCTION)                                                             \
	FUNCTION(archive_entry_filetype)                                                           \
	FUNCTION(archive_entry_free)                                                               \
	FUNCTION(archive_entry_new)                                                                \
	FUNCTION(archive_entry_pathname)                                                           \
	FUNCTION(archive_entry_set_filetype)                                                       \
	FUNCTION(archive_entry_set_mtime)                                                          \
	FUNCTION(archive_entry_set_pathname)                                                       \
	FUNCTION(archive_entry_set_perm)                                                           \
	FUNCTION(archive_entry_set_size)                                                           \
	FUNCTION(archive_entry_size)                                                               \
	FUNCTION(archive_errno)                                                                    \
	FUNCTION(archive_error_string)                                                             \
	FUNCTION(archive_read_data)                                                                \
	FUNCTION(archive_read_free)                                                                \
	FUNCTION(archive_read_new)                                                                 \
	FUNCTION(archive_read_next_header)                                                         \
	FUNCTION(archive_read_open_fd)                                                             \
	FUNCTION(archive_read_support_filter_zstd)                                                 \
	FUNCTION(archive_read_support_format_tar)                                                  \
	FUNCTION(archive_write_add_filter_zstd)                                                    \
	FUNCTION(archive_write_close)                                                              \
	FUNCTION(archive_write_data)                                                               \
	FUNCTION(archive_write_free)                                                               \
	FUNCTION(archive_write_header)                                                             \
	FUNCTION(archive_write_new)                                                                \
	FUNCTION(archive_write_open_fd)                                                            \
	FUNCTION(archive_write_set_format_pax_restricted)

struct libarchive {
#define LIBARCHIVE_MEMBER(name) typeof(name) *name;
	LIBARCHIVE_FUNCTIONS(LIBARCHIVE_MEMBER)
#undef LIBARCHIVE_MEMBER
};

const struct libarchive *libarchive_load(struct error *error);

#endif /* SHRIKE_INCIDENT_LIBARCHIVE_H */
