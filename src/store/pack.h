/* Fixed-width integers in stored bytes: big-endian where they sort, little-endian in
 * records. */
#ifndef STORE_PACK_H
#define STORE_PACK_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline void pack_be32(void *to, uint32_t v)
{
	v = htobe32(v);
	memcpy(to, &v, sizeof v);
}

static inline uint32_t unpack_be32(const void *from)
{
	uint32_t v;
	memcpy(&v, from, sizeof v);
	return be32toh(v);
}

static inline void pack_be64(void *to, uint64_t v)
{
	v = htobe64(v);
	memcpy(to, &v, sizeof v);
}

static inline void pack_le16(void *to, uint16_t v)
{
	v = htole16(v);
	memcpy(to, &v, sizeof v);
}

static inline uint16_t unpack_le16(const void *from)
{
	uint16_t v;
	memcpy(&v, from, sizeof v);
	return le16toh(v);
}

static inline void pack_le32(void *to, uint32_t v)
{
	v = htole32(v);
	memcpy(to, &v, sizeof v);
}

static inline uint32_t unpack_le32(const void *from)
{
	uint32_t v;
	memcpy(&v, from, sizeof v);
	return le32toh(v);
}

static inline void pack_le64(void *to, uint64_t v)
{
	v = htole64(v);
	memcpy(to, &v, sizeof v);
}

static inline uint64_t unpack_le64(const void *from)
{
	uint64_t v;
	memcpy(&v, from, sizeof v);
	return le64toh(v);
}

#endif
