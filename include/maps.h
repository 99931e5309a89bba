/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The names of the maps, but for the connection tables, which FLOW_TABLES of flow.h lists.
 *
 * What a map holds is in the header of its structs.  Its name ends in the version of that layout:
 * who changes the layout changes the number here and in bpf/, and the build asserts that both
 * agree.
 */
#ifndef SHRIKE_MAPS_H
#define SHRIKE_MAPS_H

/* clang-format off */

/* MAP(id, name): MAP_id is the name */
#define MAPS(MAP)                                                                                  \
	MAP(BLOCKED, blocked_v1)                                                                   \
	MAP(CHANGE, change_v1)                                                                     \
	MAP(CLASS_BASE, class_base_v1)                                                             \
	MAP(CLASS_FLAT, class_flat_v1)                                                             \
	MAP(CLASS_LAYOUT, class_layout_v1)                                                         \
	MAP(CLASS_LEAF, class_leaf_v1)                                                             \
	MAP(CLASS_LINE, class_line_v1)                                                             \
	MAP(CLASS_MASK, class_mask_v1)                                                             \
	MAP(CLASS_NODE, class_node_v1)                                                             \
	MAP(CLASS_ORIGIN, class_origin_v1)                                                         \
	MAP(CLASS_PAGE, class_page_v1)                                                             \
	MAP(CLASS_PORT, class_port_v1)                                                             \
	MAP(CLASS_PROTO, class_proto_v1)                                                           \
	MAP(CLASS_ROW, class_row_v1)                                                               \
	MAP(CLASS_RULE, class_rule_v1)                                                             \
	MAP(CLASS_TREE, class_tree_v1)                                                             \
	MAP(CLASS_WORD, class_word_v1)                                                             \
	MAP(COUNTERS, counters_v3)                                                                 \
	MAP(CT_EPOCH, ct_epoch_v1)                                                                 \
	MAP(CT_PRESSURE, ct_pressure_v1)                                                           \
	MAP(CT_SCRATCH, ct_scratch_v2)                                                             \
	MAP(CT_SERVED, ct_served_v1)                                                               \
	MAP(FLOW_GATE, flow_gate_v2)                                                               \
	MAP(FLOW_RINGS, flow_rings_v2)                                                             \
	MAP(FORWARDER, forwarder_v2)                                                               \
	MAP(FORWARD_TUN, forward_tun_v1)                                                           \
	MAP(FRAGMENTS, fragments_v2)                                                               \
	MAP(INSTANCE, instance_v2)                                                                 \
	MAP(LOCAL_FILTER, local_filter_v1)                                                               \
	MAP(LOCAL_ADDR, local_addr_v1)                                                             \
	MAP(LOCAL_PREFIX, local_prefix_v1)                                                         \
	MAP(NAT_ORIG, nat_orig_v1)                                                                 \
	MAP(NAT_PORT, nat_port_v1)                                                                 \
	MAP(NAT_TRANS, nat_trans_v1)                                                               \
	MAP(NUMBERS, numbers_v1)                                                                   \
	MAP(POLICY_TEXT, policy_text_v1)                                                           \
	MAP(RECORDER, recorder_v1)                                                                 \
	MAP(RULE_HITS, rule_hits_v1)                                                               \
	MAP(RULES, rules_v1)                                                                       \
	MAP(SET_DEADLINE, set_deadline_v1)                                                         \
	MAP(SNAT_IN4, snat_in4_v1)                                                                 \
	MAP(SNAT_IN6, snat_in6_v1)                                                                 \
	MAP(TRACE_FILTER, trace_filter_v1)                                                         \
	MAP(TRACE_STATS, trace_stats_v1)                                                           \
	MAP(TRACE, trace_v2)                                                                       \
	MAP(UNDO_TEXT, undo_text_v1)                                                               \
	MAP(UNDO, undo_v1)                                                                         \
	MAP(XSKS, xsks_v1)

/* clang-format on */

#define MAP(id, name) static const char MAP_##id[] __attribute__((unused)) = #name;
MAPS(MAP)
#undef MAP

#endif /* SHRIKE_MAPS_H */
