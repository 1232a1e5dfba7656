/* mailstile backup: copies of a site's mail, taken while it is served (doc/backup.md). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/backup.h"
#include "tools/subcommand.h"

static const char help[] =
    "usage: mailstile backup DIR TO [--keep N]\n"
    "       mailstile backup --list TO\n"
    "       mailstile backup --verify TO [NAME]\n\n"
    "Backs up the mail of the site DIR, its users and its configuration into the\n"
    "folder TO, which is made if it is not there. The server may run. Each backup\n"
    "is whole by itself and named by its time; what has not changed since the last\n"
    "one is not copied again. Keys of certificates are not backed up.\n\n"
    "  --keep N  afterwards removes all but the newest N backups\n"
    "  --list    the backups in TO, oldest first: name, files, bytes\n"
    "  --verify  reads all of a backup, the newest or NAME, compares checksums and\n"
    "            checks every invariant of the store in it\n";

static void print_bytes(uint64_t bytes)
{
	static const char *const unit[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	double v = (double)bytes;
	int i = 0;
	for (; v >= 1024 && i < 4; i++)
		v /= 1024;
	printf(i ? "%.1f %s" : "%.0f %s", v, unit[i]);
}

/* ---- list ---- */

static int list(const char *to)
{
	struct arena *a = arena_new(NULL);
	struct buf why = { 0 };
	const char **name;
	size_t n;
	bool is_ok = backup_names(a, to, &name, &n, &why);
	for (size_t i = 0; i < n && is_ok; i++) {
		struct manifest m;
		is_ok = manifest_read(arena_printf(a, "%s/%s", to, name[i]), &m, &why) ==
			ERR_OK;
		if (is_ok)
			printf("%s\t%zu\t%llu\n", name[i], m.n,
			       (unsigned long long)m.bytes);
		manifest_done(&m);
	}
	arena_free(a);
	if (!is_ok)
		return tool_fail_buf(&cmd_backup, &why);
	return EXIT_DONE;
}

/* ---- verify ---- */

struct verifying {
	struct arena *arena;
	const char *dir;
	unsigned faults;
};

static void fault(void *arg, const char *sentence)
{
	struct verifying *v = arg;
	printf("%s\n", sentence);
	v->faults++;
}

static void fault_buf(struct verifying *v, struct buf *why)
{
	buf_putc(why, '\0');
	fault(v, buf_span(why).p);
	buf_done(why);
}

static void verify_file(struct verifying *v, const struct backup_file *want)
{
	const char *path = arena_printf(v->arena, "%s/%s", v->dir, want->path);
	struct backup_file f;
	struct buf why = { 0 };
	if (!file_sum(path, &f, &why)) {
		fault_buf(v, &why);
	} else if (f.bytes != want->bytes || f.crc != want->crc) {
		buf_printf(&why,
			   "%s is damaged: its checksum is not that of the manifest.",
			   path);
		fault_buf(v, &why);
	}
}

static void verify_store(struct verifying *v, uint64_t *accounts, uint64_t *messages)
{
	struct buf why = { 0 };
	struct backup_store s;
	const struct config none = { .store_engine = "rocks", .has_body_index = true };
	const char *dir = arena_printf(v->arena, "%s/store", v->dir);
	if (!backup_store_open(&s, &none, dir, ENGINE_READ_ONLY, &why)) {
		fault_buf(v, &why);
		return;
	}
	enum err rc = store_check(s.store, fault, v, accounts, messages);
	if (rc != ERR_OK && rc != ERR_CORRUPT) {
		buf_printf(&why, "The store in %s could not be checked: %s.", v->dir,
			   err_text(rc));
		fault_buf(v, &why);
	}
	backup_store_close(&s);
}

static int verify(const char *to, const char *name)
{
	struct verifying v = { .arena = arena_new(NULL) };
	struct buf why = { 0 };
	struct manifest m = { 0 };
	uint64_t accounts = 0, messages = 0;
	v.dir = backup_find(v.arena, to, name, &why);
	if (!v.dir || manifest_read(v.dir, &m, &why) != ERR_OK)
		fault_buf(&v, &why);
	for (size_t i = 0; i < m.n && !backup_is_stopped(); i++)
		verify_file(&v, &m.file[i]);
	if (m.is_whole && !backup_is_stopped())
		verify_store(&v, &accounts, &messages);
	if (v.faults)
		printf("%u fault%s.\n", v.faults, v.faults == 1 ? "" : "s");
	else
		printf("%s is sound: %llu accounts, %llu messages.\n", v.dir,
		       (unsigned long long)accounts, (unsigned long long)messages);
	if (m.arena)
		manifest_done(&m);
	arena_free(v.arena);
	return v.faults ? EXIT_FAILED : EXIT_DONE;
}

/* ---- taking one ---- */

static int take(const char *dir, const char *to, uint64_t keep)
{
	struct config *c = NULL;
	struct buf why = { 0 };
	struct backup_taken t;
	umask(077);
	if (config_load(dir, &c, &why) != ERR_OK || !backup_take(c, to, keep, &t, &why)) {
		config_free(c);
		return tool_fail_buf(&cmd_backup, &why);
	}
	config_free(c);
	printf("%s: %llu files, ", t.name, (unsigned long long)t.files);
	print_bytes(t.bytes);
	printf("; copied %llu files, %llu bytes.\n", (unsigned long long)t.copied_files,
	       (unsigned long long)t.copied_bytes);
	return EXIT_DONE;
}

static int run(int argc, char **argv)
{
	bool is_list = false, is_verify = false;
	const char *keep = NULL, *word[2] = { NULL, NULL };
	const struct tool_option options[] = { { "list", NULL, &is_list },
					       { "verify", NULL, &is_verify },
					       { "keep", &keep, NULL },
					       { 0 } };
	struct buf why = { 0 };
	uint64_t n_keep = 0;
	size_t n;
	if (!tool_options(argc, argv, options, word, "TO", 2, &n, &why))
		return tool_usage_buf(&cmd_backup, &why);
	if (keep && (!span_u64(span_str(keep), UINT32_MAX, &n_keep) || n_keep == 0))
		return tool_usage(&cmd_backup, "--keep needs a number from 1.");
	backup_signals();
	if (is_list && is_verify)
		return tool_usage(&cmd_backup, "--list or --verify, not both.");
	if ((is_list || is_verify) && keep)
		return tool_usage(&cmd_backup, "--keep goes with taking a backup.");
	if (is_list)
		return n == 1 ? list(word[0])
			      : tool_usage(&cmd_backup, "--list takes TO alone.");
	if (is_verify)
		return verify(word[0], word[1]);
	if (n < 2)
		return tool_usage(&cmd_backup, "TO is missing: where the backup goes.");
	return take(word[0], word[1], n_keep);
}

const struct subcommand cmd_backup = {
	.name = "backup",
	.summary = "backs up a site, also while it is served",
	.help = help,
	.run = run,
};
