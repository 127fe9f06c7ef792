// A WASI command in C: it reads the event from the standard input, and writes the answer to the standard output and the log to the standard error.
//   clang --target=wasm32-wasi -O2 -o hello.wasm hello.c && pgfn deploy hello-c --wasm hello.wasm
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char event[1 << 20];

int main(int argc, char **argv) {
    size_t length = fread(event, 1, sizeof event - 1, stdin);
    const char *greeting = getenv("GREETING");
    fprintf(stderr, "%s got %zu bytes\n", argv[0], length);
    printf("{\"statusCode\":200,\"headers\":{\"x-language\":\"c\"},\"body\":{\"message\":\"%s from %s\",\"bytes\":%zu,\"isPost\":%s}}\n",
           greeting ? greeting : "Hello", argv[0], length, strstr(event, "\"method\":\"POST\"") ? "true" : "false");
    return 0;
}
