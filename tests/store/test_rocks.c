/* What is RocksDB's own: opening again, locks, formats, damage, counters. */
#include "engine_rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/pack.h"
#include "store/rocks.h"

static struct rig *rig(void **state)
{
	return *state;
}

static int up(void **state)
{
	*state = calloc(1, sizeof(struct rig));
	rig_init(*state, "rocks", 0);
	return 0;
}

static int down(void **state)
{
	rig_done(*state);
	free(*state);
	return 0;
}

static void expect_body(struct engine *e, struct account_id a, struct body_id id,
			struct span want)
{
	struct buf out = { 0 };
	assert_int_equal(engine_body_read(e, a, id, 0, SIZE_MAX, &out), ERR_OK);
	assert_true(span_eq(buf_span(&out), want));
	buf_done(&out);
}

static bool no_torn(void *arg, struct account_id a, struct body_id id)
{
	fail_msg("a whole body was called torn");
	return false;
}

static void rows_bodies_and_names_are_there_after_reopening(void **state)
{
	struct rig *r = rig(state);
	put_row(r, account_of(1), "a", "1");
	struct body_id one = keep_body(r, account_of(1), SPAN("one"));
	struct body_id empty = keep_body(r, account_of(1), SPAN_NONE);
	for (int i = 0; i < 3; i++) {
		rig_close(r);
		rig_open(r);
		expect_row(r, account_of(1), "a", "1");
		expect_row(r, account_of(2), "a", NULL);
		expect_body(r->engine, account_of(1), one, SPAN("one"));
		expect_body(r->engine, account_of(1), empty, SPAN_NONE);
		struct body_id two = keep_body(r, account_of(1), SPAN("two"));
		expect_body(r->engine, account_of(1), two, SPAN("two"));
		assert_int_equal(engine_torn(r->engine, no_torn, NULL), ERR_OK);
	}
}

static enum err open_fails(struct rig *r, unsigned flags, const char *words)
{
	struct buf why = { 0 };
	struct engine *e = NULL;
	enum err rc = rig_try_open(r, flags, &e, &why);
	assert_null(e);
	buf_putc(&why, '\0');
	if (!strstr(buf_span(&why).p, words))
		fail_msg("%s", buf_span(&why).p);
	buf_done(&why);
	return rc;
}

static void a_second_server_is_refused(void **state)
{
	assert_int_equal(open_fails(rig(state), 0, "another process has the store"),
			 ERR_BUSY);
	put_row(rig(state), account_of(1), "a", "1");
}

static enum err want_a1(void *arg, struct txn *t)
{
	struct span v;
	enum err rc = txn_get(t, SPAN("a"), &v);
	return rc != ERR_OK ? rc : span_eq(v, SPAN("1")) ? ERR_OK : ERR_CORRUPT;
}

static enum err put_x(struct job *j, struct txn *t)
{
	txn_put(t, SPAN("x"), SPAN("y"));
	return ERR_OK;
}

static void a_check_reads_beside_a_running_server(void **state)
{
	struct rig *r = rig(state);
	put_row(r, account_of(1), "a", "1");
	struct body_id one = keep_body(r, account_of(1), SPAN("one"));
	struct buf why = { 0 };
	struct rig reader = *r;
	assert_int_equal(rig_try_open(r, ENGINE_READ_ONLY, &reader.engine, &why), ERR_OK);
	assert_int_equal(engine_read_now(reader.engine, account_of(1), want_a1, NULL),
			 ERR_OK);
	expect_body(reader.engine, account_of(1), one, SPAN("one"));
	struct job j = { 0 };
	home_init(&reader.home);
	assert_int_equal(job_run(&j, &reader, account_of(1), put_x), ERR_DENIED);
	struct body_id id;
	struct body_put *p = engine_body_begin(reader.engine, account_of(1), &id);
	assert_int_equal(engine_body_write(p, SPAN("x")), ERR_DENIED);
	engine_body_end(p);
	engine_close(reader.engine);
	put_row(r, account_of(1), "a", "2");
}

static void there_is_no_read_only_store_in_an_empty_directory(void **state)
{
	struct rig r = *rig(state);
	strcpy(r.dir, "/tmp/no-such-store-here");
	assert_int_equal(open_fails(&r, ENGINE_READ_ONLY, "no store in"), ERR_NOENT);
}

static struct rocks *rocks(struct rig *r)
{
	return rocks_of(r->engine);
}

static void a_newer_format_is_refused_in_words(void **state)
{
	struct rig *r = rig(state);
	assert_int_equal(
	    rocks_put_synced(rocks(r), CF_DEFAULT, SPAN("format"), SPAN("3")), ERR_OK);
	rig_close(r);
	assert_int_equal(open_fails(r, 0, "has format 3"), ERR_UNSUPPORTED);
	assert_int_equal(open_fails(r, ENGINE_READ_ONLY, "has format 3"),
			 ERR_UNSUPPORTED);
}

/* Format 2 has one more kind of rows, which is a cache. */
static void an_older_format_is_read_and_becomes_the_newer_when_it_is_written(void **state)
{
	struct rig *r = rig(state);
	struct buf why = { 0 }, format = { 0 };
	struct rig reader = *r;
	put_row(r, account_of(1), "a", "1");
	assert_int_equal(
	    rocks_put_synced(rocks(r), CF_DEFAULT, SPAN("format"), SPAN("1")), ERR_OK);
	assert_int_equal(rig_try_open(r, ENGINE_READ_ONLY, &reader.engine, &why), ERR_OK);
	engine_close(reader.engine);
	rig_close(r);
	rig_open(r);
	assert_int_equal(rocks_get(rocks(r), CF_DEFAULT, SPAN("format"), &format), ERR_OK);
	assert_true(span_eq(buf_span(&format), SPAN("2")));
	buf_done(&format);
	assert_int_equal(engine_read_now(r->engine, account_of(1), want_a1, NULL), ERR_OK);
}

static void a_part_of_a_newer_version_is_refused_in_words(void **state)
{
	struct rig *r = rig(state);
	char *error = NULL;
	rocksdb_column_family_handle_t *h = rocksdb_create_column_family(
	    rocks(r)->db, rocks(r)->options[0], "future", &error);
	assert_null(error);
	rocksdb_column_family_handle_destroy(h);
	rig_close(r);
	assert_int_equal(open_fails(r, 0, "\"future\""), ERR_UNSUPPORTED);
}

static void an_unknown_kind_is_refused(void **state)
{
	struct rig r = *rig(state);
	r.kind = "floppy";
	assert_int_equal(open_fails(&r, 0, "floppy"), ERR_UNSUPPORTED);
}

static uint64_t live_bytes(struct rig *r, uint32_t segment)
{
	char key[5] = "l";
	struct buf value = { 0 };
	pack_be32(key + 1, segment);
	enum err rc = rocks_get(rocks(r), CF_SEG, span_of(key, sizeof key), &value);
	uint64_t n = rc == ERR_OK ? unpack_le64(buf_span(&value).p) : 0;
	buf_done(&value);
	return n;
}

static enum err drop_plan(struct job *j, struct txn *t)
{
	txn_body_drop(t, j->body);
	txn_body_drop(t, j->body);
	return ERR_OK;
}

static void a_segments_counter_tells_what_is_still_held(void **state)
{
	struct rig *r = rig(state);
	size_t n = 3 * BODY_PIECE + 100;
	char *bytes = malloc(n);
	fill_random(bytes, n, 1);
	struct body_id big = keep_body(r, account_of(1), span_of(bytes, n));
	uint64_t of_big = live_bytes(r, 1);
	assert_int_equal(of_big, 3 * record_room(BODY_PIECE) + record_room(100));
	struct body_id small = keep_body(r, account_of(2), SPAN("small"));
	assert_int_equal(live_bytes(r, 1), of_big + record_room(5));
	struct job j = { .body = big };
	assert_int_equal(job_run(&j, r, account_of(1), drop_plan), ERR_OK);
	assert_int_equal(live_bytes(r, 1), record_room(5));
	rig_close(r);
	rig_open(r);
	assert_int_equal(live_bytes(r, 1), record_room(5));
	j.body = small;
	assert_int_equal(job_run(&j, r, account_of(2), drop_plan), ERR_OK);
	assert_int_equal(live_bytes(r, 1), 0);
	free(bytes);
}

static void damage_hurts_only_the_piece_it_is_in(void **state)
{
	struct rig *r = rig(state);
	size_t n = 2 * BODY_PIECE;
	char *bytes = malloc(n), path[128];
	fill_random(bytes, n, 3);
	struct body_id id = keep_body(r, account_of(1), span_of(bytes, n));
	snprintf(path, sizeof path, "%s/segments/00000001.seg", r->dir);
	int fd = open(path, O_RDWR);
	assert_int_equal(
	    pwrite(fd, "!!!", 3, SEGMENT_HEAD + record_room(BODY_PIECE) + 1000), 3);
	close(fd);
	struct buf out = { 0 };
	assert_int_equal(engine_body_read(r->engine, account_of(1), id, 0, n, &out),
			 ERR_CORRUPT);
	assert_int_equal(out.n, 0);
	assert_int_equal(
	    engine_body_read(r->engine, account_of(1), id, BODY_PIECE, 1, &out),
	    ERR_CORRUPT);
	assert_int_equal(
	    engine_body_read(r->engine, account_of(1), id, 0, BODY_PIECE, &out), ERR_OK);
	assert_true(span_eq(buf_span(&out), span_of(bytes, BODY_PIECE)));
	buf_done(&out);
	free(bytes);
}

static size_t count_fresh(struct rig *r)
{
	size_t n = 0;
	rocksdb_iterator_t *it = rocksdb_create_iterator_cf(rocks(r)->db, rocks(r)->read,
							    rocks(r)->cf[CF_DEFAULT]);
	for (rocksdb_iter_seek(it, "f", 1); rocksdb_iter_valid(it);
	     rocksdb_iter_next(it)) {
		size_t len;
		const char *k = rocksdb_iter_key(it, &len);
		n += len == 33 && k[0] == 'f';
	}
	rocksdb_iter_destroy(it);
	return n;
}

static void marks_of_synced_bodies_do_not_pile_up(void **state)
{
	struct rig *r = rig(state);
	for (int i = 0; i < 50; i++)
		keep_body(r, account_of(1), SPAN("x"));
	assert_true(count_fresh(r) <= 2);
	rig_close(r);
	rig_open(r);
	assert_int_equal(count_fresh(r), 0);
}

static void errors_of_rocksdb_are_told_apart(void **state)
{
	static const struct {
		const char *text;
		enum err rc;
	} cases[] = {
		{ "IO error: No space left on device: While appending to file: x",
		  ERR_FULL },
		{ "IO error: While fsync: /x: Input/output error", ERR_IO },
		{ "Corruption: block checksum mismatch", ERR_CORRUPT },
		{ "IO error: While lock file: /x/LOCK: Resource temporarily unavailable",
		  ERR_BUSY },
		{ "Shutdown in progress: ", ERR_CLOSED },
		{ "something new", ERR_IO },
	};
	assert_int_equal(rocks_err(NULL, NULL), ERR_OK);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(rocks_err(strdup(cases[i].text), NULL), cases[i].rc);
}

#define T(f)                                                                             \
	{                                                                                \
#f, f, up, down, NULL                                                    \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(rows_bodies_and_names_are_there_after_reopening),
		T(a_second_server_is_refused),
		T(a_check_reads_beside_a_running_server),
		T(there_is_no_read_only_store_in_an_empty_directory),
		T(a_newer_format_is_refused_in_words),
		T(an_older_format_is_read_and_becomes_the_newer_when_it_is_written),
		T(a_part_of_a_newer_version_is_refused_in_words),
		T(an_unknown_kind_is_refused),
		T(a_segments_counter_tells_what_is_still_held),
		T(damage_hurts_only_the_piece_it_is_in),
		T(marks_of_synced_bodies_do_not_pile_up),
		cmocka_unit_test(errors_of_rocksdb_are_told_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
