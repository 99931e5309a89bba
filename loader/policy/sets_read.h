/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The elements of a change of a set, as a user gives them: words of a command line or a file.
 */
#ifndef SHRIKE_POLICY_SETS_READ_H
#define SHRIKE_POLICY_SETS_READ_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "policy/sets.h"

#define SETS_ELEMENTS_MAX 1000000 /* of one change */

/*
 * struct sets_reader - elements that are given word by word
 * @change: gets them; they are for the caller to free
 * @room: of @change->elements, 0 at first
 * @first: where those begin that a timeout would be for
 * @expects_time: the word "timeout" has come
 */
struct sets_reader {
	struct sets_change *change;
	size_t room;
	size_t first;
	bool expects_time;
};

int sets_read_word(struct sets_reader *reader, const char *word, struct error *error);
int sets_read_file(struct sets_reader *reader, int fd, struct error *error);
int sets_read_end(const struct sets_reader *reader, struct error *error);

#endif /* SHRIKE_POLICY_SETS_READ_H */
