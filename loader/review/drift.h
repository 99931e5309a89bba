/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whether the policy in force is still what its file says.
 */
#ifndef SHRIKE_REVIEW_DRIFT_H
#define SHRIKE_REVIEW_DRIFT_H

#include "base/error.h"
#include "dataplane/attached.h"

enum drift {
	DRIFT_NO_FILE,	  /* the default policy, or one of standard input */
	DRIFT_SAME,	  /* they mean the same */
	DRIFT_DIFFERS,	  /* one has been changed, or the file is no policy any more */
	DRIFT_UNREADABLE, /* the file is gone, or its path is relative to another directory */
};

int drift_find(const struct attached *attached, enum drift *drift, struct error *error);
const char *drift_name(enum drift drift);

#endif /* SHRIKE_REVIEW_DRIFT_H */
