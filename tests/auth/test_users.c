/* The user table: what is accepted, what is refused, and changing the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/users.h"
#include "base/arena.h"

#define A1   "0123456789abcdef0123456789abcdef"
#define A2   "fedcba9876543210fedcba9876543210"
#define HASH "$y$j9T$mailstileNobodyHere...$kllTIUHbgevCMnPGA5CZkt.2wjbXrk4hCCbG6IQkre."

static enum err parse(const char *text, struct users **ret, struct buf *why)
{
	return users_parse(span_str(text), "users", ret, why);
}

static void refused(const char *text, const char *part)
{
	struct buf why = { 0 };
	struct users *u = NULL;
	assert_int_equal(parse(text, &u, &why), ERR_INVAL);
	assert_null(u);
	buf_putc(&why, 0);
	assert_non_null(strstr(buf_span(&why).p, part));
	buf_done(&why);
}

static void fields_are_read(void **state)
{
	struct buf why = { 0 };
	struct users *u = NULL;
	assert_int_equal(parse("# head\n\nroot:" A1 ":admin:" HASH ":quota=5:x=\n"
			       "bob:" A2 ":-:*\n",
			       &u, &why),
			 ERR_OK);
	assert_int_equal(users_count(u), 2);
	const struct user *root = users_find(u, SPAN("ROOT"));
	assert_non_null(root);
	assert_true(root->is_admin);
	assert_true(span_eq(root->account, SPAN(A1)));
	assert_true(span_eq(root->hash, SPAN(HASH)));
	assert_true(span_eq(root->more, SPAN("quota=5:x=")));
	assert_ptr_equal(users_at(u, 1), users_find(u, SPAN("bob")));
	assert_false(users_at(u, 1)->is_admin);
	assert_null(users_at(u, 2));
	assert_null(users_find(u, SPAN("carol")));
	assert_null(users_find(u, SPAN("")));
	users_unref(u);
}

static void empty_table_has_nobody(void **state)
{
	struct buf why = { 0 };
	struct users *u = NULL;
	assert_int_equal(parse("", &u, &why), ERR_OK);
	assert_int_equal(users_count(u), 0);
	assert_null(users_find(u, SPAN("bob")));
	users_unref(u);
}

static void faults_are_named_with_their_line(void **state)
{
	refused("bob:" A1 ":-:*", "users:1: The last line");
	refused("# x\nbob:" A1 ":-\n", "users:2: A user has four");
	refused("Bob:" A1 ":-:*\n", "lower case");
	refused("b b:" A1 ":-:*\n", "name");
	refused(":" A1 ":-:*\n", "name");
	refused("b\xff:" A1 ":-:*\n", "name");
	refused("b\x7f:" A1 ":-:*\n", "name");
	refused("bob:0123:-:*\n", "account");
	refused("bob:0123456789ABCDEF0123456789abcdef:-:*\n", "account");
	refused("bob:" A1 ":root:*\n", "roles");
	refused("bob:" A1 ":-:secret\n", "password");
	refused("bob:" A1 ":-:\n", "password");
	refused("bob:" A1 ":-:*:\n", "key=value");
	refused("bob:" A1 ":-:*:=v\n", "key=value");
	refused("bob:" A1 ":-:*\nbob:" A2 ":-:*\n", "users:2: There is a user");
	refused("bob:" A1 ":-:*\nann:" A1 ":-:*\n", "users:2: A user above");
}

static void file_cut_off_anywhere_is_refused_or_shorter(void **state)
{
	static const char text[] = "root:" A1 ":admin:" HASH "\nbob:" A2 ":-:*\n";
	for (size_t n = 0; n < sizeof text - 1; n++) {
		struct buf why = { 0 };
		struct users *u = NULL;
		enum err rc = users_parse(span_of(text, n), "users", &u, &why);
		bool at_line_end = n == 0 || text[n - 1] == '\n';
		assert_int_equal(rc, at_line_end ? ERR_OK : ERR_INVAL);
		users_unref(u);
		buf_done(&why);
	}
}

static void names_are_lowered_in_ascii_only(void **state)
{
	struct user_name n;
	assert_int_equal(user_name_make(SPAN("J\xc3\x96RG@Example.ORG"), &n), ERR_OK);
	assert_string_equal(n.text, "j\xc3\x96rg@example.org");
	assert_int_equal(n.n, strlen(n.text));
}

static void names_that_could_confuse_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		" a",
		"a b",
		"a:b",
		"a\tb",
		"a\nb",
		"a\x7f",
		"#a",
		"\x80",
		"\xc0\x80",
		"\xed\xa0\x80",
		"\xf5\x80\x80\x80",
		"\xc2\x85",
		"\xe2\x80\xa8",
		"\xc3",
		"\xe0\x80\x80",
		"\xf4\x90\x80\x80",
	};
	struct user_name n;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(user_name_make(span_str(bad[i]), &n), ERR_INVAL);
	assert_int_equal(user_name_make(span_of("a\0b", 3), &n), ERR_INVAL);
	char text[USER_NAME_MAX + 1];
	memset(text, 'x', sizeof text);
	assert_int_equal(user_name_make(span_of(text, USER_NAME_MAX), &n), ERR_OK);
	assert_int_equal(user_name_make(span_of(text, USER_NAME_MAX + 1), &n), ERR_INVAL);
}

struct place {
	char dir[32];
	char path[64];
	struct buf why;
};

static int place_new(void **state)
{
	struct place *p = xcalloc(1, sizeof *p);
	strcpy(p->dir, "/tmp/users-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof p->path, "%s/users", p->dir);
	*state = p;
	return 0;
}

static int place_free(void **state)
{
	struct place *p = *state;
	char lock[80];
	snprintf(lock, sizeof lock, "%s.lock", p->path);
	unlink(p->path);
	unlink(lock);
	rmdir(p->dir);
	buf_done(&p->why);
	free(p);
	return 0;
}

static struct users_edit *edit(struct place *p)
{
	struct users_edit *e = NULL;
	assert_int_equal(users_edit_open(p->path, true, &e, &p->why), ERR_OK);
	return e;
}

static struct users *load(struct place *p)
{
	struct users *u = NULL;
	assert_int_equal(users_load(p->path, &u, &p->why), ERR_OK);
	return u;
}

static void changes_survive_saving(void **state)
{
	struct place *p = *state;
	struct users_edit *e = edit(p);
	assert_int_equal(users_edit_add(e, SPAN("Root"), SPAN(HASH), true), ERR_OK);
	for (int i = 0; i < 1000; i++) {
		char name[16];
		snprintf(name, sizeof name, "u%d", i);
		assert_int_equal(users_edit_add(e, span_str(name), SPAN("*"), false),
				 ERR_OK);
	}
	assert_int_equal(users_edit_add(e, SPAN("U7"), SPAN("*"), false), ERR_EXISTS);
	assert_int_equal(users_edit_add(e, SPAN("a b"), SPAN("*"), false), ERR_INVAL);
	assert_int_equal(users_edit_add(e, SPAN("ab"), SPAN("plain"), false), ERR_INVAL);
	assert_int_equal(users_edit_save(e, &p->why), ERR_OK);
	users_edit_close(e);

	struct stat st;
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	struct users *u = load(p);
	assert_int_equal(users_count(u), 1001);
	assert_true(users_find(u, SPAN("root"))->is_admin);
	assert_non_null(users_find(u, SPAN("u999")));
	users_unref(u);
}

static void name_added_again_has_another_account(void **state)
{
	struct place *p = *state;
	struct users_edit *e = edit(p);
	users_edit_add(e, SPAN("bob"), SPAN("*"), false);
	users_edit_save(e, &p->why);
	users_edit_close(e);
	struct users *before = load(p);

	e = edit(p);
	assert_int_equal(users_edit_delete(e, SPAN("bob")), ERR_OK);
	assert_int_equal(users_edit_delete(e, SPAN("bob")), ERR_NOENT);
	assert_int_equal(users_edit_add(e, SPAN("bob"), SPAN("*"), false), ERR_OK);
	users_edit_save(e, &p->why);
	users_edit_close(e);
	struct users *after = load(p);
	assert_int_equal(users_count(after), 1);
	assert_false(span_eq(users_at(before, 0)->account, users_at(after, 0)->account));
	users_unref(before);
	users_unref(after);
}

static void what_was_not_saved_is_dropped(void **state)
{
	struct place *p = *state;
	struct users_edit *e = edit(p);
	users_edit_add(e, SPAN("bob"), SPAN("*"), false);
	users_edit_close(e);
	struct users *u = NULL;
	assert_int_equal(users_load(p->path, &u, &p->why), ERR_NOENT);
}

static void comments_and_unknown_fields_are_kept(void **state)
{
	struct place *p = *state;
	FILE *f = fopen(p->path, "w");
	fputs("# mine\nbob:" A1 ":-:*:quota=7\n", f);
	fclose(f);
	struct users_edit *e = edit(p);
	assert_int_equal(users_edit_set_hash(e, SPAN("BOB"), SPAN(HASH)), ERR_OK);
	assert_int_equal(users_edit_set_hash(e, SPAN("ann"), SPAN(HASH)), ERR_NOENT);
	assert_int_equal(users_edit_save(e, &p->why), ERR_OK);
	users_edit_close(e);
	char text[256] = "";
	f = fopen(p->path, "r");
	text[fread(text, 1, sizeof text - 1, f)] = 0;
	fclose(f);
	assert_string_equal(text, "# mine\nbob:" A1 ":-:" HASH ":quota=7\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_read),
		cmocka_unit_test(empty_table_has_nobody),
		cmocka_unit_test(faults_are_named_with_their_line),
		cmocka_unit_test(file_cut_off_anywhere_is_refused_or_shorter),
		cmocka_unit_test(names_are_lowered_in_ascii_only),
		cmocka_unit_test(names_that_could_confuse_are_refused),
		cmocka_unit_test_setup_teardown(changes_survive_saving, place_new,
						place_free),
		cmocka_unit_test_setup_teardown(name_added_again_has_another_account,
						place_new, place_free),
		cmocka_unit_test_setup_teardown(what_was_not_saved_is_dropped, place_new,
						place_free),
		cmocka_unit_test_setup_teardown(comments_and_unknown_fields_are_kept,
						place_new, place_free),
	};
	return cmocka_run_group_tests_name("auth/users", tests, NULL, NULL);
}
