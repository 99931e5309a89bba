/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The subcommands of `shrike policy` that have a file of their own, and what they share.
 */
#ifndef SHRIKE_CLI_CMD_POLICY_H
#define SHRIKE_CLI_CMD_POLICY_H

#include "cli/command.h"

extern const struct command policy_command_import[];

int policy_command_check(const struct command *command, int argc, char **argv);
int policy_command_apply(const struct command *command, int argc, char **argv);
int policy_command_confirm(const struct command *command, int argc, char **argv);
int policy_command_set(const struct command *command, int argc, char **argv);
int policy_command_block(const struct command *command, int argc, char **argv);
int policy_command_unblock(const struct command *command, int argc, char **argv);
int policy_command_export(const struct command *command, int argc, char **argv);
int policy_command_history(const struct command *command, int argc, char **argv);
int policy_command_rollback(const struct command *command, int argc, char **argv);
int policy_command_diff(const struct command *command, int argc, char **argv);
int policy_command_reach(const struct command *command, int argc, char **argv);
int policy_command_prove(const struct command *command, int argc, char **argv);
int policy_command_equal(const struct command *command, int argc, char **argv);
int policy_command_unused(const struct command *command, int argc, char **argv);
int policy_command_suggest(const struct command *command, int argc, char **argv);
int policy_command_interface(const char *given, char name[IF_NAMESIZE], int *ifindex,
			     struct error *error);

#endif /* SHRIKE_CLI_CMD_POLICY_H */
