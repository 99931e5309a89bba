/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * nftables of the caller's network namespace, asked from the kernel by nfnetlink: what is there, and
 * that it has changed.  Nothing here changes it.
 *
 * The kernel lets nobody without CAP_NET_ADMIN ask.
 */
#ifndef SHRIKE_KERNEL_NFTABLES_H
#define SHRIKE_KERNEL_NFTABLES_H

#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct nlattr;
struct nftables;

/*
 * struct nftables_request - what to list
 * @message: NFT_MSG_GETSET, NFT_MSG_GETSETELEM, NFT_MSG_GETCHAIN, NFT_MSG_GETRULE, or
 *	NFT_MSG_GETGEN for the number of the last change
 * @family: AF_INET or AF_INET6
 * @table: its name, NULL: all
 * @set: for NFT_MSG_GETSETELEM
 */
struct nftables_request {
	uint8_t message;
	uint8_t family;
	const char *table;
	const char *set;
};

/*
 * struct nftables_message - one object that the kernel describes
 * @message: NFT_MSG_NEW* or NFT_MSG_DEL*
 * @family: AF_INET, AF_INET6, or another NFPROTO_*
 * @header: the whole message, its attributes behind a struct nfgenmsg
 */
struct nftables_message {
	uint8_t message;
	uint8_t family;
	const struct nlmsghdr *header;
};

/* Takes one object; anything but 0 ends the listing, and is what it returns. */
typedef int (*nftables_fn)(void *arg, const struct nftables_message *message);

int nftables_open(bool follow, struct nftables **nftables, struct error *error);
int nftables_fd(const struct nftables *nftables);
int nftables_list(struct nftables *nftables, const struct nftables_request *request,
		  nftables_fn on_object, void *arg, struct error *error);
int nftables_generation(uint32_t *generation, struct error *error);
int nftables_read(struct nftables *nftables, nftables_fn on_event, void *arg, bool *lost,
		  struct error *error);
void nftables_close(struct nftables *nftables);

int nftables_parse(const struct nlmsghdr *header, struct nftables_message *message);
int nftables_attributes(const struct nftables_message *message, struct nlattr **attributes,
			int max);
const char *nftables_text(const struct nlattr *attribute);
uint32_t nftables_number(const struct nlattr *attribute, uint32_t missing);

#endif /* SHRIKE_KERNEL_NFTABLES_H */
