/*
 * Replies in the language of the session (language.h): the tagged one of a command, untagged responses, errors as people
 * and programs read them (RFC 9051 section 7.1; codes RFC 5530).
 */
#ifndef SERVER_REPLY_H
#define SERVER_REPLY_H

#include "server/command.h"

/* Each sets the tagged reply and returns CMD_DONE. `code` is "NOPERM" or
 * "UIDNEXT 5", without brackets; NULL: none. `text` is a sentence without CRLF. */
enum verdict reply_ok(struct cmd *cmd, const char *code, const char *text);
enum verdict reply_no(struct cmd *cmd, const char *code, const char *text);
/* Counts as a bad command (limits). */
enum verdict reply_bad(struct cmd *cmd, const char *text);
enum verdict reply_bad_code(struct cmd *cmd, const char *code, const char *text);
/* BAD with what the cursor stumbled over. */
enum verdict reply_syntax(struct cmd *cmd);
/* OK with the usual text "NAME completed." */
enum verdict reply_done(struct cmd *cmd);
/* The same with a code; NULL: none. */
enum verdict reply_done_code(struct cmd *cmd, const char *code);
/* NO with the code and sentence that fit a store or auth error. */
enum verdict reply_err(struct cmd *cmd, enum err e);
/* As reply_err, but ERR_NOENT is NO [TRYCREATE] (APPEND, COPY, MOVE). */
enum verdict reply_err_target(struct cmd *cmd, enum err e);
/* "* OK [code] text" */
void untagged_ok(struct cmd *cmd, const char *code, const char *text);
/* "* BYE text" */
void untagged_bye(struct cmd *cmd, const char *text);
/* "* <words>" CRLF, printf-like. */
void untagged(struct cmd *cmd, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* "+ text" CRLF, flushed; what people read goes through language_text() before. */
/* The NAMESPACE response (ext_namespace.c). */
void namespace_put(struct cmd *cmd);
void continuation(struct cmd *cmd, struct span text);

#endif
