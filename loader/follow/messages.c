/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "follow/messages.h"

#include <errno.h>
#include <string.h>

#include "follow/protobuf.h"

#define MAP_UPDATED "Network map updated" /* SystemEvent.message, after every map applied */

/* Numbers of fields, by message. */
enum {
	SYSTEM_EVENT_MESSAGE = 4,
	PROFILE_NAME = 1, /* of GetActiveProfileResponse, and of GetConfigRequest */
	PROFILE_USER = 2,
	CONFIG_INTERFACE_NAME = 6,
	CONFIG_BLOCK_INBOUND = 15,
	CONFIG_BLOCK_LAN_ACCESS = 20,
	BUNDLE_PATH = 1,
	STATUS_VERSION = 3,
};

/**
 * daemon_write_persistence() - SetSyncResponsePersistenceRequest: keep the last map
 * @message: where to, of 2 bytes at least
 *
 * Return: bytes written.
 */
size_t daemon_write_persistence(uint8_t *message)
{
	static const uint8_t enabled[] = {1 << 3 | PROTOBUF_VARINT, true};

	memcpy(message, enabled, sizeof(enabled));
	return sizeof(enabled);
}

/**
 * daemon_write_bundle() - DebugBundleRequest: with as little of logs as there can be
 * @message: where to, of 2 bytes at least
 *
 * Return: bytes written.
 */
size_t daemon_write_bundle(uint8_t *message)
{
	static const uint8_t one_log[] = {5 << 3 | PROTOBUF_VARINT, 1};

	memcpy(message, one_log, sizeof(one_log));
	return sizeof(one_log);
}

/**
 * daemon_write_config() - GetConfigRequest
 * @profile: whose configuration
 * @message: where to
 * @size: room there
 *
 * Return: bytes written.
 */
size_t daemon_write_config(const struct daemon_profile *profile, uint8_t *message, size_t size)
{
	size_t len = protobuf_put_text(message, size, PROFILE_NAME, profile->name);

	return len + protobuf_put_text(message + len, size - len, PROFILE_USER, profile->user);
}

static int result(const struct protobuf_reader *reader, int err)
{
	return reader->malformed ? -EBADMSG : err;
}

/**
 * daemon_read_event() - SystemEvent
 * @is_update: set to whether it says that another map has been applied
 *
 * Return: 0, or -EBADMSG.
 */
int daemon_read_event(const uint8_t *message, size_t len, bool *is_update)
{
	struct protobuf_reader reader;
	struct protobuf_field field;

	*is_update = false;
	protobuf_begin(&reader, message, len);
	while (protobuf_next(&reader, &field))
		*is_update |= protobuf_is_text(&field, SYSTEM_EVENT_MESSAGE, MAP_UPDATED);
	return result(&reader, 0);
}

/**
 * daemon_read_profile() - GetActiveProfileResponse
 * @profile: is filled
 *
 * Return: 0, -EBADMSG or -EINVAL.
 */
int daemon_read_profile(const uint8_t *message, size_t len, struct daemon_profile *profile)
{
	struct protobuf_reader reader;
	struct protobuf_field field;
	int err = 0;

	*profile = (struct daemon_profile){};
	protobuf_begin(&reader, message, len);
	while (protobuf_next(&reader, &field) && !err) {
		if (field.number == PROFILE_NAME)
			err = protobuf_text(&field, profile->name, sizeof(profile->name));
		else if (field.number == PROFILE_USER)
			err = protobuf_text(&field, profile->user, sizeof(profile->user));
	}
	return result(&reader, err);
}

/**
 * daemon_read_config() - GetConfigResponse
 * @config: is filled
 *
 * Return: 0, -EBADMSG or -EINVAL.
 */
int daemon_read_config(const uint8_t *message, size_t len, struct daemon_config *config)
{
	struct protobuf_reader reader;
	struct protobuf_field field;
	int err = 0;

	*config = (struct daemon_config){};
	protobuf_begin(&reader, message, len);
	while (protobuf_next(&reader, &field) && !err) {
		if (field.number == CONFIG_INTERFACE_NAME)
			err = protobuf_text(&field, config->ifname, sizeof(config->ifname));
		else if (field.number == CONFIG_BLOCK_INBOUND)
			config->block_inbound = field.value != 0;
		else if (field.number == CONFIG_BLOCK_LAN_ACCESS)
			config->block_lan_access = field.value != 0;
	}
	return result(&reader, err);
}

/* The text of one field of a message, empty where the message has none. */
static int read_text(const uint8_t *message, size_t len, uint32_t number, char *text, size_t size)
{
	struct protobuf_reader reader;
	struct protobuf_field field;
	int err = 0;

	text[0] = '\0';
	protobuf_begin(&reader, message, len);
	while (protobuf_next(&reader, &field) && !err)
		if (field.number == number)
			err = protobuf_text(&field, text, size);
	return result(&reader, err);
}

/**
 * daemon_read_version() - StatusResponse
 * @version: set to the daemon's
 *
 * Return: 0, -EBADMSG or -EINVAL.
 */
int daemon_read_version(const uint8_t *message, size_t len, char version[DAEMON_NAME_MAX])
{
	return read_text(message, len, STATUS_VERSION, version, DAEMON_NAME_MAX);
}

/**
 * daemon_read_bundle() - DebugBundleResponse
 * @path: set to where the bundle is
 *
 * Return: 0, -EBADMSG or -EINVAL.
 */
int daemon_read_bundle(const uint8_t *message, size_t len, char path[BUNDLE_PATH_MAX])
{
	return read_text(message, len, BUNDLE_PATH, path, BUNDLE_PATH_MAX);
}
