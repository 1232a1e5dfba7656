/* Segment files: CRC-32C, records of format 1, rolling over, damage. */
#include "engine_rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/crc32c.h"
#include "store/pack.h"
#include "store/segment.h"

/* RFC 3720 appendix B.4 */
static void crc32c_gives_the_values_of_rfc_3720(void **state)
{
	char b[32] = { 0 };
	assert_int_equal(crc32c(0, span_of(b, 32)), 0x8a9136aa);
	memset(b, 0xff, 32);
	assert_int_equal(crc32c(0, span_of(b, 32)), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		b[i] = (char)i;
	assert_int_equal(crc32c(0, span_of(b, 32)), 0x46dd794e);
	for (size_t i = 0; i <= 32; i++)
		assert_int_equal(crc32c(crc32c(0, span_of(b, i)), span_of(b + i, 32 - i)),
				 0x46dd794e);
	assert_int_equal(crc32c(0, SPAN("123456789")), 0xe3069283);
	assert_int_equal(crc32c(0, SPAN_NONE), 0);
}

struct place {
	char dir[32];
	struct segments *s;
};

static void place_open(struct place *p, uint32_t next, uint32_t max_bytes)
{
	struct buf why = { 0 };
	struct segments_config c = { .dir = p->dir,
				     .store = { "0123456789abcdef" },
				     .next = next,
				     .max_bytes = max_bytes };
	assert_int_equal(segments_open(&c, &p->s, &why), ERR_OK);
	buf_done(&why);
}

static int up(void **state)
{
	struct place *p = calloc(1, sizeof *p);
	strcpy(p->dir, "/tmp/segment-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	place_open(p, 0, SEGMENT_BYTES);
	*state = p;
	return 0;
}

static int down(void **state)
{
	struct place *p = *state;
	segments_close(p->s);
	char path[64];
	for (unsigned i = 0; i < 20; i++) {
		snprintf(path, sizeof path, "%s/%08x.seg", p->dir, i);
		unlink(path);
	}
	assert_int_equal(rmdir(p->dir), 0);
	free(p);
	return 0;
}

static const struct body_id body = { "0123456789abcde" };

static struct piece append(struct place *p, uint32_t number, struct span bytes)
{
	struct piece at;
	assert_int_equal(segments_append(p->s, account_of(1), body, number, bytes, &at),
			 ERR_OK);
	return at;
}

static enum err read_back(struct place *p, uint32_t number, const struct piece *at,
			  struct span want)
{
	struct buf out = { 0 };
	enum err rc = segments_read(p->s, account_of(1), body, number, at, 0, SIZE_MAX,
				    &out);
	if (rc == ERR_OK)
		assert_true(span_eq(buf_span(&out), want));
	else
		assert_int_equal(out.n, 0);
	buf_done(&out);
	return rc;
}

static int open_file(struct place *p, unsigned number)
{
	char path[64];
	snprintf(path, sizeof path, "%s/%08x.seg", p->dir, number);
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	return fd;
}

static void a_record_of_format_1_lies_where_the_header_says(void **state)
{
	uint8_t b[64 + 64 + 5], head[60];
	struct piece at = append(*state, 3, SPAN("hello"));
	int fd = open_file(*state, 1);
	assert_int_equal(pread(fd, b, sizeof b, 0), sizeof b);
	close(fd);
	assert_memory_equal(b, "MSTLSEG", 8);
	assert_int_equal(unpack_le32(b + 8), 1);
	assert_int_equal(unpack_le32(b + 12), 1);
	assert_memory_equal(b + 16, "0123456789abcdef", 16);
	assert_int_equal(unpack_le32(b + 60), crc32c(0, span_of(b, 60)));
	assert_int_equal(at.offset, 64);
	uint8_t *r = b + 64;
	assert_memory_equal(r, "MSRC\1\0\0\0\5\0\0\0\5\0\0\0", 16);
	assert_memory_equal(r + 16, account_of(1).b, 16);
	assert_memory_equal(r + 32, body.b, 16);
	assert_int_equal(unpack_le32(r + 48), 3);
	memcpy(head, r, 60);
	assert_int_equal(unpack_le32(r + 60),
			 crc32c(crc32c(0, span_of(head, 60)), SPAN("hello")));
	assert_memory_equal(r + 64, "hello", 5);
}

static void text_is_squeezed_and_noise_and_crumbs_are_not(void **state)
{
	char text[4096], noise[4096];
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = "Subject: hello\r\n"[i % 16];
	fill_random(noise, sizeof noise, 7);
	struct piece t = append(*state, 0, span_of(text, sizeof text));
	struct piece n = append(*state, 1, span_of(noise, sizeof noise));
	struct piece c = append(*state, 2, span_of(text, 200));
	assert_int_equal(t.codec, CODEC_ZSTD);
	assert_true(t.stored < 400);
	assert_int_equal(n.codec, CODEC_RAW);
	assert_int_equal(c.codec, CODEC_RAW);
	assert_int_equal(read_back(*state, 0, &t, span_of(text, sizeof text)), ERR_OK);
	assert_int_equal(read_back(*state, 1, &n, span_of(noise, sizeof noise)), ERR_OK);
	assert_int_equal(read_back(*state, 2, &c, span_of(text, 200)), ERR_OK);
	assert_int_equal(n.offset % RECORD_ALIGN, 0);
	assert_int_equal(c.offset % RECORD_ALIGN, 0);
}

static void every_flipped_byte_is_found(void **state)
{
	char noise[300];
	fill_random(noise, sizeof noise, 9);
	struct piece at = append(*state, 0, span_of(noise, sizeof noise));
	int fd = open_file(*state, 1);
	for (off_t i = 0; i < RECORD_HEAD + (off_t)sizeof noise; i++) {
		char c;
		assert_int_equal(pread(fd, &c, 1, at.offset + i), 1);
		c ^= 0x10;
		assert_int_equal(pwrite(fd, &c, 1, at.offset + i), 1);
		assert_int_equal(read_back(*state, 0, &at, SPAN_NONE), ERR_CORRUPT);
		c ^= 0x10;
		assert_int_equal(pwrite(fd, &c, 1, at.offset + i), 1);
	}
	assert_int_equal(read_back(*state, 0, &at, span_of(noise, sizeof noise)), ERR_OK);
	assert_int_equal(ftruncate(fd, at.offset + RECORD_HEAD + 299), 0);
	assert_int_equal(read_back(*state, 0, &at, SPAN_NONE), ERR_CORRUPT);
	close(fd);
}

static void a_row_that_points_elsewhere_is_found(void **state)
{
	struct piece one = append(*state, 0, SPAN("one")),
		     two = append(*state, 1, SPAN("two"));
	struct buf out = { 0 };
	struct body_id other = { "other" };
	assert_int_equal(read_back(*state, 1, &one, SPAN_NONE), ERR_CORRUPT);
	assert_int_equal(segments_read(((struct place *)*state)->s, account_of(2), body,
				       0, &one, 0, 9, &out),
			 ERR_CORRUPT);
	assert_int_equal(segments_read(((struct place *)*state)->s, account_of(1), other,
				       0, &one, 0, 9, &out),
			 ERR_CORRUPT);
	one.stored = UINT32_MAX;
	assert_int_equal(read_back(*state, 0, &one, SPAN_NONE), ERR_CORRUPT);
	two.segment = 17;
	assert_int_equal(read_back(*state, 1, &two, SPAN_NONE), ERR_CORRUPT);
}

static void a_full_segment_is_followed_by_a_new_one(void **state)
{
	struct place *p = *state;
	struct buf why = { 0 };
	char noise[1000];
	struct piece at[10];
	segments_close(p->s);
	place_open(p, 5, 64 + 2 * record_room(sizeof noise));
	for (uint32_t i = 0; i < 10; i++) {
		fill_random(noise, sizeof noise, i);
		at[i] = append(p, i, span_of(noise, sizeof noise));
		assert_int_equal(at[i].segment, 5 + i / 2);
	}
	assert_int_equal(segments_sync(p->s, &why), ERR_OK);
	for (uint32_t i = 0; i < 10; i++) {
		fill_random(noise, sizeof noise, i);
		assert_int_equal(read_back(p, i, &at[i], span_of(noise, sizeof noise)),
				 ERR_OK);
	}
}

static void a_new_process_never_appends_to_an_old_segment(void **state)
{
	struct place *p = *state;
	struct piece one = append(p, 0, SPAN("one"));
	segments_close(p->s);
	place_open(p, 0, SEGMENT_BYTES);
	struct piece two = append(p, 1, SPAN("two"));
	assert_int_equal(one.segment, 1);
	assert_int_equal(two.segment, 2);
	assert_int_equal(read_back(p, 0, &one, SPAN("one")), ERR_OK);
}

#define T(f)                                                                             \
	{                                                                                \
#f, f, up, down, NULL                                                    \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc32c_gives_the_values_of_rfc_3720),
		T(a_record_of_format_1_lies_where_the_header_says),
		T(text_is_squeezed_and_noise_and_crumbs_are_not),
		T(every_flipped_byte_is_found),
		T(a_row_that_points_elsewhere_is_found),
		T(a_full_segment_is_followed_by_a_new_one),
		T(a_new_process_never_appends_to_an_old_segment),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
