// A reactor in C: its initialisation runs once, at deploy, and each invocation finds the result in memory.
//   clang --target=wasm32-wasi -mexec-model=reactor -O2 -o reactor.wasm reactor.c && pgfn deploy reactor-c --wasm reactor.wasm
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "aerodb.h"

#define EXPORT(name) __attribute__((export_name(#name)))

static uint32_t primes[1000];
static int calls;

// Runs in _initialize.
__attribute__((constructor)) static void prepare(void) {
    for (uint32_t candidate = 2, found = 0; found < 1000; candidate++) {
        uint32_t i = 0;
        while (i < found && candidate % primes[i]) i++;
        if (i == found) primes[found++] = candidate;
    }
}

EXPORT(alloc) void *alloc(size_t length) { return malloc(length); }

EXPORT(handler) uint64_t handler(const char *event, size_t length) {
    char *answer = malloc(256);
    int greeting = aerodb_env("GREETING", 8) == AERODB_OK;
    int written = snprintf(answer, 256, "{\"prime\":%u,\"calls\":%d,\"event\":%zu,\"greeting\":\"%s\"}",
                           (unsigned)primes[999], ++calls, length, greeting ? aerodb_result() : "");
    return (uint64_t)(uintptr_t)answer << 32 | (uint32_t)written;
}
