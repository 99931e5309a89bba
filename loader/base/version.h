/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SHRIKE_BASE_VERSION_H
#define SHRIKE_BASE_VERSION_H

#define SHRIKE_VERSION "0.1.0"

#endif /* SHRIKE_BASE_VERSION_H */
