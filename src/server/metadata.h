/*
 * Metadata (RFC 5464): what GETMETADATA, SETMETADATA, LIST and the news of changes share.
 *
 * An entry is kept in lower case, as an attribute of its mailbox (store/attrs.h,
 * ATTR_METADATA) under the name without "/private" or "/shared"; a private one is its
 * user's, by the key of his account. A few entries are computed from other state.
 */
#ifndef SERVER_METADATA_H
#define SERVER_METADATA_H

#include "server/command.h"
#include "server/place.h"
#include "store/attrs.h"

/* What an entry name is for. */
enum entry_use { ENTRY_READ, /* also a mere "/private" or "/shared" */ ENTRY_WRITE };
/* An entry name, in lower case; the cursor fails when it can be none. */
struct span metadata_entry_read(struct cursor *c, enum entry_use use);
/* "(" entry *(SP entry) ")" or one entry; at most METADATA_ENTRIES_MAX. */
#define METADATA_ENTRIES_MAX 64
struct span *metadata_entries_read(struct cursor *c, enum entry_use use, size_t *ret_n);
/* As attributes have it. */
struct attr_key metadata_key(const struct session *s, uint32_t mailbox,
			     struct span entry);
/* "/shared/comment": the entry of an attribute. */
struct span metadata_entry_of(struct arena *a, const struct attr_key *key);

/*
 * Entries that are computed: true when `entry` is one, of the server (`name` NULL) or of
 * a mailbox; `ret_value` p NULL: it has no value.
 */
bool metadata_computed(struct cmd *cmd, const struct name *name, struct span entry,
		       struct span *ret_value);
/* The computed entries of the server or of a mailbox; NULL behind the last. */
const char *metadata_computed_name(struct cmd *cmd, const struct name *name, size_t i);
#define METADATA_SPECIAL_USE  "/private/specialuse" /* RFC 6154 section 4 */
#define METADATA_FILTERS      "/filters/values/" /* behind /private or /shared; RFC 5466 */
#define METADATA_APPEND_LIMIT "/private/vendor/mailstile/append-limit"

/* SP entry SP value, without the first SP if `is_first`; value p NULL: NIL. */
void metadata_put(struct cmd *cmd, bool is_first, struct span entry, struct span value);
/* The user may see and set metadata there (section 3.3). */
bool metadata_may(const struct place *p);

/* LIST RETURN (METADATA (...)), RFC 9590. */
struct list_metadata;
/* False: the reply is set. */
bool list_metadata_read(struct cmd *cmd, struct span value, struct list_metadata **ret);
/* Of these mailboxes. NULL: too many. */
struct op *list_metadata_ask(struct cmd *cmd, const struct list_metadata *m,
			     struct account *a, const uint32_t *mailboxes, size_t n);
/* When the op has ended well: its results are copied, beside those of other accounts. */
void list_metadata_take(struct cmd *cmd, struct list_metadata *m, struct account *a);
void list_metadata_line(struct cmd *cmd, const struct list_metadata *m,
			struct account *a, const struct name *name);

#endif
