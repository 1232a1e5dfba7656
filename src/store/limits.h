/* Bounds of the store: what a user can make it keep or hold in memory. */
#ifndef STORE_LIMITS_H
#define STORE_LIMITS_H

#define STORE_NAME_BYTES     1024   /* of a full mailbox name, UTF-8 */
#define STORE_NAME_DEPTH     64	    /* levels of a name */
#define STORE_NAMES	     250000 /* names in an account */
#define STORE_KEYWORDS	     512    /* in a mailbox */
#define STORE_KEYWORD_BYTES  255    /* of one keyword */
#define STORE_KEYWORDS_FLAGS 56	    /* keywords that fit into the flags word */
#define STORE_VANISHED_ROWS  512    /* of a mailbox, before the older half is merged */
#define STORE_VANISHED_LEAST 4	    /* the least that can be set */
#define STORE_VANISHED_WIDE  8	    /* ranges a row may have, times those rows: then it is
				     * forgotten what they were */
#define STORE_INCOMING_KEPT  16384  /* bytes of a complete message kept in memory */
#define STORE_IDLE_ACCOUNTS  4096   /* kept in memory after their last session */
#define STORE_KEPT_MAILBOXES 1024   /* whose views stay in memory after their last session */
#define STORE_KEPT_BYTES     (128 << 20) /* of memory for them */
#define STORE_ACROSS_PART    256    /* messages of a MOVE to another account that are one commit */
#define STORE_ACROSS_COPY    10000  /* the most that one COPY takes to another account */
#define STORE_ACROSS_TURN    (8 << 20) /* bytes copied before others have a turn */
#define STORE_REAP_BODIES    64	    /* unheld bodies that wait before a sweep starts */
#define STORE_REAP_STEP	     4096   /* bodies or messages of one sweep's commit */
#define STORE_COMMIT_CHUNKS  256    /* of 256 messages: what one commit changes */
#define STORE_CHUNK_BYTES    32768  /* of rows of messages in APPEND, that count as a chunk */

#define STORE_ATTR_USER_BYTES 255    /* of an attribute's user */
#define STORE_ATTR_NAME_BYTES 1024   /* of its name */
#define STORE_ATTR_BYTES      (1 << 20) /* of its value */
#define STORE_ATTRS_NOW	      16384  /* attributes of an account kept in memory */
#define STORE_ATTRS_NOW_BYTES (2 << 20) /* of them */
#define STORE_ATTR_CHANGES    64     /* remembered for who asks what changed */

#endif
