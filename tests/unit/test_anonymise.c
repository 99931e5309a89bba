/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reports that can be given away: no address or name of the input is left, prefixes are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/address.h"
#include "incident/anonymise.h"

#define ADDRESSES 300
#define KEYS	  64

static uint64_t random_state = 44;

static uint8_t random_byte(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint8_t)(random_state >> 24);
}

static struct anonymiser *begin(void)
{
	struct anonymiser *anonymiser;
	struct error error;

	assert_int_equal(anonymiser_new(&anonymiser, &error), 0);
	return anonymiser;
}

/* Bits that two addresses have in common from the first on. */
static unsigned int common(const union addr *a, const union addr *b)
{
	unsigned int bit = 0;

	while (bit < 128 && !((a->bytes[bit / 8] ^ b->bytes[bit / 8]) & 0x80 >> bit % 8))
		bit++;
	return bit;
}

static void prefixes_are_preserved_bit_by_bit(void **state)
{
	struct anonymiser *anonymiser = begin();

	(void)state;
	for (int i = 0; i < ADDRESSES; i++) {
		uint8_t ip_version = i % 2 ? IP_VERSION_6 : IP_VERSION_4;
		union addr a = {}, b, other[2];
		unsigned int first = ip_version == IP_VERSION_4 ? 96 : 0;

		if (first)
			a.bytes[10] = a.bytes[11] = 0xff;
		for (unsigned int byte = first / 8; byte < 16; byte++)
			a.bytes[byte] = random_byte();
		b = a;
		b.bytes[first / 8 + random_byte() % ((128 - first) / 8)] ^= 1 << random_byte() % 8;
		anonymiser_address(anonymiser, &a, ip_version, &other[0]);
		anonymiser_address(anonymiser, &b, ip_version, &other[1]);
		assert_int_equal(common(&a, &b), common(&other[0], &other[1]));
		assert_memory_equal(&a, &other[0], first / 8);
	}
	anonymiser_free(anonymiser);
}

/* What becomes of a text, in a buffer that the next call uses again. */
static const char *other_text(struct anonymiser *anonymiser, const char *text)
{
	static char made[512];
	json_t *json = anonymiser_string(anonymiser, text);

	assert_non_null(json);
	snprintf(made, sizeof(made), "%s", json_string_value(json));
	json_decref(json);
	return made;
}

static struct prefix parsed(const char *text)
{
	struct prefix prefix;
	struct error error;

	assert_int_equal(prefix_parse(text, &prefix, &error), 0);
	return prefix;
}

/* What an address becomes with a key is in one of some prefixes, or else in none. */
static void special_addresses_stay_special_and_no_other_becomes_so(void **state)
{
	static const char *const special[] = {"0.0.0.0/8",   "127.0.0.0/8", "169.254.0.0/16",
					      "224.0.0.0/4", "240.0.0.0/4", "::/8",
					      "fc00::/7",    "fe80::/10",   "ff00::/8"};
	static const char *const hosts[] = {
		"0.1.2.3/32",	  "127.8.8.8/32",  "169.254.7.7/32",  "224.0.0.251/32",
		"239.255.9.9/32", "247.1.1.1/32",  "64:ff9b::1/128",  "fd64::2/128",
		"fe80::1234/128", "ff02::fb/128",  "100.64.0.2/32",   "10.0.0.1/32",
		"192.168.1.1/32", "172.16.0.1/32", "169.253.1.1/32",  "223.255.1.1/32",
		"126.255.1.1/32", "1.0.0.1/32",	   "2001:db8::1/128", "8000::1/128",
		"f800::1/128",	  "fec0::1/128",   "100::1/128"};

	(void)state;
	for (int key = 0; key < KEYS; key++) {
		struct anonymiser *anonymiser = begin();

		for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
			const struct prefix host = parsed(hosts[i]);
			union addr other = host.addr;

			anonymiser_host(anonymiser, &other, host.ip_version);
			for (size_t j = 0; j < sizeof(special) / sizeof(special[0]); j++) {
				const struct prefix in = parsed(special[j]);
				char text[ADDR_TEXT_MAX];

				if (prefix_contains_addr(&in, &host.addr, host.ip_version) !=
				    prefix_contains_addr(&in, &other, host.ip_version))
					fail_msg("%s became %s", hosts[i],
						 addr_format(&other, host.ip_version, text,
							     sizeof(text)));
			}
		}
		anonymiser_free(anonymiser);
	}
}

static void what_is_in_a_prefix_stays_in_it_and_another_key_makes_another_one(void **state)
{
	struct anonymiser *anonymiser = begin(), *another = begin();
	struct prefix network, host;
	struct error error;
	char text[512];

	(void)state;
	snprintf(text, sizeof(text), "%s", other_text(anonymiser, "10.20.0.0/14"));
	assert_int_equal(prefix_parse(text, &network, &error), 0);
	assert_int_equal(network.len, 14);
	snprintf(text, sizeof(text), "%s/32", other_text(anonymiser, "10.21.7.9"));
	assert_int_equal(prefix_parse(text, &host, &error), 0);
	assert_true(prefix_contains(&network, &host));
	snprintf(text, sizeof(text), "%s", other_text(anonymiser, "fd00:1:2:3::4"));
	assert_string_not_equal(text, other_text(another, "fd00:1:2:3::4"));
	anonymiser_free(anonymiser);
	anonymiser_free(another);
}

static void addresses_are_found_wherever_they_are_in_a_text(void **state)
{
	static const char *const texts[] = {"10.1.2.3",
					    "10.1.2.3:443",
					    "[fd00::1]:443",
					    "to 10.1.2.3, or fd00::1.",
					    "(10.1.2.3)",
					    "10.1.2.3/24",
					    "fd00::1/64",
					    "fd00::/16",
					    "10.1.2.3-10.1.2.4",
					    "via=10.1.2.3",
					    "10.1.2.3 -> fd00::1",
					    "::ffff:10.1.2.3",
					    "ends in fd00::1:",
					    "52:54:00:12:34:56"};
	static const char *const left[] = {
		"0.0.0.0/0", "::/0",	    "127.0.0.1", "::1",	  "::",		"255.255.255.255",
		"10:02:33",  "Linux 6.1.0", "add: face", "0.2.0", "fail: dead", ""};
	struct anonymiser *anonymiser = begin();

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const char *other = other_text(anonymiser, texts[i]);

		if (strstr(other, "10.1.2.") || strstr(other, "fd00:") || strstr(other, "12:34"))
			fail_msg("'%s' became '%s'", texts[i], other);
	}
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		assert_string_equal(other_text(anonymiser, left[i]), left[i]);
	anonymiser_free(anonymiser);
}

static void paths_are_hidden_wherever_they_are_in_a_text(void **state)
{
	static const char *const texts[] = {
		"/home/acme/x.yaml: no",  "cannot read '/home/acme/x y'", "(/home/acme/x)",
		"unix:/home/acme/socket", "socket=/home/acme/socket",	  "\"/home/acme\""};
	static const char *const left[] = {"tcp/22",	   "either/or",	 "/sys/fs/bpf", "::/0",
					   "'/proc/self'", "a / b or /", "0.0.0.0/0"};
	struct anonymiser *anonymiser = begin();

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const char *other = other_text(anonymiser, texts[i]);

		if (strstr(other, "home") || strstr(other, "acme") || strstr(other, " y"))
			fail_msg("'%s' became '%s'", texts[i], other);
	}
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		assert_string_equal(other_text(anonymiser, left[i]), left[i]);
	anonymiser_free(anonymiser);
}

static void names_are_hidden_in_documents_and_words_are_not(void **state)
{
	static const char text[] =
		"{\"rule\": \"ssh\", \"protocol\": \"tcp\", \"state\": \"established\","
		" \"src\": \"10.1.2.3\", \"src_name\": \"anna\", \"names\": {\"bob\": "
		"[\"10.9.9.9\"]},"
		" \"source_names\": {\"10.1.2.3\": \"anna\"}, \"detail\": \"rule 'a b' lets anna "
		"in\","
		" \"source\": [\"set:corp\", \"annabel\"], \"file\": \"same\","
		" \"policy\": \"/etc/acme.yaml\", \"cause\": \"apply /root/acme.yaml\","
		" \"rules\": [{\"id\": \"tcp\"}], \"destination_ports\": [22, \"80-90\"]}";
	static const char *const gone[] = {"ssh",  "anna'",    "bob",	   "a b",      "corp",
					   "acme", "10.1.2.3", "10.9.9.9", "\"anna\"", "lets anna"};
	static const char *const kept[] = {"\"protocol\": \"tcp\"",
					   "\"established\"",
					   "\"rules\"",
					   "annabel",
					   "22",
					   "80-90",
					   "\"same\"",
					   "\"names\""};
	struct anonymiser *anonymiser = begin();
	json_t *value = json_loads(text, 0, NULL), *other;
	char *made;

	(void)state;
	assert_non_null(value);
	anonymiser_hide(anonymiser, "a b");
	anonymiser_hide(anonymiser, "anna");
	anonymiser_hide(anonymiser, "corp");
	other = anonymiser_json(anonymiser, value);
	made = json_dumps(other, 0);
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		if (strstr(made, gone[i]))
			fail_msg("%s is still in %s", gone[i], made);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (!strstr(made, kept[i]))
			fail_msg("%s is not in %s", kept[i], made);
	assert_string_equal(json_string_value(json_object_get(other, "src_name")),
			    json_string_value(json_object_iter_value(
				    json_object_iter(json_object_get(other, "source_names")))));
	free(made);
	json_decref(other);
	json_decref(value);
	anonymiser_free(anonymiser);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prefixes_are_preserved_bit_by_bit),
		cmocka_unit_test(special_addresses_stay_special_and_no_other_becomes_so),
		cmocka_unit_test(what_is_in_a_prefix_stays_in_it_and_another_key_makes_another_one),
		cmocka_unit_test(addresses_are_found_wherever_they_are_in_a_text),
		cmocka_unit_test(paths_are_hidden_wherever_they_are_in_a_text),
		cmocka_unit_test(names_are_hidden_in_documents_and_words_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
