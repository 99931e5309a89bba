/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/nftables.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Thousands of sets may be filled at once; the kernel may grant less. */
#define BUFFER_BYTES (4 << 20)

/*
 * Messages of one nftables_read(), of which a transaction has one for each object: a flood must not
 * keep the caller from its other descriptors, but what changes at once is to be seen at once.
 */
#define BATCHES_MAX 16384

/*
 * struct nftables - a socket
 * @follows: it hears of changes
 * @on_object, @arg: of the call under way
 * @result: what @on_object has returned
 * @code: errno value with which the kernel has refused
 * @is_done: the listing is over
 * @is_interrupted: something has changed beneath it
 */
struct nftables {
	struct nl_sock *socket;
	bool follows;
	nftables_fn on_object;
	void *arg;
	int result;
	int code;
	bool is_done;
	bool is_interrupted;
};

static int nftables_error(struct error *error, const char *what, int code)
{
	return error_set(error, code, "nftables: %s: %s", what, strerror(code));
}

/**
 * nftables_parse() - See which object a message is about
 * @header: the message; as many bytes as it says are there
 * @message: is set
 *
 * Return: 0; -EINVAL: it is not about nftables.
 */
int nftables_parse(const struct nlmsghdr *header, struct nftables_message *message)
{
	const struct nfgenmsg *general;

	if (NFNL_SUBSYS_ID(header->nlmsg_type) != NFNL_SUBSYS_NFTABLES ||
	    header->nlmsg_len < NLMSG_LENGTH(sizeof(*general)))
		return -EINVAL;
	general = NLMSG_DATA(header);
	message->message = NFNL_MSG_TYPE(header->nlmsg_type);
	message->family = general->nfgen_family;
	message->header = header;
	return 0;
}

/**
 * nftables_attributes() - Take a message's attributes apart
 * @message: the message
 * @attributes: @max + 1 places, by type; NULL: not there
 * @max: the highest type that is known; higher ones are passed over
 *
 * Return: 0 or -EINVAL.
 */
int nftables_attributes(const struct nftables_message *message, struct nlattr **attributes, int max)
{
	return nlmsg_parse((struct nlmsghdr *)message->header, sizeof(struct nfgenmsg), attributes,
			   max, NULL) < 0
		       ? -EINVAL
		       : 0;
}

/**
 * nftables_text() - The text of an attribute
 * @attribute: may be NULL
 *
 * Return: the text; empty where there is none, or where it does not end.
 */
const char *nftables_text(const struct nlattr *attribute)
{
	const char *text = attribute ? nla_data(attribute) : NULL;

	return text && memchr(text, '\0', nla_len(attribute)) ? text : "";
}

/**
 * nftables_number() - The number of an attribute
 * @attribute: may be NULL
 * @missing: what is returned where there is no number
 */
uint32_t nftables_number(const struct nlattr *attribute, uint32_t missing)
{
	uint32_t number;

	if (!attribute || nla_len(attribute) != sizeof(number))
		return missing;
	memcpy(&number, nla_data(attribute), sizeof(number));
	return ntohl(number);
}

static int on_message(struct nl_msg *msg, void *arg)
{
	struct nftables *nftables = arg;
	struct nftables_message message;

	if (nftables_parse(nlmsg_hdr(msg), &message))
		return NL_OK;
	nftables->result = nftables->on_object(nftables->arg, &message);
	/* the only one that is not answered by a list */
	nftables->is_done |= message.message == NFT_MSG_NEWGEN;
	return nftables->result && !nftables->follows ? NL_STOP : NL_OK;
}

static int on_end(struct nl_msg *msg, void *arg)
{
	struct nftables *nftables = arg;

	(void)msg;
	nftables->is_done = true;
	return NL_STOP;
}

static int on_interruption(struct nl_msg *msg, void *arg)
{
	struct nftables *nftables = arg;

	(void)msg;
	nftables->is_interrupted = true;
	return NL_OK;
}

static int on_refusal(struct sockaddr_nl *from, struct nlmsgerr *refusal, void *arg)
{
	struct nftables *nftables = arg;

	(void)from;
	nftables->code = -refusal->error;
	nftables->is_done = true;
	return NL_STOP;
}

/* 0, or an error of libnl. */
static int set_up(struct nftables *nftables)
{
	struct nl_sock *socket = nftables->socket;
	int err = nl_connect(socket, NETLINK_NETFILTER);

	if (err < 0)
		return err;
	nl_socket_disable_auto_ack(socket);
	nl_socket_disable_seq_check(socket);
	nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, on_message, nftables);
	nl_socket_modify_cb(socket, NL_CB_FINISH, NL_CB_CUSTOM, on_end, nftables);
	nl_socket_modify_cb(socket, NL_CB_DUMP_INTR, NL_CB_CUSTOM, on_interruption, nftables);
	nl_socket_modify_err_cb(socket, NL_CB_CUSTOM, on_refusal, nftables);
	err = nl_socket_set_buffer_size(socket, BUFFER_BYTES, 0);
	if (err < 0 || !nftables->follows)
		return err;
	err = nl_socket_set_nonblocking(socket);
	return err < 0 ? err : nl_socket_add_membership(socket, NFNLGRP_NFTABLES);
}

/**
 * nftables_open() - Open a socket
 * @follow: to hear of changes, for nftables_read(); else to list, for nftables_list()
 * @nftables: set to it, for nftables_close()
 * @error: set on failure
 *
 * Changes count from here on: open what follows first and list second, and nothing falls between.
 * The socket stays with the namespace it was opened in.
 *
 * Return: 0 or -errno; -EPROTONOSUPPORT where the kernel has no nfnetlink.
 */
int nftables_open(bool follow, struct nftables **nftables, struct error *error)
{
	struct nftables *fresh = calloc(1, sizeof(*fresh));
	int err;

	if (fresh)
		fresh->socket = nl_socket_alloc();
	if (!fresh || !fresh->socket) {
		free(fresh);
		return error_no_memory_for(error, "nftables");
	}
	fresh->follows = follow;
	errno = 0;
	err = set_up(fresh);
	if (err < 0) {
		err = errno ? errno : EIO; /* libnl's own numbers do not tell all apart */
		nftables_close(fresh);
		return nftables_error(error, "cannot open a socket", err);
	}
	*nftables = fresh;
	return 0;
}

/**
 * nftables_fd() - The descriptor to poll, level-triggered
 */
int nftables_fd(const struct nftables *nftables)
{
	return nl_socket_get_fd(nftables->socket);
}

static struct nl_msg *make_request(const struct nftables_request *request)
{
	struct nfgenmsg general = {.nfgen_family = request->family, .version = NFNETLINK_V0};
	bool is_of_set = request->message == NFT_MSG_GETSETELEM;
	int type = NFNL_SUBSYS_NFTABLES << 8 | request->message;
	bool is_list = request->message != NFT_MSG_GETGEN;
	struct nl_msg *msg = nlmsg_alloc_simple(type, is_list ? NLM_F_REQUEST | NLM_F_DUMP
							      : NLM_F_REQUEST);
	int err;

	if (!msg)
		return NULL;
	_Static_assert((int)NFTA_SET_TABLE == (int)NFTA_RULE_TABLE &&
			       (int)NFTA_SET_TABLE == (int)NFTA_CHAIN_TABLE &&
			       (int)NFTA_SET_TABLE == (int)NFTA_SET_ELEM_LIST_TABLE,
		       "the table is the same attribute of all");
	err = nlmsg_append(msg, &general, sizeof(general), NLMSG_ALIGNTO);
	if (err >= 0 && request->table)
		err = nla_put_string(msg, NFTA_SET_TABLE, request->table);
	if (err >= 0 && is_of_set)
		err = nla_put_string(msg, NFTA_SET_ELEM_LIST_SET, request->set);
	if (err < 0) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return msg;
}

/**
 * nftables_list() - List objects
 * @nftables: a socket that does not follow
 * @request: which ones
 * @on_object: is called with each
 * @arg: for @on_object
 * @error: set on failure
 *
 * Where nftables have changed meanwhile, objects may be missing or handed over as they were: the
 * caller then begins again.  A socket whose listing has failed is to be closed.
 *
 * Return: 0; what @on_object has returned; -EAGAIN after a change meanwhile; -ENOENT: no such set;
 * -errno.
 */
int nftables_list(struct nftables *nftables, const struct nftables_request *request,
		  nftables_fn on_object, void *arg, struct error *error)
{
	struct nl_msg *msg = make_request(request);
	int err;

	if (!msg)
		return error_no_memory_for(error, "nftables");
	nftables->on_object = on_object;
	nftables->arg = arg;
	nftables->is_done = nftables->is_interrupted = false;
	nftables->result = nftables->code = 0;
	err = nl_send_auto(nftables->socket, msg);
	nlmsg_free(msg);
	while (err >= 0 && !nftables->is_done && !nftables->result)
		err = nl_recvmsgs_default(nftables->socket);
	if (nftables->result)
		return nftables->result;
	if (nftables->code)
		return nftables_error(error, "cannot list", nftables->code);
	if (err < 0)
		return error_set(error, EIO, "nftables: cannot list: %s", nl_geterror(err));
	return nftables->is_interrupted
		       ? error_set(error, EAGAIN, "nftables: they have changed meanwhile")
		       : 0;
}

static int on_generation(void *arg, const struct nftables_message *message)
{
	struct nlattr *attributes[NFTA_GEN_MAX + 1];

	if (message->message == NFT_MSG_NEWGEN &&
	    !nftables_attributes(message, attributes, NFTA_GEN_MAX))
		*(uint32_t *)arg = nftables_number(attributes[NFTA_GEN_ID], 0);
	return 0;
}

/**
 * nftables_generation() - Ask for the number of the last change
 * @generation: set to it
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int nftables_generation(uint32_t *generation, struct error *error)
{
	const struct nftables_request request = {.message = NFT_MSG_GETGEN};
	struct nftables *nftables;
	int err = nftables_open(false, &nftables, error);

	if (err)
		return err;
	err = nftables_list(nftables, &request, on_generation, generation, error);
	nftables_close(nftables);
	return err;
}

/**
 * nftables_read() - Hand over the changes that are waiting
 * @nftables: a socket that follows
 * @on_event: is called with each; what it returns does not matter
 * @arg: for @on_event
 * @lost: set to whether the kernel had to throw changes away: all is to be listed anew
 * @error: set on failure
 *
 * Does not block.
 *
 * Return: 0; -errno where the socket is beyond use.
 */
int nftables_read(struct nftables *nftables, nftables_fn on_event, void *arg, bool *lost,
		  struct error *error)
{
	nftables->on_object = on_event;
	nftables->arg = arg;
	*lost = false;
	for (int batch = 0; batch < BATCHES_MAX; batch++) {
		int err = nl_recvmsgs_default(nftables->socket);

		if (err == -NLE_AGAIN)
			return 0;
		if (err == -NLE_BAD_SOCK)
			return nftables_error(error, "cannot read changes", EBADF);
		if (err < 0 && err != -NLE_INTR)
			*lost = true;
	}
	return 0;
}

/**
 * nftables_close() - Close a socket; NULL is none and fine
 */
void nftables_close(struct nftables *nftables)
{
	if (!nftables)
		return;
	nl_socket_free(nftables->socket);
	free(nftables);
}
