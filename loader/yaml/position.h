/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where something stands in a file.
 */
#ifndef SHRIKE_YAML_POSITION_H
#define SHRIKE_YAML_POSITION_H

struct position {
	unsigned int line; /* from 1 */
	unsigned int column;
};

#endif /* SHRIKE_YAML_POSITION_H */
