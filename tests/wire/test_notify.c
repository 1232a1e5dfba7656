/* NOTIFY's arguments (RFC 5465 section 8). */
#include "reader.h"
#include "wire/notify.h"

#define EVERYTHING ((1u << 18) - 1)

static bool read(const char *text, struct notify_args *a)
{
	struct cursor c = on(arena_printf(arena, " %s\r\n", text));

	return cursor_notify_args(&c, EVERYTHING, a) && cursor_end(&c);
}

static struct notify_args parse(const char *text)
{
	struct notify_args a = { 0 };

	assert_true(read(text, &a));
	return a;
}

static const char *emitted(const char *text)
{
	struct notify_args a = parse(text);
	struct buf b = { 0 };

	emit_notify_args(&b, (struct emit_mode){ 0 }, &a);
	return text_of(&b);
}

static bool is_refused(const char *text)
{
	struct notify_args a;

	return !read(text, &a);
}

static void none_and_set_are_told_apart(void **state)
{
	assert_true(parse("NONE").is_none);
	assert_false(parse("set (selected none)").is_none);
	assert_true(parse("SET STATUS (PERSONAL (MailboxName))").has_status);
	assert_false(parse("SET (PERSONAL (MailboxName))").has_status);
}

static void groups_are_read_as_they_stand(void **state)
{
	struct notify_args a = parse(
	    "SET (SELECTED-DELAYED (messagenew (UID BODY.PEEK[HEADER.FIELDS (From)])"
	    " MESSAGEEXPUNGE flagchange)) (subtree (Lists \"a b\") (MailboxName))"
	    " (mailboxes inbox NONE)");

	assert_int_equal(a.n_groups, 3);
	assert_int_equal(a.groups[0].of.filter, NOTIFY_SELECTED_DELAYED);
	assert_int_equal(a.groups[0].events, 7);
	assert_int_equal(a.groups[0].fetch.n_items, 2);
	assert_int_equal(a.groups[1].of.n_names, 2);
	assert_true(span_eq(a.groups[1].of.names[1], SPAN("a b")));
	assert_int_equal(a.groups[1].events, NOTIFY_MAILBOX_NAME);
	assert_true(span_eq(a.groups[2].of.names[0], SPAN("INBOX")));
	assert_int_equal(a.groups[2].events, 0);
}

static void what_is_emitted_is_read_again(void **state)
{
	static const char *const texts[] = {
		" NONE",
		" SET (SELECTED NONE)",
		" SET STATUS (PERSONAL (MessageNew MessageExpunge FlagChange))"
		" (SUBSCRIBED (SubscriptionChange))",
		" SET (SELECTED (MessageNew (UID FLAGS) MessageExpunge))"
		" (MAILBOXES (INBOX a/b) (MailboxMetadataChange ServerMetadataChange))",
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_string_equal(emitted(texts[i] + 1), texts[i]);
}

static void unknown_events_are_marked_for_the_answer(void **state)
{
	assert_int_equal(parse("SET (PERSONAL (Ponies))").groups[0].events, NOTIFY_OTHER);
	assert_int_equal(parse("SET (SELECTED (Ponies))").groups[0].events, NOTIFY_OTHER);
}

static void what_the_rfc_forbids_is_bad(void **state)
{
	/* sections 5, 6.1, 8 */
	assert_true(is_refused("SET (PERSONAL (MessageNew))"));
	assert_true(is_refused("SET (PERSONAL (FlagChange))"));
	assert_true(is_refused("SET (PERSONAL (AnnotationChange MessageNew))"));
	assert_true(is_refused("SET (SELECTED (MailboxName))"));
	assert_true(is_refused("SET (SELECTED NONE) (SELECTED-DELAYED NONE)"));
	assert_true(is_refused("SET (PERSONAL (MessageNew (UID) MessageExpunge))"));
	assert_true(is_refused("SET"));
	assert_true(is_refused("SET STATUS"));
	assert_true(is_refused("SET (PERSONAL)"));
	assert_true(is_refused("SET (PERSONAL ())"));
	assert_true(is_refused("SET (SUBTREE (MailboxName))"));
	assert_true(is_refused("SET (EVERYTHING (MailboxName))"));
	assert_true(is_refused("NONE x"));
	assert_true(is_refused("x"));
}

static bool sources_read(const char *text, struct search_sources *s)
{
	struct cursor c = on(arena_printf(arena, "%s\r\n", text));

	return cursor_search_sources(&c, s) && cursor_end(&c);
}

static void sources_of_esearch_are_read(void **state)
{
	struct search_sources s = { 0 };
	struct buf b = { 0 };

	assert_true(sources_read("in (selected mailboxes Lists subtree-one (a \"b c\"))", &s));
	assert_int_equal(s.n, 3);
	assert_int_equal(s.v[0].filter, NOTIFY_SELECTED);
	assert_int_equal(s.v[1].n_names, 1);
	assert_int_equal(s.v[2].filter, NOTIFY_SUBTREE_ONE);
	emit_search_sources(&b, (struct emit_mode){ 0 }, &s);
	assert_string_equal(text_of(&b),
			    "IN (SELECTED MAILBOXES (Lists) SUBTREE-ONE (a \"b c\"))");
}

static void sources_that_esearch_has_not_are_refused(void **state)
{
	struct search_sources s;

	assert_false(sources_read("IN ()", &s));
	assert_false(sources_read("IN personal", &s));
	assert_false(sources_read("IN (SELECTED-DELAYED)", &s));
	assert_false(sources_read("IN (PERSONAL (x y))", &s));
	assert_false(sources_read("IN (MAILBOXES)", &s));
	assert_false(sources_read("IN (SUBTREE ())", &s));
	assert_true(is_refused("SET (SUBTREE-ONE a (MailboxName))"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none_and_set_are_told_apart),
		cmocka_unit_test(groups_are_read_as_they_stand),
		cmocka_unit_test(what_is_emitted_is_read_again),
		cmocka_unit_test(unknown_events_are_marked_for_the_answer),
		cmocka_unit_test(what_the_rfc_forbids_is_bad),
		cmocka_unit_test(sources_of_esearch_are_read),
		cmocka_unit_test(sources_that_esearch_has_not_are_refused),
	};

	return RUN(tests);
}
