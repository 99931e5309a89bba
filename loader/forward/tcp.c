/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TCP: dial the destination, let the peer's handshake through, relay.
 *
 * A connection has two sockets: the host's, connected to the destination, and the peer's, accepted
 * in the private network namespace.  Its states:
 *
 *	dialling	the peer's SYN is held.  Ends as connected, with an answer to that SYN, or
 *			with its peer's patience.
 *	accepting	the SYN has gone to the TUN, and the kernel there shakes hands.  Ends with
 *			accept(), or after a minute.
 *	connected	the relay moves data.  Ends when both directions have been shut, or either
 *			socket has failed, which resets the other.
 */
#include "forward/tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/sockaddr.h"
#include "forward/answer.h"
#include "forward/connect.h"
#include "forward/dial.h"
#include "forward/displace.h"
#include "forward/flows.h"
#include "forward/relay.h"
#include "forward/route.h"
#include "forward/tcp_socket.h"
#include "forward/transmit.h"
#include "forward/watch.h"

#define DIALS_MAX	   1024
#define DIALS_OF_ONE_PEER  256
#define REFUSED_NS	   NS_PER_S
#define TUN_READS_PER_TURN 64

static void leave_state(struct worker *w, struct tcp_flow *flow)
{
	if (flow->state == TCP_DIALLING) {
		w->status->tcp_dials = --w->n_dialling;
		free(flow->syn);
		flow->syn = NULL;
	} else if (flow->state == TCP_CONNECTED) {
		w->status->tcp_connections--;
	}
}

static void answer(struct worker *w, const struct ip_packet *syn, enum refusal_kind kind)
{
	struct peer *peer = peer_find(w, &syn->ends.saddr, syn->ends.version);
	uint8_t packet[IP_HEADER_MAX + TCP_RESET_LEN];
	struct virtio_net_hdr none = {};

	switch (kind) {
	case REFUSAL_RESET:
		if (peer)
			transmit_ip(w, peer, packet, tcp_reset_build(packet, syn), &none);
		break;
	case REFUSAL_NO_ROUTE:
		transmit_error(w, syn, ICMP_ERROR_NO_ROUTE, 0);
		break;
	case REFUSAL_HOST:
		transmit_error(w, syn, ICMP_ERROR_HOST, 0);
		break;
	case REFUSAL_PROHIBITED:
		transmit_error(w, syn, ICMP_ERROR_PROHIBITED, 0);
		break;
	case REFUSAL_NONE:
	case REFUSAL_SILENT:
		break;
	}
}

/* Answer the SYN that is held. */
static void answer_held(struct worker *w, struct tcp_flow *flow, enum refusal_kind kind)
{
	struct ip_packet syn;

	if (flow->syn && !ip_parse(flow->syn, flow->syn_len, &syn))
		answer(w, &syn, kind);
}

/* Where a peer's memory of a destination is; NULL where it has none at all. */
static struct refusal *refusal_of(struct worker *w, const struct peer *peer,
				  const struct flow_name *name)
{
	struct flow_name to = {.ends.daddr = name->ends.daddr, .dport = name->dport};

	return peer->refusals ? &peer->refusals[flow_hash(w, &to) % REFUSALS] : NULL;
}

static enum refusal_kind refused_lately(struct worker *w, const struct peer *peer,
					const struct flow_name *name)
{
	const struct refusal *refusal = refusal_of(w, peer, name);

	if (!refusal || w->now_ns >= refusal->until_ns || refusal->port != name->dport ||
	    memcmp(&refusal->addr, &name->ends.daddr, 16))
		return REFUSAL_NONE;
	return refusal->kind;
}

/* For its own peer alone: another one's luck is its own. */
static void remember_refusal(struct worker *w, const struct tcp_flow *flow, enum refusal_kind kind)
{
	const struct flow_name *name = &flow->entry.name;
	struct peer *peer = flow->entry.peer;
	struct refusal *refusal;

	if (!peer->refusals)
		peer->refusals = calloc(REFUSALS, sizeof(*peer->refusals));
	refusal = refusal_of(w, peer, name);
	if (!refusal)
		return;
	refusal->addr = name->ends.daddr;
	refusal->port = name->dport;
	refusal->kind = kind;
	refusal->until_ns = w->now_ns + REFUSED_NS;
}

/* What the socket's error means to the peer. */
static enum refusal_kind refusal_for(struct worker *w, int err)
{
	switch (err) {
	case ECONNREFUSED:
		w->status->tcp_refused++;
		return REFUSAL_RESET;
	case ETIMEDOUT: /* nobody has answered, and the peer gets no answer */
		w->status->tcp_timed_out++;
		return REFUSAL_SILENT;
	case ENETUNREACH:
		w->status->tcp_unreachable++;
		return REFUSAL_NO_ROUTE;
	case EHOSTUNREACH:
	case EHOSTDOWN:
		w->status->tcp_unreachable++;
		return REFUSAL_HOST;
	case EACCES:
	case EPERM:
		w->status->tcp_unreachable++;
		return REFUSAL_PROHIBITED;
	case EADDRNOTAVAIL:
		w->status->refused_ports++;
		return REFUSAL_RESET;
	default: /* out of descriptors or memory: ours, not the destination's */
		w->status->refused_limit++;
		return REFUSAL_SILENT;
	}
}

/* Close both sockets; @reset: abruptly. */
static void remove_flow(struct worker *w, struct tcp_flow *flow, bool reset)
{
	if (flow->state == TCP_DIALLING)
		w->status->rx_refused++;
	leave_state(w, flow);
	tcp_close(flow->host_fd, reset);
	tcp_close(flow->peer_fd, reset);
	flow_remove(w, &flow->entry);
}

static void dial_failed(struct worker *w, struct tcp_flow *flow, int err)
{
	enum refusal_kind kind = refusal_for(w, err);

	answer_held(w, flow, kind);
	/* what this host is short of says nothing of the destination */
	if (kind != REFUSAL_SILENT && err != EADDRNOTAVAIL)
		remember_refusal(w, flow, kind);
	remove_flow(w, flow, false);
}

/* Whoever waits for a dial gets an answer, unless others need the room: the SYN comes again. */
static void tcp_end(struct worker *w, struct flow_entry *entry, enum end_reason reason)
{
	struct tcp_flow *flow = tcp_flow_of(entry);

	if (flow->state == TCP_DIALLING && reason == END_TIMED_OUT) {
		dial_failed(w, flow, ETIMEDOUT);
		return;
	}
	if (flow->state == TCP_DIALLING && reason != END_CLOSED && reason != END_DISPLACED)
		answer_held(w, flow, REFUSAL_RESET);
	remove_flow(w, flow, reason != END_CLOSED);
}

/* Let the handshake through. */
static void dial_done(struct worker *w, struct tcp_flow *flow)
{
	struct ip_packet syn;

	if (!ip_parse(flow->syn, flow->syn_len, &syn)) {
		coalesce_add(&w->coalescer, &syn);
		coalesce_flush(&w->coalescer);
	}
	leave_state(w, flow);
	flow->state = TCP_ACCEPTING;
	flow_move(w, &flow->entry, &w->accepting);
}

/* Take note of events on the socket that @from reads and @to writes. */
static void note_events(struct half *from, struct half *to, uint32_t events)
{
	/* that there is room comes with every event, and says nothing of what is to be read */
	from->readable |= (events & ~EPOLLOUT) != 0;
	from->ended |= (events & (EPOLLRDHUP | EPOLLHUP)) != 0;
	from->urgent |= (events & EPOLLPRI) != 0;
	if (events & EPOLLOUT)
		to->blocked = false;
}

/* What failed cannot be read any more, which a direction that is blocked does not try. */
static void end_if_failed(struct worker *w, struct tcp_flow *flow, uint32_t events)
{
	if (events & EPOLLERR && !flow->entry.is_dead)
		tcp_end(w, &flow->entry, END_BROKEN);
}

static void host_ready(struct worker *w, struct watch *watch, uint32_t events)
{
	struct tcp_flow *flow = container_of(watch, struct tcp_flow, host_watch);
	socklen_t len = sizeof(int);
	int err = 0;

	if (flow->entry.is_dead)
		return;
	note_events(&flow->down, &flow->up, events);
	if (flow->state == TCP_CONNECTED) {
		relay_turn(w, flow);
		end_if_failed(w, flow, events);
	} else if (flow->state == TCP_DIALLING) {
		getsockopt(flow->host_fd, SOL_SOCKET, SO_ERROR, &err, &len);
		/* a reset is no refusal: there was a connection, and the peer is to have one too */
		flow->was_reset = err == ECONNRESET || err == EPIPE;
		if (!err && route_has_moved(w, &flow->entry, NULL))
			err = ENETUNREACH;
		if (err && !flow->was_reset)
			dial_failed(w, flow, err);
		else if (err || events & EPOLLOUT)
			dial_done(w, flow);
	}
}

static void peer_ready(struct worker *w, struct watch *watch, uint32_t events)
{
	struct tcp_flow *flow = container_of(watch, struct tcp_flow, peer_watch);

	if (flow->entry.is_dead)
		return;
	note_events(&flow->up, &flow->down, events);
	relay_turn(w, flow);
	end_if_failed(w, flow, events);
}

/* Keep the newest SYN: a peer may have given up and come again from the same port. */
static bool hold(struct tcp_flow *flow, const struct ip_packet *p)
{
	uint8_t *copy = malloc(p->len);

	if (!copy)
		return false;
	memcpy(copy, p->data, p->len);
	free(flow->syn);
	flow->syn = copy;
	flow->syn_len = p->len;
	return true;
}

static struct tcp_flow *flow_new(struct worker *w, const struct flow_name *name,
				 const struct ip_packet *p, const uint8_t *mac)
{
	struct tcp_flow *flow = calloc(1, sizeof(*flow));

	if (!flow)
		return NULL;
	flow->host_fd = flow->peer_fd = -1;
	flow->up.chunk = flow->down.chunk = RELAY_CHUNK_MIN;
	flow->entry.end = tcp_end;
	if (!hold(flow, p) || !flow_insert(w, &flow->entry, name, mac)) {
		free(flow->syn);
		free(flow);
		return NULL;
	}
	flow->state = TCP_DIALLING;
	dial_asked(w, flow);
	w->status->tcp_dials = ++w->n_dialling;
	flow_move(w, &flow->entry, &w->dialling);
	return flow;
}

/* Whether one more dial of that peer has room, which may be another one's. */
static bool may_dial(struct worker *w, const struct peer *peer)
{
	if (peer->shares[SHARED_DIALS].count >= DIALS_OF_ONE_PEER)
		return false;
	return w->n_dialling < DIALS_MAX || displace_for(w, peer, SHARED_DIALS);
}

static void open_flow(struct worker *w, const struct flow_name *name, const struct ip_packet *p,
		      const uint8_t *mac)
{
	struct peer *peer = peer_find(w, &name->ends.saddr, name->ends.version);
	enum refusal_kind kind;
	struct tcp_flow *flow;
	union addr to;
	int err;

	if (!peer || !may_dial(w, peer)) {
		w->status->tcp_deferred++;
		w->status->rx_refused++;
		return;
	}
	kind = refused_lately(w, peer, name);
	if (kind == REFUSAL_NONE)
		kind = route_admit(w, name, &to);
	if (kind != REFUSAL_NONE) {
		w->status->rx_refused++;
		answer(w, p, kind == REFUSAL_PROHIBITED ? REFUSAL_RESET : kind);
		return;
	}
	flow = flow_new(w, name, p, mac);
	if (!flow) {
		w->status->rx_refused++;
		return;
	}
	flow->host_watch.ready = host_ready;
	err = connect_host(w, flow, &to, p->tos);
	if (err)
		dial_failed(w, flow, -err);
}

/**
 * tcp_input() - A TCP packet of a peer
 * @p: not a fragment
 * @mac: where it came from, NULL on links without addresses
 */
void tcp_input(struct worker *w, const struct ip_packet *p, const uint8_t *mac)
{
	struct flow_entry *entry;
	struct flow_name name;
	struct tcphdr tcp;
	uint8_t flags;

	if (tcp_parse(p, &tcp)) {
		w->status->rx_ignored++;
		return;
	}
	/* whoever sends is answered, if only by a reset: of an earlier forwarder's connection, perhaps */
	peer_learn(w, &p->ends.saddr, p->ends.version, mac);
	flags = tcp.th_flags & (TH_SYN | TH_ACK | TH_RST | TH_FIN);
	flow_name_set(&name, p, tcp.th_sport, tcp.th_dport);
	if (flags == TH_SYN) {
		entry = flow_lookup(w, &name);
		if (!entry) {
			open_flow(w, &name, p, mac);
			return;
		}
		if (tcp_flow_of(entry)->state == TCP_DIALLING) {
			w->status->rx_repeated++;
			dial_asked(w, tcp_flow_of(entry));
			hold(tcp_flow_of(entry), p);
			return;
		}
	}
	/* a reset has the DSCP of no connection */
	if (!coalesce_add(&w->coalescer, p) || flags & TH_RST)
		return;
	entry = flow_lookup(w, &name);
	if (entry)
		tcp_set_dscp(tcp_flow_of(entry), p->tos);
}

/**
 * tcp_write_tun() - What the coalescer has put together goes to the private namespace
 *
 * The device takes it or drops it, and TCP copes.
 */
void tcp_write_tun(void *arg, const struct iovec *parts, int n)
{
	struct worker *w = arg;

	/* the first part is no packet's */
	if (writev(w->tun_fd, parts, n) < 0)
		w->status->rx_unwritten += n - 1;
	else
		w->status->rx_relayed += n - 1;
}

/* Bring the accepted socket together with the one that was dialled for it. */
static bool join(struct worker *w, int fd, const struct sockaddr_storage *peer)
{
	struct flow_name name = {.l4_proto = IPPROTO_TCP};
	struct sockaddr_storage own;
	socklen_t len = sizeof(own);
	struct flow_entry *entry;
	struct tcp_flow *flow;

	if (getsockname(fd, (struct sockaddr *)&own, &len))
		return false;
	name.ends.version = peer->ss_family == AF_INET ? IP_VERSION_4 : IP_VERSION_6;
	sockaddr_get(peer, &name.ends.saddr, &name.sport);
	sockaddr_get(&own, &name.ends.daddr, &name.dport);
	entry = flow_lookup(w, &name);
	if (!entry || tcp_flow_of(entry)->state != TCP_ACCEPTING)
		return false;
	flow = tcp_flow_of(entry);
	tcp_bound_buffers(fd, entry->peer->tcp_flows);
	flow->peer_fd = fd;
	flow->peer_watch.ready = peer_ready;
	flow->state = TCP_CONNECTED;
	flow_move(w, entry, &w->connected);
	w->status->tcp_connections++;
	w->status->tcp_opened++;
	if (flow->was_reset || watch_add(w, fd, &flow->peer_watch, TCP_EVENTS))
		tcp_end(w, entry, END_BROKEN);
	return true;
}

/**
 * tcp_listen_ready() - Handshakes are complete
 */
void tcp_listen_ready(struct worker *w, struct watch *watch, uint32_t events)
{
	int listener = w->listen_fds[watch - w->listen_watches];
	struct sockaddr_storage peer;

	(void)events;
	for (;;) {
		socklen_t len = sizeof(peer);
		int fd = accept4(listener, (struct sockaddr *)&peer, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		if (!join(w, fd, &peer))
			tcp_close(fd, true);
	}
}

/**
 * tcp_save() - What another forwarder has to know of a connection
 * @flow: accepting or connected
 * @handover: becomes it
 * @fds: become its sockets, the host's and then the peer's
 *
 * Return: how many sockets there are.
 */
int tcp_save(const struct tcp_flow *flow, struct tcp_handover *handover, int fds[2])
{
	*handover = (struct tcp_handover){
		.name = flow->entry.name,
		.state = flow->state,
		.up_shut = flow->up.shut,
		.down_shut = flow->down.shut,
		.dscp = flow->dscp,
	};
	memcpy(handover->mac, flow->entry.peer->mac, LINK_ADDR_LEN);
	fds[0] = flow->host_fd;
	fds[1] = flow->peer_fd;
	return flow->state == TCP_CONNECTED ? 2 : 1;
}

/**
 * tcp_resume() - Go on with a connection of another forwarder
 * @handover: accepting or connected
 * @host_fd, @peer_fd: its sockets, -1: none; owned from here on
 *
 * Nothing is known of what they are ready for, so both are tried at once.
 */
void tcp_resume(struct worker *w, const struct tcp_handover *handover, int host_fd, int peer_fd)
{
	struct tcp_flow *flow = calloc(1, sizeof(*flow));

	if (!flow || !flow_insert(w, &flow->entry, &handover->name, handover->mac)) {
		tcp_close(host_fd, true);
		tcp_close(peer_fd, true);
		free(flow);
		return;
	}
	flow->host_fd = host_fd;
	flow->peer_fd = peer_fd;
	flow->host_watch.ready = host_ready;
	flow->peer_watch.ready = peer_ready;
	flow->up = (struct half){
		.chunk = RELAY_CHUNK_MIN,
		.readable = true,
		.shut = handover->up_shut,
	};
	flow->down = (struct half){
		.chunk = RELAY_CHUNK_MIN,
		.readable = true,
		.shut = handover->down_shut,
	};
	flow->entry.end = tcp_end;
	flow->state = handover->state;
	flow->dscp = handover->dscp;
	flow->cookie = answer_watch(w, host_fd);
	flow->is_local = route_is_local(w, &handover->name.ends.daddr);
	flow_move(w, &flow->entry, peer_fd < 0 ? &w->accepting : &w->connected);
	if (flow->state == TCP_CONNECTED)
		w->status->tcp_connections++;
	if (watch_add(w, host_fd, &flow->host_watch, TCP_EVENTS) ||
	    (peer_fd >= 0 && watch_add(w, peer_fd, &flow->peer_watch, TCP_EVENTS)))
		tcp_end(w, &flow->entry, END_BROKEN);
}

/* Send one packet of the private namespace's to its peer; false where there is no room. */
static bool forward_down(struct worker *w, struct virtio_net_hdr *header, size_t len)
{
	struct iovec part = {w->tun_packet, len};
	struct ip_packet packet;
	struct peer *peer;

	/* the namespace says other things as well, such as router solicitations */
	if (ip_parse(w->tun_packet, len, &packet) || packet.l4_proto != IPPROTO_TCP)
		return true;
	peer = peer_find(w, &packet.ends.daddr, packet.ends.version);
	if (!peer)
		return true;
	answer_set_tos_ttl(w, &packet);
	return transmit(w, peer->mac, header, &part, 1, packet.ends.version);
}

/**
 * tcp_tun_ready() - The private namespace has packets for peers
 *
 * Where the interface has no room the packet at hand is lost, as on any full queue, and the rest
 * waits in the TUN.
 */
void tcp_tun_ready(struct worker *w, struct watch *watch, uint32_t events)
{
	struct virtio_net_hdr header;
	struct iovec parts[2] = {
		{&header, sizeof(header)},
		{w->tun_packet, TUN_PACKET_MAX},
	};

	(void)watch;
	(void)events;
	for (int i = 0; i < TUN_READS_PER_TURN; i++) {
		ssize_t len = readv(w->tun_fd, parts, 2);

		if (len <= (ssize_t)sizeof(header))
			return;
		if (!forward_down(w, &header, len - sizeof(header))) {
			transmit_wait(w);
			return;
		}
	}
}
