/* Keyed digests (RFC 2104) with OpenSSL. */
#include "auth/mac.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "base/buf.h"

enum err mac_make(struct span key, struct span a, struct span b, uint8_t ret[MAC_BYTES])
{
	struct buf text = { 0 };
	unsigned n = 0;
	const unsigned char *done;

	buf_put(&text, a);
	buf_put(&text, b);
	done = HMAC(EVP_sha256(), key.n ? key.p : "", (int)key.n,
		    (const unsigned char *)text.p + text.off, text.n, ret, &n);
	buf_done(&text);
	return done && n == MAC_BYTES ? ERR_OK : ERR_IO;
}

enum err mac_key_make(uint8_t ret[MAC_BYTES])
{
	return RAND_bytes(ret, MAC_BYTES) == 1 ? ERR_OK : ERR_IO;
}
