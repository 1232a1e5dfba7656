/* Marks: one pass over libyaml's events with the path in hand. */
#include "tools/config_marks.h"

#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

enum { DEPTH_MAX = 6, PATH_MAX_BYTES = 256, MARKS_MAX = 100000 };

struct level {
	bool is_list;
	bool has_key;	 /* in a mapping: the value comes next */
	size_t path_n;	 /* bytes of the path of the collection itself */
	size_t entry;	 /* of a list */
	yaml_mark_t key; /* of the entry that is being read */
};

struct walk {
	struct arena *arena;
	struct buf *why;
	struct mark *at;
	size_t n, cap;
	struct level level[DEPTH_MAX];
	size_t depth;
	char path[PATH_MAX_BYTES];
	size_t path_n;
	unsigned documents;
};

static enum err refuse(struct walk *w, yaml_mark_t m, const char *what)
{
	buf_printf(w->why, "%zu:%zu: %s.", m.line + 1, m.column + 1, what);
	return ERR_INVAL;
}

static bool path_add(struct walk *w, const char *text, size_t n)
{
	if (n >= sizeof w->path - w->path_n)
		return false;
	memcpy(w->path + w->path_n, text, n);
	w->path_n += n;
	w->path[w->path_n] = 0;
	return true;
}

static enum err add_mark(struct walk *w, const yaml_event_t *e, yaml_mark_t key)
{
	if (w->n == MARKS_MAX)
		return refuse(w, e->start_mark, "There is too much in this file");
	if (w->n == w->cap) {
		w->cap = w->cap ? w->cap * 2 : 64;
		w->at = xrealloc(w->at, w->cap * sizeof *w->at);
	}
	bool is_text = e->type == YAML_SCALAR_EVENT;
	w->at[w->n++] = (struct mark){
		.path = arena_strdup(w->arena, w->path),
		.text = is_text
			    ? arena_strdup(w->arena, (const char *)e->data.scalar.value)
			    : NULL,
		.line = e->start_mark.line + 1,
		.column = e->start_mark.column + 1,
		.key_line = key.line + 1,
		.key_column = key.column + 1,
	};
	return ERR_OK;
}

/* A key of a mapping: becomes the end of the path. */
static enum err take_key(struct walk *w, const yaml_event_t *e)
{
	struct level *l = &w->level[w->depth - 1];
	if (e->type != YAML_SCALAR_EVENT)
		return refuse(w, e->start_mark, "A key must be a word");
	w->path_n = l->path_n;
	if ((l->path_n && !path_add(w, ".", 1)) ||
	    !path_add(w, (const char *)e->data.scalar.value, e->data.scalar.length))
		return refuse(w, e->start_mark, "This key is too long");
	l->key = e->start_mark;
	l->has_key = true;
	return ERR_OK;
}

/* A value begins: its path is complete and is marked. */
static enum err begin_value(struct walk *w, const yaml_event_t *e)
{
	yaml_mark_t key = e->start_mark;
	if (w->depth) {
		struct level *l = &w->level[w->depth - 1];
		if (l->is_list) {
			char index[32];
			int n = snprintf(index, sizeof index, "[%zu]", l->entry++);
			w->path_n = l->path_n;
			if (!path_add(w, index, (size_t)n))
				return refuse(w, e->start_mark,
					      "This is nested too deep");
		} else {
			key = l->key;
			l->has_key = false;
		}
	}
	return w->depth ? add_mark(w, e, key) : ERR_OK;
}

static enum err begin_level(struct walk *w, const yaml_event_t *e, bool is_list)
{
	if (w->depth == DEPTH_MAX)
		return refuse(w, e->start_mark, "This is nested too deep");
	w->level[w->depth++] = (struct level){ .is_list = is_list,
					       .path_n = w->path_n,
					       .key = e->start_mark };
	return ERR_OK;
}

static enum err take_value(struct walk *w, const yaml_event_t *e)
{
	if (w->depth && !w->level[w->depth - 1].is_list &&
	    !w->level[w->depth - 1].has_key)
		return take_key(w, e);
	enum err rc = begin_value(w, e);
	if (rc != ERR_OK || e->type == YAML_SCALAR_EVENT)
		return rc;
	return begin_level(w, e, e->type == YAML_SEQUENCE_START_EVENT);
}

static enum err take_event(struct walk *w, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		return w->documents++
			   ? refuse(w, e->start_mark, "A second document begins")
			   : ERR_OK;
	case YAML_ALIAS_EVENT:
		return refuse(w, e->start_mark, "Anchors and aliases are not used here");
	case YAML_SCALAR_EVENT:
		if (memchr(e->data.scalar.value, 0, e->data.scalar.length))
			return refuse(w, e->start_mark, "There is a NUL in this value");
		return take_value(w, e);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT: return take_value(w, e);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT: w->depth--; return ERR_OK;
	default: return ERR_OK;
	}
}

static enum err not_yaml(struct walk *w, const yaml_parser_t *p)
{
	yaml_mark_t m = p->problem_mark;
	/* the reader (encoding) counts bytes only */
	if (p->error == YAML_READER_ERROR)
		buf_printf(w->why, "1:1: This is not text in UTF-8 (byte %zu).",
			   p->problem_offset);
	else
		buf_printf(w->why, "%zu:%zu: This is not YAML: %s%s%s.", m.line + 1,
			   m.column + 1, p->context ? p->context : "",
			   p->context ? ", " : "",
			   p->problem ? p->problem : "unknown fault");
	return ERR_INVAL;
}

enum err marks_read(struct arena *a, struct span text, struct marks *ret,
		    struct buf *ret_why)
{
	struct walk w = { .arena = a, .why = ret_why };
	enum err rc = ERR_OK;
	yaml_parser_t parser;
	bool is_over = false;
	if (!yaml_parser_initialize(&parser))
		return ERR_IO;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
	    &parser, (const unsigned char *)(text.n ? text.p : ""), text.n);
	while (rc == ERR_OK && !is_over) {
		yaml_event_t e;
		if (!yaml_parser_parse(&parser, &e)) {
			rc = not_yaml(&w, &parser);
			break;
		}
		is_over = e.type == YAML_STREAM_END_EVENT;
		rc = take_event(&w, &e);
		yaml_event_delete(&e);
	}
	yaml_parser_delete(&parser);
	if (rc == ERR_OK) {
		struct mark *at = arena_array(a, w.n, sizeof *at);
		if (w.n)
			memcpy(at, w.at, w.n * sizeof *at);
		*ret = (struct marks){ at, w.n };
	}
	free(w.at);
	return rc;
}

const struct mark *marks_find(const struct marks *m, const char *fmt, ...)
{
	char path[PATH_MAX_BYTES];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(path, sizeof path, fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->at[i].path, path) == 0)
			return &m->at[i];
	return NULL;
}
