/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "incident/anonymise.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/address.h"
#include "base/digest.h"
#include "base/value.h"

#define KEY_BYTES     32
#define NAME_DIGITS   10
#define SENTENCE_NAME 2	   /* bytes that a name has at least to be looked for in sentences, */
#define SENTENCE_MAX  1023 /* and at most */
#define MAC_LEN	      17
#define PATH_ENDS     " ,;:\"')" /* what a path in a sentence is before */

/* Addresses that mean something to every host and to the programs: they stay what they are. */
static const char *const special[] = {"0.0.0.0/8",   "127.0.0.0/8", "169.254.0.0/16",
				      "224.0.0.0/4", "240.0.0.0/4", "::/8",
				      "fc00::/7",    "fe80::/10",   "ff00::/8"};
#define N_SPECIAL (sizeof(special) / sizeof(special[0]))

/*
 * struct anonymiser - what stands for what
 * @special: the prefixes of that name
 * @names: digests by name
 * @has_len: whether there is a name of that many bytes to be looked for in sentences
 * @longest: of these
 * @seen: other addresses by address, as text
 */
struct anonymiser {
	uint8_t key[KEY_BYTES];
	struct prefix special[N_SPECIAL];
	json_t *names;
	bool has_len[SENTENCE_MAX + 1];
	size_t longest;
	json_t *seen;
};

/* How a string is to be taken, by its key; see kind_of(). */
enum kind {
	KIND_TEXT,  /* may have names and addresses in it */
	KIND_NAME,  /* is a name */
	KIND_WORD,  /* one of shrike's words, a number, a time */
	KIND_NAMED, /* an object whose keys are names */
	KIND_NAMES, /* an object whose values are names */
};

/* clang-format off */
static const char *const words[] = {
	"acl", "action", "applied", "check", "code", "counted_since", "created", "destination_ports",
	"direction", "disposition", "family", "flags", "flow", "hook", "icmp_types", "interface", "kind",
	"last_hit", "protocol", "ranges", "reason", "result", "routing", "source_ports", "stage",
	"started", "state", "time", "type", "verdict", "version", NULL};
static const char *const names[] = {
	"description", "dst_name", "file", "id", "policy", "rule", "socket", "src_name",
	"why", /* of what was tried in vain: quotes a text that is not in the report */
	NULL};
static const char *const named[] = {"included", "names", "sets", NULL};
static const char *const of_names[] = {
	"destination_names", "empty_sets", "missing_names", "source_names", NULL};

/* What stands in the place of a file's name. */
static const char *const no_files[] = {"(default)", "differs", "none", "same", "unreadable", NULL};
/* clang-format on */

/**
 * anonymiser_new() - Begin, with a key of its own
 * @anonymiser: becomes it, for anonymiser_free()
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int anonymiser_new(struct anonymiser **anonymiser, struct error *error)
{
	struct anonymiser *made = calloc(1, sizeof(*made));
	int err = 0;

	if (!made)
		return error_no_memory(error);
	for (size_t i = 0; i < N_SPECIAL && !err; i++)
		err = prefix_parse(special[i], &made->special[i], error);
	if (err) {
		anonymiser_free(made);
		return err;
	}
	made->names = json_object();
	made->seen = json_object();
	if (!made->names || !made->seen) {
		anonymiser_free(made);
		return error_no_memory(error);
	}
	if (getrandom(made->key, sizeof(made->key), 0) != sizeof(made->key)) {
		error_set(error, errno, "cannot make a key: %s", strerror(errno));
		anonymiser_free(made);
		return -error->code;
	}
	*anonymiser = made;
	return 0;
}

/* ---- addresses ---- */

/* Whether the bits before one are the first of a special prefix, which the bit is to stay in or out of. */
static bool leads_to_special(const struct anonymiser *anonymiser, const union addr *addr,
			     unsigned int bit, uint8_t ip_version)
{
	unsigned int first = ip_version == IP_VERSION_4 ? 96 : 0;

	for (size_t i = 0; i < N_SPECIAL; i++) {
		struct prefix before = anonymiser->special[i];

		if (before.ip_version != ip_version || bit - first >= before.len)
			continue;
		prefix_truncate(&before, (uint8_t)(bit - first));
		if (prefix_contains_addr(&before, addr, ip_version))
			return true;
	}
	return false;
}

/* One bit that depends on the key, the family and the bits before. */
static bool flips(const struct anonymiser *anonymiser, const union addr *addr, unsigned int bit,
		  uint8_t ip_version)
{
	uint8_t input[KEY_BYTES + sizeof(*addr) + 2];
	struct prefix before = {*addr, IP_VERSION_6, 128};

	if (leads_to_special(anonymiser, addr, bit, ip_version))
		return false;
	prefix_truncate(&before, (uint8_t)bit);
	memcpy(input, anonymiser->key, KEY_BYTES);
	memcpy(input + KEY_BYTES, &before.addr, sizeof(before.addr));
	input[KEY_BYTES + sizeof(*addr)] = (uint8_t)bit;
	input[KEY_BYTES + sizeof(*addr) + 1] = ip_version;
	return digest_number(input, sizeof(input)) & 1;
}

/**
 * anonymiser_address() - The address that stands for another one
 * @anonymiser: has the key
 * @addr, @ip_version: the address
 * @other: becomes the one that stands for it, of the same family
 */
void anonymiser_address(const struct anonymiser *anonymiser, const union addr *addr,
			uint8_t ip_version, union addr *other)
{
	unsigned int first = ip_version == IP_VERSION_4 ? 96 : 0;

	*other = *addr;
	for (unsigned int bit = first; bit < 128; bit++)
		if (flips(anonymiser, addr, bit, ip_version))
			other->bytes[bit / 8] ^= 0x80 >> bit % 8;
}

/* Addresses that are the same everywhere. */
static bool is_everybodys(const union addr *addr, uint8_t ip_version)
{
	static const char *const list[] = {"0.0.0.0", "127.0.0.1", "255.255.255.255", "::", "::1"};
	char text[ADDR_TEXT_MAX];

	addr_format(addr, ip_version, text, sizeof(text));
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (!strcmp(text, list[i]))
			return true;
	return false;
}

/**
 * anonymiser_host() - The address that stands for that of a host
 * @anonymiser: has the key
 * @addr: the address; is changed, unless it is the same everywhere
 * @ip_version: of it
 */
void anonymiser_host(const struct anonymiser *anonymiser, union addr *addr, uint8_t ip_version)
{
	const union addr old = *addr;

	if (!is_everybodys(addr, ip_version))
		anonymiser_address(anonymiser, &old, ip_version, addr);
}

/* What stands for an address or a prefix; NULL: the text is neither. */
static const char *address_for(struct anonymiser *anonymiser, const char *text)
{
	const char *known = json_string_value(json_object_get(anonymiser->seen, text));
	char made[PREFIX_TEXT_MAX];
	struct prefix prefix;
	struct error ignored;
	union addr old;
	bool is_prefix = strchr(text, '/');

	if (known)
		return known;
	if (is_prefix ? prefix_parse(text, &prefix, &ignored)
		      : addr_parse(text, &prefix.addr, &prefix.ip_version, &ignored))
		return NULL;
	if (!is_prefix) {
		anonymiser_host(anonymiser, &prefix.addr, prefix.ip_version);
	} else if (prefix.len) {
		uint8_t len = prefix.len;

		old = prefix.addr;
		anonymiser_address(anonymiser, &old, prefix.ip_version, &prefix.addr);
		prefix.len = (uint8_t)prefix_bits(prefix.ip_version);
		prefix_truncate(&prefix, len);
	}
	if (!is_prefix)
		prefix.len = (uint8_t)prefix_bits(prefix.ip_version);
	prefix_format(&prefix, made, sizeof(made));
	json_object_set_new(anonymiser->seen, text, json_string(made));
	return json_string_value(json_object_get(anonymiser->seen, text));
}

/* Whether a text begins with a link-layer address. */
static bool is_mac(const char *text, size_t len)
{
	if (len != MAC_LEN)
		return false;
	for (size_t i = 0; i < MAC_LEN; i++)
		if (i % 3 == 2 ? text[i] != ':' : !isxdigit((unsigned char)text[i]))
			return false;
	return true;
}

/* Write what stands for the address that a text begins with; how many bytes that has, 0: none. */
static size_t put_address(struct anonymiser *anonymiser, const char *text, FILE *to)
{
	size_t run = strspn(text, "0123456789abcdefABCDEF:."), len = run;
	char word[PREFIX_TEXT_MAX];
	const char *other;

	if (is_mac(text, run)) {
		fputs("02:00:00:00:00:00", to);
		return run;
	}
	if (run < 2 || isalnum((unsigned char)text[run]))
		return 0;
	while (len > 1 && (text[len - 1] == '.' || (text[len - 1] == ':' && text[len - 2] != ':')))
		len--;
	for (; len >= 2; len--) { /* the address, or what is before ":PORT" */
		size_t digits = text[len] == '/' ? strspn(text + len + 1, "0123456789") : 0;
		size_t whole = digits ? len + 1 + digits : len;

		snprintf(word, sizeof(word), "%.*s", (int)whole, text);
		other = whole < sizeof(word) ? address_for(anonymiser, word) : NULL;
		if (!other && digits) { /* host bits, as an interface's address has */
			word[len] = '\0';
			other = address_for(anonymiser, word);
			whole = len;
		}
		if (other) {
			fputs(other, to);
			return whole;
		}
		while (len > 2 && text[len - 1] != ':')
			len--;
	}
	return 0;
}

/* ---- names ---- */

/* Ids may be numbers, and these stand for other things in sentences. */
static bool is_number(const char *name)
{
	return !name[strspn(name, "0123456789")];
}

/* Have a name looked for in sentences, unless it is too short to mean anything there. */
static void note_len(struct anonymiser *anonymiser, const char *name, size_t len)
{
	if (len < SENTENCE_NAME || len > SENTENCE_MAX || is_number(name))
		return;
	anonymiser->has_len[len] = true;
	if (len > anonymiser->longest)
		anonymiser->longest = len;
}

/* The digest that stands for a name. */
static const char *name_for(struct anonymiser *anonymiser, const char *name)
{
	const char *known = json_string_value(json_object_get(anonymiser->names, name));
	size_t len = strlen(name);
	char digits[NAME_DIGITS + 1];
	uint8_t *input;

	if (known)
		return known;
	input = malloc(KEY_BYTES + len);
	if (!input)
		return "x";
	memcpy(input, anonymiser->key, KEY_BYTES);
	memcpy(input + KEY_BYTES, name, len);
	json_object_set_new(
		anonymiser->names, name,
		json_sprintf("x%s", digest_hex(input, KEY_BYTES + len, digits, NAME_DIGITS)));
	free(input);
	note_len(anonymiser, name, len);
	return json_string_value(json_object_get(anonymiser->names, name)) ?: "x";
}

/**
 * anonymiser_hide() - Take a name for one that must not be seen
 * @anonymiser: will have a digest for it, wherever it is met
 * @name: the name; NULL or empty: none
 */
void anonymiser_hide(struct anonymiser *anonymiser, const char *name)
{
	if (name && *name)
		name_for(anonymiser, name);
}

static bool in_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* How many bytes the longest name has that is at a place of a sentence; 0: there is none. */
static size_t name_at(const struct anonymiser *anonymiser, const char *text)
{
	size_t len = strnlen(text, anonymiser->longest);
	char name[SENTENCE_MAX + 1];

	memcpy(name, text, len);
	for (; len >= SENTENCE_NAME; len--) {
		name[len] = '\0';
		if (anonymiser->has_len[len] && !(in_word(text[len - 1]) && in_word(text[len])) &&
		    json_object_get(anonymiser->names, name) && !is_number(name))
			return len;
	}
	return 0;
}

/* Paths that are the same everywhere. */
static bool is_systems(const char *path)
{
	return !strncmp(path, "/sys/", 5) || !strncmp(path, "/proc/", 6) ||
	       !strncmp(path, "/dev/", 5);
}

/* How many bytes the path has that is at a place of a text, up to the quote that is before it; 0: none. */
static size_t path_at(const char *text, size_t i)
{
	char before = i ? text[i - 1] : ' ';

	if (text[i] != '/' || !strcspn(text + i + 1, PATH_ENDS) || in_word(before) ||
	    is_systems(text + i) ||
	    (before == ':' && isdigit((unsigned char)text[i + 1]))) /* ::/0 */
		return 0;
	if (before == '\'' || before == '"') {
		const char *end = strchr(text + i, before);

		if (end)
			return (size_t)(end - (text + i));
	}
	return strcspn(text + i, PATH_ENDS);
}

/* Write a text with other names and addresses. */
static void put_text(struct anonymiser *anonymiser, const char *text, FILE *to)
{
	char name[SENTENCE_MAX + 1];

	for (size_t i = 0; text[i];) {
		bool begins = !i || !in_word(text[i - 1]);
		size_t len = begins ? name_at(anonymiser, text + i) : 0;

		if (len) {
			snprintf(name, sizeof(name), "%.*s", (int)len, text + i);
			fputs(name_for(anonymiser, name), to);
		} else if (begins && (isxdigit((unsigned char)text[i]) || text[i] == ':')) {
			len = put_address(anonymiser, text + i, to);
		} else {
			len = path_at(text, i);
			if (len)
				fputs("/path", to);
		}
		if (!len) {
			putc(text[i], to);
			len = 1;
		}
		i += len;
	}
}

/**
 * anonymiser_string() - A text with other names and addresses
 * @anonymiser: knows them
 * @text: the text
 *
 * Return: the other text, NULL without memory.
 */
json_t *anonymiser_string(struct anonymiser *anonymiser, const char *text)
{
	const char *known = json_string_value(json_object_get(anonymiser->names, text));
	char *made = NULL;
	json_t *json;
	size_t len;
	FILE *to;

	if (known)
		return json_string(known);
	to = open_memstream(&made, &len);
	if (!to)
		return NULL;
	put_text(anonymiser, text, to);
	fclose(to);
	json = made ? json_string(made) : NULL;
	free(made);
	return json;
}

/* ---- documents ---- */

static enum kind kind_of(const char *key)
{
	if (text_is_one_of(key, words))
		return KIND_WORD;
	if (text_is_one_of(key, names))
		return KIND_NAME;
	if (text_is_one_of(key, named))
		return KIND_NAMED;
	return text_is_one_of(key, of_names) ? KIND_NAMES : KIND_TEXT;
}

static json_t *anonymise(struct anonymiser *anonymiser, const json_t *value, enum kind kind);

/* An object, whose keys say what its values are, or are names themselves. */
static json_t *anonymise_object(struct anonymiser *anonymiser, const json_t *object, enum kind kind)
{
	json_t *made = json_object(), *item;
	const char *key;

	json_object_foreach ((json_t *)object, key, item) {
		enum kind of = kind == KIND_NAMES   ? KIND_NAME
			       : kind == KIND_NAMED ? KIND_TEXT
						    : kind_of(key);

		if (of == KIND_NAME && !json_is_string(item) && kind != KIND_NAMES)
			of = KIND_TEXT;
		json_object_set_new(made,
				    kind == KIND_NAMED ? name_for(anonymiser, key)
						       : address_for(anonymiser, key) ?: key,
				    anonymise(anonymiser, item, of));
	}
	return made;
}

/* Any value, of whose strings is known what they are. */
static json_t *anonymise(struct anonymiser *anonymiser, const json_t *value, enum kind kind)
{
	json_t *made, *item;
	size_t i;

	if (json_is_object(value))
		return anonymise_object(anonymiser, value, kind);
	if (json_is_string(value) && text_is_one_of(json_string_value(value), no_files))
		return json_deep_copy(value);
	if (json_is_string(value) && kind == KIND_NAME)
		return json_string(name_for(anonymiser, json_string_value(value)));
	if (json_is_string(value) && kind != KIND_WORD)
		return anonymiser_string(anonymiser, json_string_value(value));
	if (!json_is_array(value))
		return json_deep_copy(value);
	made = json_array();
	json_array_foreach (value, i, item)
		json_array_append_new(
			made, anonymise(anonymiser, item, kind == KIND_NAMES ? KIND_NAME : kind));
	return made;
}

/**
 * anonymiser_json() - A document of a command with other names and addresses
 * @anonymiser: knows them
 * @value: the document
 *
 * Return: the other document.
 */
json_t *anonymiser_json(struct anonymiser *anonymiser, const json_t *value)
{
	return anonymise(anonymiser, value, KIND_TEXT);
}

/**
 * anonymiser_free() - Forget the key, and what stands for what
 */
void anonymiser_free(struct anonymiser *anonymiser)
{
	if (!anonymiser)
		return;
	json_decref(anonymiser->names);
	json_decref(anonymiser->seen);
	explicit_bzero(anonymiser, sizeof(*anonymiser));
	free(anonymiser);
}
