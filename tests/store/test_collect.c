/* The collector: what is half dead is rewritten, and nobody notices. */
#include "engine_rig.h"

#include <glob.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/kind.h"

enum { BODY = 20000, BODIES = 400, SEGMENT = 1 << 20, PATIENCE_MS = 10000 };

struct keep {
	struct rig rig;
	struct body_id body[BODIES];
};

static void fill_body(char *p, unsigned i)
{
	fill_random(p, BODY, i + 1);
}

static enum err drop(struct job *j, struct txn *t)
{
	txn_body_drop(t, j->body);
	return ERR_OK;
}

static unsigned owner_of(unsigned i)
{
	return i % 3 + 1;
}

static void keep_all(struct keep *k)
{
	char *bytes = malloc(BODY);
	for (unsigned i = 0; i < BODIES; i++) {
		fill_body(bytes, i);
		k->body[i] = keep_body(&k->rig, account_of((uint8_t)owner_of(i)),
				       span_of(bytes, BODY));
	}
	free(bytes);
}

static void drop_but_each(struct keep *k, unsigned nth)
{
	for (unsigned i = 0; i < BODIES; i++) {
		struct job j = { .body = k->body[i] };
		if (i % nth != 0)
			assert_int_equal(
			    job_run(&j, &k->rig, account_of((uint8_t)owner_of(i)), drop),
			    ERR_OK);
	}
}

static uint64_t on_disk(struct rig *r, size_t *ret_files)
{
	char pattern[100];
	glob_t g;
	uint64_t sum = 0;
	struct stat st;
	snprintf(pattern, sizeof pattern, "%s/segments/*.seg", r->dir);
	*ret_files = 0;
	if (glob(pattern, 0, NULL, &g) != 0)
		return 0;
	for (size_t i = 0; i < g.gl_pathc; i++)
		if (stat(g.gl_pathv[i], &st) == 0)
			sum += (uint64_t)st.st_size;
	*ret_files = g.gl_pathc;
	globfree(&g);
	return sum;
}

/* Waits until so many bytes at most are there. */
static bool shrinks_to(struct rig *r, uint64_t bytes)
{
	size_t files;
	for (int i = 0; i < PATIENCE_MS / 10; i++) {
		if (on_disk(r, &files) <= bytes)
			return true;
		usleep(10000);
	}
	return false;
}

static void expect_body(struct keep *k, unsigned i)
{
	struct buf out = { 0 };
	char *want = malloc(BODY);
	fill_body(want, i);
	assert_int_equal(engine_body_read(k->rig.engine, account_of((uint8_t)owner_of(i)),
					  k->body[i], 0, SIZE_MAX, &out),
			 ERR_OK);
	assert_true(span_eq(buf_span(&out), span_of(want, BODY)));
	buf_done(&out);
	free(want);
}

static void open_with(struct keep *k, uint32_t segment)
{
	rig_init(&k->rig, "rocks", 0);
	rig_close(&k->rig);
	k->rig.tune.segment_bytes = segment;
	k->rig.tune.tick_ms = 2;
	k->rig.tune.pass_ms = 1;
	rig_open(&k->rig);
}

static void space_of_dropped_bodies_comes_back(void **state)
{
	struct keep k;
	size_t files;
	open_with(&k, SEGMENT);
	keep_all(&k);
	assert_true(on_disk(&k.rig, &files) > (uint64_t)BODIES * BODY);
	drop_but_each(&k, 10);
	assert_true(shrinks_to(&k.rig, (uint64_t)BODIES * BODY / 10 + 3 * SEGMENT));
	for (unsigned i = 0; i < BODIES; i += 10)
		expect_body(&k, i);
	rig_close(&k.rig);
	rig_open(&k.rig);
	for (unsigned i = 0; i < BODIES; i += 10)
		expect_body(&k, i);
	rig_done(&k.rig);
}

static void a_segment_that_is_more_than_half_alive_stays(void **state)
{
	struct keep k;
	size_t files, after;
	open_with(&k, SEGMENT);
	keep_all(&k);
	uint64_t before = on_disk(&k.rig, &files);
	for (unsigned i = 0; i < BODIES; i += 4) {
		struct job j = { .body = k.body[i] };
		job_run(&j, &k.rig, account_of((uint8_t)owner_of(i)), drop);
	}
	usleep(200000);
	assert_int_equal(on_disk(&k.rig, &after), before);
	assert_int_equal(files, after);
	rig_done(&k.rig);
}

struct reader {
	struct keep *k;
	atomic_bool is_over;
	atomic_uint n, bad;
};

static void *read_always(void *arg)
{
	struct reader *r = arg;
	struct buf out = { 0 };
	for (unsigned i = 0; !atomic_load(&r->is_over); i = (i + 10) % BODIES) {
		buf_clear(&out);
		enum err rc = engine_body_read(r->k->rig.engine,
					       account_of((uint8_t)owner_of(i)),
					       r->k->body[i], 0, SIZE_MAX, &out);
		r->n++;
		r->bad += rc != ERR_OK || out.n != BODY ? 1 : 0;
	}
	buf_done(&out);
	return NULL;
}

static void readers_do_not_notice_that_bodies_move(void **state)
{
	struct keep k;
	struct reader r = { .k = &k };
	pthread_t thread[2];
	open_with(&k, SEGMENT);
	keep_all(&k);
	for (int i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, read_always, &r);
	drop_but_each(&k, 10);
	bool has_shrunk = shrinks_to(&k.rig, (uint64_t)BODIES * BODY / 10 + 3 * SEGMENT);
	atomic_store(&r.is_over, true);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	assert_true(has_shrunk);
	assert_true(r.n > 0);
	assert_int_equal(r.bad, 0);
	rig_done(&k.rig);
}

/* Written, its append has not come to its end yet. */
static void a_body_that_is_being_written_keeps_its_segment(void **state)
{
	struct keep k;
	size_t files;
	char *bytes = malloc(BODY_PIECE);
	fill_random(bytes, BODY_PIECE, 5);
	open_with(&k, 5 << 20);
	struct body_id id;
	struct body_put *p = engine_body_begin(k.rig.engine, account_of(1), &id);
	assert_int_equal(engine_body_write(p, span_of(bytes, BODY_PIECE)), ERR_OK);
	keep_all(&k); /* seals that segment, and more */
	drop_but_each(&k, BODIES);
	usleep(200000);
	assert_true(on_disk(&k.rig, &files) > BODY_PIECE);
	engine_body_end(p); /* given up: now it is garbage */
	drop_but_each(&k, BODIES);
	/* the segment that grows, and the one of copies */
	assert_true(shrinks_to(&k.rig, 5 << 20));
	expect_body(&k, 0);
	rig_done(&k.rig);
	free(bytes);
}

static void a_damaged_body_keeps_its_segment_and_the_others_are_whole(void **state)
{
	struct keep k;
	char name[120];
	open_with(&k, SEGMENT);
	keep_all(&k);
	rig_close(&k.rig);
	snprintf(name, sizeof name, "%s/segments/00000001.seg", k.rig.dir);
	FILE *f = fopen(name, "r+b");
	assert_non_null(f);
	fseek(f, 1000, SEEK_SET);
	fputs("damage", f);
	fclose(f);
	rig_open(&k.rig);
	drop_but_each(&k, 10);
	assert_true(shrinks_to(&k.rig, (uint64_t)BODIES * BODY / 10 + 4 * SEGMENT));
	assert_int_equal(access(name, F_OK), 0);
	struct buf out = { 0 };
	assert_int_equal(
	    engine_body_read(k.rig.engine, account_of(1), k.body[0], 0, SIZE_MAX, &out),
	    ERR_CORRUPT);
	buf_done(&out);
	for (unsigned i = 10; i < BODIES; i += 10)
		expect_body(&k, i);
	rig_done(&k.rig);
}

static bool count_torn(void *arg, struct account_id a, struct body_id id)
{
	++*(unsigned *)arg;
	return true;
}

/* Acknowledged, synced, and the device damages it later: that is no torn append. */
static void what_is_damaged_on_an_idle_store_is_not_taken_for_torn(void **state)
{
	struct keep k;
	char name[120], command[300];
	unsigned torn = 0;
	open_with(&k, SEGMENT);
	char *bytes = malloc(BODY);
	fill_body(bytes, 0);
	k.body[0] = keep_body(&k.rig, account_of(1), span_of(bytes, BODY));
	free(bytes);
	usleep(200000);
	/* as a kill would leave it */
	struct rig copy = k.rig;
	snprintf(copy.dir, sizeof copy.dir, "%.60s-c", k.rig.dir);
	snprintf(command, sizeof command, "cp -r %s %s", k.rig.dir, copy.dir);
	assert_int_equal(system(command), 0);
	snprintf(name, sizeof name, "%s/segments/00000001.seg", copy.dir);
	assert_int_equal(truncate(name, 1000), 0);
	rig_open(&copy);
	assert_int_equal(engine_torn(copy.engine, count_torn, &torn), ERR_OK);
	assert_int_equal(torn, 0);
	rig_close(&copy);
	snprintf(command, sizeof command, "rm -r %s", copy.dir);
	assert_int_equal(system(command), 0);
	rig_done(&k.rig);
}

static void short_of_space_what_needs_room_is_refused(void **state)
{
	struct keep k;
	open_with(&k, SEGMENT);
	char bytes[100] = "body";
	struct body_id id = keep_body(&k.rig, account_of(1), span_of(bytes, 100));
	rig_close(&k.rig);
	k.rig.tune.reserve_bytes = UINT64_MAX; /* more than any device has */
	rig_open(&k.rig);
	struct body_id other;
	struct body_put *p = engine_body_begin(k.rig.engine, account_of(1), &other);
	assert_int_equal(engine_body_write(p, span_of(bytes, 100)), ERR_FULL);
	engine_body_end(p);
	struct job j = { .body = id };
	j.e.needs_room = true;
	struct job grows = j;
	assert_int_equal(job_run(&grows, &k.rig, account_of(1), drop), ERR_FULL);
	j.e.needs_room = false;
	assert_int_equal(job_run(&j, &k.rig, account_of(1), drop), ERR_OK);
	rig_done(&k.rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(space_of_dropped_bodies_comes_back),
		cmocka_unit_test(a_segment_that_is_more_than_half_alive_stays),
		cmocka_unit_test(readers_do_not_notice_that_bodies_move),
		cmocka_unit_test(a_body_that_is_being_written_keeps_its_segment),
		cmocka_unit_test(
		    a_damaged_body_keeps_its_segment_and_the_others_are_whole),
		cmocka_unit_test(what_is_damaged_on_an_idle_store_is_not_taken_for_torn),
		cmocka_unit_test(short_of_space_what_needs_room_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
