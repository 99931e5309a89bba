/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An end is known by the addresses and ports of its packets as it sends and receives them: the
 * sender by the packet as it was given, the receiver by the packet as it left.  So the two ends of
 * a connection that is translated on its way each have a view of their own.
 *
 * A packet between two peers comes in by the interface and leaves by it again.  What leaves then is
 * no new packet of its sender and keeps the numbers.
 */
#include "simulate/numbers.h"

#include <endian.h>
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "packet/build.h"

#define SEQ_OFF	   4 /* in a TCP header, as the others */
#define ACK_OFF	   8
#define LENGTH_OFF 12 /* of the header, in the upper half of the byte, in words */
#define FLAGS_OFF  13
#define CSUM_OFF   16

/* Addresses and ports as one end sees them, in network byte order.  No padding: it is a key. */
struct tuple {
	union addr own_addr;
	union addr other_addr;
	uint32_t own_port;
	uint32_t other_port;
};
_Static_assert(sizeof(struct tuple) == 40, "no padding in struct tuple");

struct segment {
	uint32_t seq;
	uint32_t ack;
	uint32_t len; /* in sequence numbers: bytes of data, SYN and FIN */
	uint8_t flags;
};

/*
 * struct end - an end host of a connection
 * @other: the end that its last packet reached, NULL: none yet
 * @start: sequence number of its SYN, if @has_start
 * @next: sequence number of what it sends next, 0 unless @has_sent
 * @other_start: sequence number of the other end's SYN, if @has_other_start
 * @other_next: what it has received in order ends before this number; 0 unless @has_received
 * @passing: the last packet that came in with its addresses, if @is_passing; may leave again
 * @has_finished: it has sent a FIN, which ends before @next
 * @is_asked: a SYN of the other end waits for an answer: @start and @next are of the time before it
 * @is_asking: its own SYN waits for an answer
 */
struct end {
	struct tuple tuple; /* comes first: the key in the tree */
	struct end *other;
	uint32_t start;
	uint32_t next;
	uint32_t other_start;
	uint32_t other_next;
	struct segment passing;
	bool has_start;
	bool has_sent;
	bool has_finished;
	bool has_other_start;
	bool has_received;
	bool is_passing;
	bool is_asked;
	bool is_asking;
};

/*
 * struct numbers - all ends, and the packet that was numbered and whose fate is not known yet
 * @ends: tree of tsearch(3)
 * @random: state of the generator that start numbers are drawn from
 * @drawn: the packet has drawn its number
 * @repeats: the packet came in before and leaves now
 */
struct numbers {
	void *ends;
	uint64_t random;
	struct end *sender;
	struct segment segment;
	bool drawn;
	bool repeats;
};

static int compare_ends(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct tuple));
}

/* The end with a tuple, which may be new; NULL if memory is out. */
static struct end *find_end(struct numbers *numbers, const struct tuple *tuple)
{
	struct end **found = tfind(tuple, &numbers->ends, compare_ends);
	struct end *end;

	if (found)
		return *found;
	end = calloc(1, sizeof(*end));
	if (!end)
		return NULL;
	end->tuple = *tuple;
	if (tsearch(end, &numbers->ends, compare_ends))
		return end;
	free(end);
	return NULL;
}

static void read_tuples(const struct scenario_step *step, const uint8_t *bytes,
			struct tuple *sender, struct tuple *receiver)
{
	union addr addr[2];
	uint16_t port[2];
	uint8_t ip_version;

	packet_addresses(bytes, step->tcp_off, addr, &ip_version);
	memcpy(port, bytes + step->tcp_off, sizeof(port));
	*sender = (struct tuple){addr[0], addr[1], port[0], port[1]};
	*receiver = (struct tuple){addr[1], addr[0], port[1], port[0]};
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return be32toh(value);
}

/* Write a number into a TCP header and have the checksum follow it (RFC 1624). */
static void put32(uint8_t *tcp, unsigned int off, uint32_t value)
{
	uint32_t old = get32(tcp + off), be = htobe32(value), sum;
	uint16_t csum;

	memcpy(&csum, tcp + CSUM_OFF, sizeof(csum));
	sum = 0xffff & ~be16toh(csum);
	sum += (0xffff & ~(old >> 16)) + (0xffff & ~old) + (value >> 16) + (0xffff & value);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	csum = htobe16(~sum & 0xffff);
	memcpy(tcp + CSUM_OFF, &csum, sizeof(csum));
	memcpy(tcp + off, &be, sizeof(be));
}

/* splitmix64: the same numbers in every run, and none that look alike. */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* No host takes a segment with two of SYN, FIN and RST for what it says. */
static bool is_legal(uint8_t flags)
{
	flags &= PACKET_TCP_SYN | PACKET_TCP_FIN | PACKET_TCP_RST;
	return !(flags & (flags - 1));
}

static bool is_syn(uint8_t flags)
{
	return flags & PACKET_TCP_SYN && is_legal(flags);
}

/* The number that an end gives to its next segment; draws where it begins. */
static uint32_t choose_seq(struct numbers *numbers, const struct end *end,
			   const struct segment *segment)
{
	bool has_ack = segment->flags & PACKET_TCP_ACK, is_rst = segment->flags & PACKET_TCP_RST;
	uint64_t state = numbers->random;

	if (is_syn(segment->flags)) {
		if (has_ack && end->has_start && !end->is_asked)
			return end->start; /* the SYN that it has sent, once more */
	} else if (is_rst && has_ack && end->is_asked) {
		return 0; /* a refusal: RFC 9293, section 3.10.7.1 */
	} else if (end->has_finished && segment->len) {
		/*
		 * Nothing new comes after a FIN, so this is sent again: with the FIN or before it.
		 */
		return end->next - segment->len - !(segment->flags & PACKET_TCP_FIN);
	} else if (end->has_sent || is_rst) {
		return end->next;
	}
	numbers->drawn = true;
	return (uint32_t)(draw(&state) >> 32);
}

/**
 * numbers_new() - Begin with no connection known
 * @numbers: set to the numbers, for numbers_free()
 * @error: set on failure
 *
 * Return: 0 or -ENOMEM.
 */
int numbers_new(struct numbers **numbers, struct error *error)
{
	*numbers = calloc(1, sizeof(**numbers));
	return *numbers ? 0 : error_no_memory(error);
}

/**
 * numbers_assign() - Number a packet before it is judged
 * @numbers: moved by what was settled before; not by this, so that it may be called again
 * @step: the packet; numbers that it gives are left as they are
 * @bytes: those of @step, which may be a copy; sequence number, ACK number and checksum are written
 * @error: set on failure
 *
 * Return: 0 or -ENOMEM.
 */
int numbers_assign(struct numbers *numbers, const struct scenario_step *step, uint8_t *bytes,
		   struct error *error)
{
	uint8_t *tcp = bytes + step->tcp_off;
	struct segment *segment = &numbers->segment;
	const struct segment *passing;
	struct tuple own, other;
	struct end *end;

	numbers->sender = NULL;
	if (!step->tcp_off)
		return 0;
	read_tuples(step, bytes, &own, &other);
	end = find_end(numbers, &own);
	if (!end)
		return error_no_memory(error);
	passing = &end->passing;
	*segment = (struct segment){.flags = tcp[FLAGS_OFF]};
	segment->len = step->len - step->tcp_off - (tcp[LENGTH_OFF] >> 4) * 4 +
		       !!(segment->flags & PACKET_TCP_SYN) + (segment->flags & PACKET_TCP_FIN);
	numbers->drawn = false;
	numbers->repeats = step->direction == DIR_EGRESS && end->is_passing &&
			   segment->flags == passing->flags && segment->len == passing->len &&
			   (!step->has_seq || get32(tcp + SEQ_OFF) == passing->seq);
	if (!step->has_seq)
		put32(tcp, SEQ_OFF,
		      numbers->repeats ? passing->seq : choose_seq(numbers, end, segment));
	if (!step->has_ack && segment->flags & PACKET_TCP_ACK)
		put32(tcp, ACK_OFF, numbers->repeats ? passing->ack : end->other_next);
	segment->seq = get32(tcp + SEQ_OFF);
	segment->ack = get32(tcp + ACK_OFF);
	numbers->sender = end;
	return 0;
}

/* A segment that reaches the other end moves what its sender sends next. */
static void note_sent(struct end *end, const struct segment *segment)
{
	bool is_rst = segment->flags & PACKET_TCP_RST;

	if (is_rst)
		end->is_asking = false;
	if (is_syn(segment->flags)) {
		if (end->has_start && segment->seq == end->start && !end->is_asked)
			return; /* sent again */
		end->start = segment->seq;
		end->has_start = true;
		end->has_finished = false;
		end->is_asked = false;
		end->is_asking = !(segment->flags & PACKET_TCP_ACK);
	} else if (end->has_sent ? segment->seq != end->next : is_rst) {
		return;
	}
	if (segment->flags & PACKET_TCP_FIN)
		end->has_finished = true;
	end->next = segment->seq + segment->len;
	end->has_sent = true;
}

static bool acknowledges(const struct segment *segment, const struct end *end)
{
	return segment->flags & PACKET_TCP_ACK &&
	       segment->ack - end->start - 1 < end->next - end->start;
}

/* It also moves what its receiver has in order. */
static void note_received(struct end *end, const struct segment *segment)
{
	bool is_rst = segment->flags & PACKET_TCP_RST;

	if (is_rst || acknowledges(segment, end))
		end->is_asking = false;
	if (is_syn(segment->flags)) {
		if (end->has_other_start && segment->seq == end->other_start)
			return;
		/* Who is asking itself answers with its own SYN again: RFC 9293, figure 7. */
		end->is_asked = !(segment->flags & PACKET_TCP_ACK) && !end->is_asking;
		end->other_start = segment->seq;
		end->has_other_start = true;
	} else if (end->has_received ? segment->seq != end->other_next : is_rst) {
		return;
	}
	end->other_next = segment->seq + segment->len;
	end->has_received = true;
}

/* Whom a packet reached; one that was dropped against expectation never left as it should have. */
static struct end *find_receiver(struct numbers *numbers, const struct end *sender,
				 enum verdict verdict, const struct tuple *tuple)
{
	if (verdict == VERDICT_DROP && sender->other)
		return sender->other;
	return find_end(numbers, tuple);
}

/**
 * numbers_settle() - Note what became of the packet that was numbered last
 * @numbers: where
 * @step: the packet
 * @verdict: on it
 * @left: the packet as it left; the header before what is numbered is as long as it was
 * @error: set on failure
 *
 * It has reached the other end unless its scenario expects that it drops or, where it expects
 * nothing, it was dropped.  A trace reaches nobody.
 *
 * Return: 0 or -ENOMEM.
 */
int numbers_settle(struct numbers *numbers, const struct scenario_step *step, enum verdict verdict,
		   const uint8_t *left, struct error *error)
{
	enum verdict believed = step->expect.has_verdict ? step->expect.verdict : verdict;
	const struct segment *segment = &numbers->segment;
	struct end *sender = numbers->sender, *receiver, *passing;
	struct tuple own, other;

	numbers->sender = NULL;
	if (!sender || step->kind != SCENARIO_PACKET || believed == VERDICT_DROP)
		return 0;
	read_tuples(step, left, &own, &other);
	receiver = find_receiver(numbers, sender, verdict, &other);
	passing = find_end(numbers, &own);
	if (!receiver || !passing)
		return error_no_memory(error);
	if (numbers->drawn)
		draw(&numbers->random);
	if (numbers->repeats)
		sender->is_passing = false;
	if (step->direction == DIR_INGRESS) {
		passing->passing = *segment;
		passing->is_passing = true;
	}
	sender->other = receiver;
	if (!is_legal(segment->flags))
		return 0;
	note_sent(sender, segment);
	note_received(receiver, segment);
	return 0;
}

/**
 * numbers_free() - Forget all connections
 * @numbers: may be NULL
 */
void numbers_free(struct numbers *numbers)
{
	if (!numbers)
		return;
	tdestroy(numbers->ends, free);
	free(numbers);
}
