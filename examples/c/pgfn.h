// The imports by which modules call the sidecar: docs/wasm-abi.md.
#pragma once
#include <stdlib.h>
#include <string.h>

#define PGFN(name) __attribute__((import_module("pgfn"), import_name(#name)))

enum { PGFN_OK, PGFN_FAILED, PGFN_NOT_FOUND, PGFN_FAULT };

// Runs an operation of a binding, "db.query" for instance, with its arguments as JSON and the bytes that belong to it.
PGFN(call) int pgfn_call(const char *name, size_t name_length, const char *arguments, size_t arguments_length, const void *body, size_t body_length);

// The result is the value of a variable or secret.
PGFN(env) int pgfn_env(const char *name, size_t length);

// Levels: 0 debug, 1 info, 2 warn, 3 error.
PGFN(log) int pgfn_log(int level, const char *text, size_t length);

// The host keeps the result and the body of the last call until the next one. They can be read whole or in pieces.
PGFN(result_len) size_t pgfn_result_len(void);
PGFN(result_read) int pgfn_result_read(size_t offset, void *buffer, size_t length);
PGFN(body_len) size_t pgfn_body_len(void);
PGFN(body_read) int pgfn_body_read(size_t offset, void *buffer, size_t length);

// Calls an operation that needs no body.
static inline int pgfn(const char *name, const char *arguments) {
    return pgfn_call(name, strlen(name), arguments, strlen(arguments), 0, 0);
}

// The last result as a text that ends with a zero. It belongs to the caller; nothing has to be freed before an invocation ends.
static inline char *pgfn_result(void) {
    size_t length = pgfn_result_len();
    char *text = malloc(length + 1);
    if (!text) abort();
    pgfn_result_read(0, text, length);
    text[length] = 0;
    return text;
}
