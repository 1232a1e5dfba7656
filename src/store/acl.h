/* Rights on a mailbox (RFC 4314 section 2.1). */
#ifndef STORE_ACL_H
#define STORE_ACL_H

/* Bits; a set of rights is an unsigned. */
enum right {
	RIGHT_L = 1,	/* lookup: it is there for him */
	RIGHT_R = 2,	/* read */
	RIGHT_S = 4,	/* \Seen */
	RIGHT_W = 8,	/* flags other than \Seen and \Deleted */
	RIGHT_I = 16,	/* insert */
	RIGHT_P = 32,	/* post */
	RIGHT_K = 64,	/* create below */
	RIGHT_X = 128,	/* delete */
	RIGHT_T = 256,	/* \Deleted */
	RIGHT_E = 512,	/* expunge */
	RIGHT_A = 1024, /* administer */
};
#define RIGHTS_ALL 2047u

#endif
