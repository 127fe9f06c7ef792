// The older imports by which modules call the sidecar, one for each operation (docs/wasm-abi.md). pgfn.h declares the generic one.
#pragma once
#include <stdlib.h>

#define AERODB(name) __attribute__((import_module("aerodb"), import_name(#name)))

enum { AERODB_OK, AERODB_FAILED, AERODB_NOT_FOUND, AERODB_FAULT };

// sql with $1, $2 ...; parameters: a JSON array, or 0 bytes. The result is {"command", "rowCount", "rows": [{column: value}]}.
AERODB(db_query) int aerodb_db_query(const char *sql, size_t sql_length, const char *parameters, size_t parameters_length);

// Statements between them run in one transaction, which an invocation that ends without db_commit rolls back.
AERODB(db_begin) int aerodb_db_begin(void);
AERODB(db_commit) int aerodb_db_commit(void);
AERODB(db_rollback) int aerodb_db_rollback(void);

// request: {"url", "method", "headers"}. The result is {"status", "headers", ...}; the response's body is the body.
AERODB(http_fetch) int aerodb_http_fetch(const char *request, size_t request_length, const void *body, size_t body_length);

// The result is the value of a variable or secret.
AERODB(env) int aerodb_env(const char *name, size_t length);

// Levels: 0 debug, 1 info, 2 warn, 3 error.
AERODB(log) int aerodb_log(int level, const char *text, size_t length);

// The host keeps the result and the body of the last call until the next one. They can be read whole or in pieces.
AERODB(result_len) size_t aerodb_result_len(void);
AERODB(result_read) int aerodb_result_read(size_t offset, void *buffer, size_t length);
AERODB(body_len) size_t aerodb_body_len(void);
AERODB(body_read) int aerodb_body_read(size_t offset, void *buffer, size_t length);

// The last result as a text that ends with a zero. It belongs to the caller; nothing has to be freed before an invocation ends.
static inline char *aerodb_result(void) {
    size_t length = aerodb_result_len();
    char *text = malloc(length + 1);
    if (!text) abort();
    aerodb_result_read(0, text, length);
    text[length] = 0;
    return text;
}
