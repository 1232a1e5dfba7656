/* REFERENCES and ORDEREDSUBJECT (RFC 5256 section 3). */
#include "helper.h"

#include <stdio.h>

#include "mail/thread.h"

struct message {
	const char *block;
	int64_t sent; /* 0: as late as it stands in the list */
};

static void assert_threads(enum thread_by by, const struct message *m, size_t n,
			   const char *want)
{
	struct threads *t = threads_new(by, comparator_default(), 7);
	struct buf out = { 0 };

	for (size_t i = 0; i < n; i++)
		threads_add(t, (uint32_t)i + 1, m[i].sent ? m[i].sent : (int64_t)i + 1,
			    span_str(m[i].block));
	threads_print(t, &out);
	threads_free(t);
	assert_buf(&out, want);
}
#define REFERENCES(want, ...)                                                            \
	do {                                                                             \
		const struct message m[] = { __VA_ARGS__ };                              \
		assert_threads(THREAD_BY_REFERENCES, m, sizeof m / sizeof *m, want);     \
	} while (0)
#define BY_SUBJECT(want, ...)                                                            \
	do {                                                                             \
		const struct message m[] = { __VA_ARGS__ };                              \
		assert_threads(THREAD_BY_SUBJECT, m, sizeof m / sizeof *m, want);        \
	} while (0)

static void a_chain_is_one_list(void **state)
{
	REFERENCES("(1 2 3)", { "Message-ID: <a@x>\r\n\r\n" },
		   { "Message-ID: <b@x>\r\nReferences: <a@x>\r\n\r\n" },
		   { "Message-ID: <c@x>\r\nReferences: <a@x> <b@x>\r\n\r\n" });
}

static void children_that_come_first_are_put_below(void **state)
{
	REFERENCES("(3 2 1)", { "Message-ID: <c@x>\r\nReferences: <a@x> <b@x>\r\n\r\n" },
		   { "Message-ID: <b@x>\r\nIn-Reply-To: <a@x>\r\n\r\n" },
		   { "Message-ID: <a@x>\r\n\r\n" });
}

/* the example of BASE.7.2.THREAD */
static void several_children_nest(void **state)
{
	REFERENCES("(1 2 (3 4)(5 6 7))", { "Message-ID: <3@x>\r\n\r\n" },
		   { "Message-ID: <6@x>\r\nReferences: <3@x>\r\n\r\n" },
		   { "Message-ID: <4@x>\r\nReferences: <3@x> <6@x>\r\n\r\n" },
		   { "Message-ID: <23@x>\r\nReferences: <4@x>\r\n\r\n" },
		   { "Message-ID: <44@x>\r\nReferences: <6@x>\r\n\r\n" },
		   { "Message-ID: <7@x>\r\nReferences: <44@x>\r\n\r\n" },
		   { "Message-ID: <96@x>\r\nReferences: <7@x>\r\n\r\n" });
}

static void a_missing_parent_of_two_is_kept_of_one_is_not(void **state)
{
	REFERENCES("((1)(2))", { "Message-ID: <a@x>\r\nReferences: <gone@x>\r\n\r\n" },
		   { "Message-ID: <b@x>\r\nReferences: <gone@x>\r\n\r\n" });
	REFERENCES("(1 2)", { "Message-ID: <a@x>\r\nReferences: <gone@x>\r\n\r\n" },
		   { "Message-ID: <b@x>\r\nReferences: <gone@x> <a@x>\r\n\r\n" });
	/* within a thread its children are spliced in */
	REFERENCES("(1 (2)(3))", { "Message-ID: <a@x>\r\n\r\n" },
		   { "Message-ID: <b@x>\r\nReferences: <a@x> <gone@x>\r\n\r\n" },
		   { "Message-ID: <c@x>\r\nReferences: <a@x> <gone@x>\r\n\r\n" });
	/* dummy below dummy */
	REFERENCES("((1)(2))", { "References: <g1@x> <g2@x> <g3@x>\r\n\r\n" },
		   { "References: <g1@x> <g2@x> <g4@x>\r\n\r\n" });
}

static void loops_are_not_made(void **state)
{
	REFERENCES("(2 1)", { "Message-ID: <a@x>\r\nReferences: <b@x>\r\n\r\n" },
		   { "Message-ID: <b@x>\r\nReferences: <a@x>\r\n\r\n" });
	REFERENCES("(1)", { "Message-ID: <a@x>\r\nReferences: <a@x>\r\n\r\n" });
	REFERENCES("(1)",
		   { "Message-ID: <a@x>\r\nReferences: <b@x> <a@x> <b@x>\r\n\r\n" });
}

static void its_own_references_decide_whatever_others_say(void **state)
{
	REFERENCES("(3 2 1)", { "Message-ID: <c@x>\r\nReferences: <z@x> <b@x>\r\n\r\n" },
		   { "Message-ID: <b@x>\r\nIn-Reply-To: <a@x>\r\n\r\n" },
		   { "Message-ID: <a@x>\r\n\r\n" });
}

static void a_second_message_of_an_id_is_its_own(void **state)
{
	REFERENCES("(1 3)(2)", { "Message-ID: <a@x>\r\n\r\n" },
		   { "Message-ID: <a@x>\r\n\r\n" },
		   { "Message-ID: <b@x>\r\nIn-Reply-To: <a@x>\r\n\r\n" });
}

static void ids_are_equal_however_quoted_and_differ_in_case(void **state)
{
	REFERENCES("(1 2)",
		   { "Message-ID: <\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>\r\n\r\n" },
		   { "References: <01KF8JCEOCBS0045PS@xxx.yyy.com>\r\n\r\n" });
	REFERENCES("(1)(2)", { "Message-ID: <a@x>\r\n\r\n" },
		   { "References: <A@x>\r\n\r\n" });
	REFERENCES("(1)(2)(3)", { "Message-ID: <a>\r\n\r\n" },
		   { "References: <a>\r\n\r\n" }, { "References: a@x <\r\n\r\n" });
}

static void in_reply_to_counts_only_without_references(void **state)
{
	REFERENCES("(1 3)(2)", { "Message-ID: <a@x>\r\n\r\n" },
		   { "Message-ID: <b@x>\r\n\r\n" },
		   { "References: <a@x>\r\nIn-Reply-To: <b@x>\r\n\r\n" });
	REFERENCES("(1 2)", { "Message-ID: <a@x>\r\n\r\n" },
		   { "References: none\r\nIn-Reply-To: \"Zoe\" <a@x> <b@x>\r\n\r\n" });
}

static void subjects_gather_threads(void **state)
{
	/* a reply goes below the original */
	REFERENCES("(1 2)", { "Subject: tea\r\n\r\n" }, { "Subject: Re: TEA\r\n\r\n" });
	REFERENCES("(2 1)", { "Subject: Re: tea\r\n\r\n" }, { "Subject: tea\r\n\r\n" });
	/* two originals become siblings below a dummy */
	REFERENCES("((1)(2))", { "Subject: tea\r\n\r\n" }, { "Subject: tea\r\n\r\n" });
	/* a third joins them */
	REFERENCES("((1)(2)(3))", { "Subject: tea\r\n\r\n" }, { "Subject: tea\r\n\r\n" },
		   { "Subject: Re: tea\r\n\r\n" });
	/* two dummies become one */
	REFERENCES("((1)(2)(3)(4))", { "Subject: tea\r\nReferences: <g@x>\r\n\r\n" },
		   { "Subject: tea\r\nReferences: <g@x>\r\n\r\n" },
		   { "Subject: tea\r\nReferences: <h@x>\r\n\r\n" },
		   { "Subject: tea\r\nReferences: <h@x>\r\n\r\n" });
	/* no subject, no gathering */
	REFERENCES("(1)(2)", { "Subject:\r\n\r\n" }, { "Subject: Re:\r\n\r\n" });
}

static void siblings_are_sorted_by_date_then_place(void **state)
{
	REFERENCES("(3)(1)(2)", { "Subject: a\r\n\r\n", 50 },
		   { "Subject: b\r\n\r\n", 50 }, { "Subject: c\r\n\r\n", 40 });
	REFERENCES("(1 (3)(2))", { "Message-ID: <a@x>\r\n\r\n", 1 },
		   { "In-Reply-To: <a@x>\r\n\r\n", 9 },
		   { "In-Reply-To: <a@x>\r\n\r\n", 8 });
}

static void ordered_subject_has_no_grandchildren(void **state)
{
	BY_SUBJECT("(1 (3)(4))(2)", { "Subject: tea\r\n\r\n" },
		   { "Subject: coffee\r\n\r\n" }, { "Subject: Re: tea\r\n\r\n" },
		   { "Subject: [list] tea (fwd)\r\n\r\n" });
	BY_SUBJECT("(2 1)(3)", { "Subject: tea\r\n\r\n", 9 },
		   { "Subject: tea\r\n\r\n", 2 }, { "Subject: milk\r\n\r\n", 5 });
	BY_SUBJECT("(1 2)", { "\r\n" }, { "Subject: Re:\r\n\r\n" });
}

static void fifty_thousand_deep_is_as_good_as_any(void **state)
{
	for (int down = 0; down < 2; down++) {
		struct threads *t = threads_new(THREAD_BY_REFERENCES,
						comparator_default(), 99);
		struct buf out = { 0 };
		char block[99];

		for (int i = 0; i < 50000; i++) {
			int k = down ? 50000 - i : i;

			snprintf(block, sizeof block,
				 "Message-ID: <%d@x>\r\nIn-Reply-To: <%d@x>\r\n\r\n", k,
				 k - 1);
			threads_add(t, (uint32_t)i + 1, i, span_str(block));
		}
		threads_print(t, &out);
		assert_memory_equal(out.p, down ? "(50000 49999" : "(1 2 3 4 5 6", 12);
		assert_int_equal(out.p[out.n - 1], ')');
		threads_free(t);
		buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_chain_is_one_list),
		cmocka_unit_test(children_that_come_first_are_put_below),
		cmocka_unit_test(several_children_nest),
		cmocka_unit_test(a_missing_parent_of_two_is_kept_of_one_is_not),
		cmocka_unit_test(loops_are_not_made),
		cmocka_unit_test(its_own_references_decide_whatever_others_say),
		cmocka_unit_test(a_second_message_of_an_id_is_its_own),
		cmocka_unit_test(ids_are_equal_however_quoted_and_differ_in_case),
		cmocka_unit_test(in_reply_to_counts_only_without_references),
		cmocka_unit_test(subjects_gather_threads),
		cmocka_unit_test(siblings_are_sorted_by_date_then_place),
		cmocka_unit_test(ordered_subject_has_no_grandchildren),
		cmocka_unit_test(fifty_thousand_deep_is_as_good_as_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
