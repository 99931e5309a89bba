/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tables into BPF maps.
 */
#ifndef SHRIKE_CLASSIFY_INSTALL_H
#define SHRIKE_CLASSIFY_INSTALL_H

#include "classify/classifier.h"

struct bpf_object;

int classifier_configure(const struct classifier *classifier, struct bpf_object *object,
			 struct error *error);
int classifier_fill(const struct classifier *classifier, struct bpf_object *object,
		    struct error *error);

#endif /* SHRIKE_CLASSIFY_INSTALL_H */
