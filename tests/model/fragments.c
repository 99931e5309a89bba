/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Datagrams in fragments: the first one is judged, the others follow it.
 */
#include <stdlib.h>
#include <string.h>

#include "model/way.h"

static struct model_fragment *find_fragment(const struct model_way *way)
{
	const struct model_packet *p = way->p;
	struct model *model = way->model;

	for (size_t i = 0; i < model->n_fragments; i++) {
		struct model_fragment *f = &model->fragments[i];

		if (f->version == p->version && f->proto == p->proto && f->id == p->id &&
		    f->by_uplink == way->by_uplink && model_addr_same(&f->src, &way->wire_src) &&
		    model_addr_same(&f->dst, &p->dst))
			return f;
	}
	return NULL;
}

static void forget(struct model *model, struct model_fragment *f)
{
	*f = model->fragments[--model->n_fragments];
}

/* What is known of a later fragment's datagram; NULL: nothing, or too long ago. */
static struct model_fragment *find_first(const struct model_way *way)
{
	struct model_fragment *f = find_fragment(way);

	return f && way->now_ns - f->since_ns <= way->model->policy->timeouts.fragment ? f : NULL;
}

/* Whether a fragment overlaps the first one, or one of its datagram has (RFC 5722). */
static bool overlaps_first(const struct model_way *way, struct model_fragment *f)
{
	if (way->p->frag_off < f->first_end)
		f->poisoned = true;
	return f->poisoned;
}

/* What the header of the datagram says, which only the first fragment has. */
static void show_header(struct model_packet *p, const struct model_fragment *f)
{
	p->sport = f->sport;
	p->dport = f->dport;
	p->icmp_type = f->icmp_type;
	p->icmp_code = f->icmp_code;
	p->icmp_id = f->icmp_id;
}

/* The policy has changed since the first fragment: the one in force judges the datagram. */
static enum verdict judge_again(struct model_way *way, struct model_fragment *f)
{
	show_header(way->p, f);
	if ((f->is_answer ? model_judge_question(way) : model_judge(way)) == VERDICT_DROP) {
		forget(way->model, f);
		return VERDICT_DROP;
	}
	f->verdict = way->result->verdict;
	f->judged_by = way->model->policy_number;
	strcpy(f->rule, way->result->rule_id);
	return f->verdict;
}

/**
 * model_judge_later_fragment() - Judge a fragment by the first one of its datagram
 * @way: the fragment, its addresses translated
 */
enum verdict model_judge_later_fragment(struct model_way *way)
{
	struct model_fragment *f = find_first(way);

	if (!f)
		return model_decide(way, VERDICT_DROP, REASON_FRAGMENT_UNKNOWN, NULL);
	if (overlaps_first(way, f))
		return model_decide(way, VERDICT_DROP, REASON_FRAGMENT_OVERLAP, NULL);
	way->follows = f->by_nat && model_is_nat(way->model);
	if (way->follows)
		show_header(way->p, f);
	if (f->judged_by != way->model->policy_number && !f->is_reply)
		return judge_again(way, f);
	return model_decide(way, f->verdict, REASON_FRAGMENT_ALLOWED, f->rule);
}

/**
 * model_forget_fragment() - Another datagram begins, which may have the number of an older one
 */
void model_forget_fragment(struct model_way *way)
{
	struct model_fragment *f = find_fragment(way);

	if (f)
		forget(way->model, f);
}

/**
 * model_remember_fragment() - Note what has become of the first fragment of a datagram
 */
void model_remember_fragment(struct model_way *way)
{
	struct model *model = way->model;
	const struct model_packet *p = way->p;
	size_t n = model->n_fragments++;

	model->fragments = realloc(model->fragments, (n + 1) * sizeof(*model->fragments));
	if (!model->fragments)
		abort();
	model->fragments[n] = (struct model_fragment){
		.src = way->wire_src,
		.dst = p->dst,
		.id = p->id,
		.version = p->version,
		.proto = p->proto,
		.sport = p->sport,
		.dport = p->dport,
		.icmp_type = p->icmp_type,
		.icmp_code = p->icmp_code,
		.icmp_id = p->icmp_id,
		.by_uplink = way->by_uplink,
		.verdict = way->result->verdict,
		.is_reply = way->is_reply,
		.is_answer = way->is_answer,
		.judged_by = model->policy_number,
		.first_end = p->end - p->l4,
		.since_ns = way->now_ns,
	};
	strcpy(model->fragments[n].rule, way->result->rule_id);
}

/**
 * model_fragment_left() - The first fragment of a datagram leaves by the uplink, so the others follow
 */
void model_fragment_left(struct model_way *way)
{
	struct model_fragment *f = find_fragment(way);

	if (f)
		f->by_nat = true;
}

/**
 * model_follow_answer() - Have a fragment from the uplink say what the first one of its datagram did
 * @way: the fragment
 * @overlaps: set to whether it overlaps that one, or another has
 *
 * Return: whether that one was a peer's.
 */
bool model_follow_answer(struct model_way *way, bool *overlaps)
{
	struct model_fragment *f = find_first(way);

	if (!f)
		return false;
	*overlaps = overlaps_first(way, f);
	show_header(way->p, f);
	return true;
}
