/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The words of the keys of "mode" that name a choice, by the enums of settings.h; NULL ends each.
 */
#ifndef SHRIKE_POLICY_MODE_WORDS_H
#define SHRIKE_POLICY_MODE_WORDS_H

extern const char *const policy_routing_words[];
extern const char *const policy_hook_words[];
extern const char *const policy_forwarder_input_words[];

#endif /* SHRIKE_POLICY_MODE_WORDS_H */
