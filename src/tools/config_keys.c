/* The table of numbers. */
#include "tools/config_keys.h"

#define AT(member)                                                                       \
	offsetof(struct config, member), sizeof(((struct config *)NULL)->member)
#define LOGIN(key, least, most, std, scale, member, text)                                \
	{                                                                                \
		SECTION_LOGINS, key, least, most, std, scale, AT(member), text           \
	}
#define LIMIT(key, least, most, std, scale, member, text)                                \
	{                                                                                \
		SECTION_LIMITS, key, least, most, std, scale, AT(limits.member), text    \
	}
#define THREAD(key, most, std, member, text)                                             \
	{                                                                                \
		SECTION_THREADS, key, 0, most, std, 1, AT(member), text                  \
	}

#define QUOTA(key, most, std, member, text)                                              \
	{                                                                                \
		SECTION_QUOTA, key, 0, most, std, 1, AT(member), text                    \
	}

static const struct number_key keys[] = {
	LOGIN("remember-seconds", 0, 3600, 300, 1000, remember_ms,
	      "A right password is remembered so long, in memory and as a keyed digest, "
	      "so\n"
	      "that the next login costs no password hash. 0: never."),
	LOGIN("free-failures", 0, 1000, 5, 1, throttle.free,
	      "Failed logins from one address (IPv6: one /64) that cost nothing."),
	LOGIN("first-delay-milliseconds", 0, 60000, 250, 1, throttle.first_ms,
	      "The next login from there waits so long, and twice as long after each "
	      "failure."),
	LOGIN("longest-delay-milliseconds", 0, 300000, 8000, 1, throttle.most_ms,
	      "No delay is longer than this."),
	LOGIN("forget-seconds", 1, 86400, 60, 1000, throttle.forget_ms,
	      "One failure is forgotten each such time."),
	LOGIN("database-seconds", 1, 60, 5, 1000, database_ms,
	      "A user database that does not answer for so long is down."),
	LOGIN("recheck-seconds", 0, 86400, 60, 1000, recheck_ms,
	      "Who is logged in from a database is looked up again so often, and his "
	      "sessions end\n"
	      "when he is no longer there. 0: never."),

	LIMIT("line-bytes", 1024, 16777216, 65536, 1, line_bytes,
	      "A command line without its literals."),
	LIMIT("command-bytes", 4096, 268435456, 1048576, 1, command_bytes,
	      "A command with its literals, but without the messages of APPEND."),
	LIMIT("message-bytes", 1024, 4294967295, 67108864, 1, message_bytes,
	      "A message; a larger one is refused with TOOBIG."),
	LIMIT("literal-before-login-bytes", 256, 65536, 4096, 1, literal_prelogin_bytes,
	      "A literal before login."),
	LIMIT("bad-commands", 1, 1000000, 50, 1, bad_commands,
	      "Commands answered with BAD on one connection, before it is ended."),
	LIMIT("failed-logins", 1, 1000, 5, 1, failed_logins,
	      "Failed logins on one connection, before it is ended. UNAUTHENTICATE does "
	      "not\n"
	      "set it back."),
	LIMIT("connections", 1, 1000000, 10000, 1, connections, "Connections in all."),
	LIMIT("connections-per-address", 1, 1000000, 1000, 1, connections_per_address,
	      "Connections from one address."),
	LIMIT("sessions-per-user", 0, 1000000, 64, 1, sessions_per_user,
	      "Sessions that act for one user at a time. 0: no limit."),
	LIMIT("switches-per-minute", 0, 1000000000, 600000, 1, switches_per_minute,
	      "UNAUTHENTICATE on one connection; what is above waits. 0: no limit."),
	LIMIT("logins-per-connection", 0, 1000000000, 0, 1, epochs,
	      "Logins that one connection may make with UNAUTHENTICATE between them, "
	      "before\n"
	      "it is ended. 0: no limit."),
	LIMIT("output-bytes", 16384, 67108864, 262144, 1, output_high_bytes,
	      "Output that waits for a slow reader; more is not produced until he has "
	      "read."),
	LIMIT("memory-bytes", 16777216, 1099511627776, 1073741824, 1, memory_bytes,
	      "Bytes that wait in memory for all connections together: parts of commands "
	      "and\n"
	      "messages, output that was not read. When it is short, reading stops."),
	LIMIT("reserved-descriptors", 64, 1000000, 1024, 1, reserved_descriptors,
	      "Of the limit on open files, what is kept from connections for the store."),
	LIMIT("before-login-seconds", 1, 86400, 60, 1000, prelogin_ms,
	      "From the greeting to the first login."),
	LIMIT("after-unauthenticate-seconds", 1, 86400, 300, 1000, switch_ms,
	      "From UNAUTHENTICATE to the next login."),
	LIMIT(
	    "idle-seconds", 1800, 604800, 1800, 1000, idle_ms,
	    "Without a command, logged in. At least 30 minutes (RFC 9051 section 5.4)."),
	LIMIT("slow-reader-seconds", 10, 86400, 300, 1000, slow_peer_ms,
	      "Output that makes no progress for so long ends the connection."),
	LIMIT("messages-per-command", 0, 4294967295, 0, 1, messages,
	      "Messages that one FETCH, STORE, SEARCH, COPY, MOVE, APPEND or UID EXPUNGE "
	      "may\n"
	      "touch (RFC 9738). Clients that do not know of it miss the rest. 0: no "
	      "limit."),
	LIMIT("progress-seconds", 1, 3600, 10, 1000, progress_ms,
	      "Between two notices of a command that takes long (RFC 9585)."),
	LIMIT("lmtp-connections", 1, 1000000, 100, 1, lmtp_connections,
	      "Connections that deliver mail, in all."),
	LIMIT("lmtp-recipients", 1, 10000, 1000, 1, recipients,
	      "Recipients of one message; the mail server sends it again to those left."),
	LIMIT("lmtp-idle-seconds", 1, 86400, 300, 1000, lmtp_idle_ms,
	      "Without a command or text of a message from the mail server."),
	LIMIT("metadata-entries", 10, 100000, 1000, 1, metadata_entries,
	      "Metadata entries of a mailbox or account, those that all share, and each "
	      "user's\n"
	      "own ones."),
	LIMIT("metadata-bytes", 1024, 1048576, 65536, 1, metadata_bytes,
	      "The value of one metadata entry."),
	{ SECTION_LIMITS, "disk-reserve-bytes", 0, 1099511627776, 268435456, 1,
	  AT(disk_reserve),
	  "Free bytes of the store's file system below which APPEND, COPY, CREATE and "
	  "mail\n"
	  "that arrives are refused for the time being, while EXPUNGE, MOVE and STORE go "
	  "on.\n"
	  "0: none." },
	{ SECTION_LIMITS, "expunge-history", 4, 65536, 512, 1, AT(expunge_history),
	  "Expunges of a mailbox that QRESYNC tells apart. Older ones are told together, "
	  "and in\n"
	  "the end as everything that is not there any more." },

	QUOTA(
	    "storage-kibibytes", 9007199254740991, 0, quota[QUOTA_STORAGE],
	    "What a user may keep when no limit of his own was set (SETQUOTA): units of "
	    "1024\n"
	    "octets of messages. 0: no limit."),
	QUOTA("messages", 9007199254740991, 0, quota[QUOTA_MESSAGE],
	      "Messages, in all his mailboxes. 0: no limit."),
	QUOTA("mailboxes", 9007199254740991, 0, quota[QUOTA_MAILBOX],
	      "Mailboxes. 0: no limit but the store's own."),
	QUOTA("warning-percent", 100, 95, limits.quota_warning_percent,
	      "From here on APPEND and COPY warn. 0: never."),
	QUOTA("refuse-mail", 1, 0, limits.quota_refuses_mail,
	      "Mail for a user who is over his quota: 0, the mail server tries again "
	      "(452);\n"
	      "1, it goes back to its sender (552)."),

	THREAD("loops", 1024, 0, loops,
	       "Threads that talk to clients. 0: one for each processor core."),
	THREAD("workers", 1024, 0, workers,
	       "Threads that read, commit and check passwords. 0: two for each core, 4 "
	       "at least."),
	{ SECTION_THREADS, "lookups", 1, 1024, 8, 1, AT(database_threads),
	  "Logins that may wait for user databases at a time, when there are any." },
};

const struct number_key *config_number_key(size_t i)
{
	return i < sizeof keys / sizeof keys[0] ? &keys[i] : NULL;
}

const char *config_section_name(enum config_section s)
{
	static const char *const names[SECTIONS] = { "logins", "limits", "quota",
						     "threads" };
	return names[s];
}

const char *config_section_comment(enum config_section s)
{
	static const char *const comments[SECTIONS] = {
		"What a login costs.",
		"What one client may use. Changes take effect at the next start.",
		"How much a user may keep. Changes take effect at the next start.",
		"Changes take effect at the next start.",
	};
	return comments[s];
}

void config_number_set(struct config *c, const struct number_key *k, uint64_t written)
{
	char *to = (char *)c + k->offset;
	uint64_t v = written * k->scale;
	uint32_t v32 = (uint32_t)v;
	if (k->size == sizeof v32)
		memcpy(to, &v32, sizeof v32);
	else
		memcpy(to, &v, sizeof v);
}
