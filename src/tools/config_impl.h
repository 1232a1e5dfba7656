/* Inside the configuration: what its parts share (config.c, config_*.c). */
#ifndef TOOLS_CONFIG_IMPL_H
#define TOOLS_CONFIG_IMPL_H

#include "tools/config_schema.h"

struct load {
	struct config *c;
	struct marks marks;
	struct buf *why;
};

/* ERR_INVAL, and "LINE:COLUMN: a sentence." of the value at that mark, or of the file. */
enum err config_refuse(struct load *l, const struct mark *m, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A path of the file, or the standard one; relative ones begin at DIR. */
const char *config_path(struct config *c, const char *written, const char *standard);
/* 1 to 32 lower-case letters, digits and "-". */
bool config_name_ok(const char *name);

/* config_database.c */
enum err config_databases(struct load *l, const struct raw_config *raw);

#endif
