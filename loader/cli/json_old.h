/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The form that JSON had up to version 0.1, for --json=1; it goes with the release after the next.
 *
 * Commands make the present form only, and know nothing of this one.
 */
#ifndef SHRIKE_CLI_JSON_OLD_H
#define SHRIKE_CLI_JSON_OLD_H

void json_old_use(const char *command);

#endif /* SHRIKE_CLI_JSON_OLD_H */
