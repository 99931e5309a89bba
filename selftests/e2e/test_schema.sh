# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The JSON Schemas, by which editors help: they and the parsers take the same files, but for mistakes
# that no schema can express, which are listed here.

tests "policy scenario" \
	a_schema_refuses_what_the_parser_refuses_as_far_as_it_can

# mistakes of each kind, as the parser tells them
only_the_parser_sees() {
	if [ "$1" = policy ]; then
		cat <<'END'
destination_ports with a protocol that has no ports
icmp_types without protocol: icmp, which is ICMPv6, too
key 'dport' is missing
mixed families: no source has the family of a destination
ports with a protocol that has none
source_ports with a protocol that has no ports
unknown set 'corp'
END
	else
		cat <<END
'icmp' is only for icmp
'sport' is only for tcp and udp
$T/x y: No such file or directory
fragment offset 7: must be a multiple of 8, at most 65528
key 'dport' is missing
key 'sport' is missing
key 'version' is missing
unknown key 'no_such_key'
version must be 1
END
	fi
}

test_a_schema_refuses_what_the_parser_refuses_as_far_as_it_can() {
	local both
	chmod 755 "$T" && cp "$SHRIKE" "$T/shrike" && chmod 755 "$T/shrike"
	expect 0 /usr/bin/python3 "$SELFTESTS/tools/schema_files.py" "$1" "$T/shrike" \
		"$TREE/dist/shrike-$1.schema.json" "$T"
	is "the schema alone" "" "$(grep "^the schema alone" <<<"$OUT")"
	is "the parser alone" "$(only_the_parser_sees "$1" | sort)" \
		"$(sed -n 's/^the parser alone refuses [^(]*([0-9]*): //p' <<<"$OUT" | sort)"
	both=$(sed -n 's/^both take .*, both refuse //p' <<<"$OUT")
	[ "$both" -ge 200 ] || die "only $both files were refused by both"
}
