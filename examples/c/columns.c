// A WASI command in C that calls a binding by the generic import. It answers with the rows as arrays and the columns' names and types.
//   clang --target=wasm32-wasi -O2 -o columns.wasm columns.c && pgfn deploy columns-c --wasm columns.wasm
#include <stdio.h>
#include "pgfn.h"

int main(void) {
    int status = pgfn("db.query", "{\"sql\":\"select email, created_at from examples.users order by email limit $1::int\",\"params\":[\"20\"]}");
    char *result = pgfn_result();
    if (status != PGFN_OK) {
        // {"name", "message", "code", ...}: for the log, not for the caller.
        pgfn_log(3, result, strlen(result));
        printf("{\"statusCode\":503,\"body\":{\"error\":\"The users can't be read just now.\"}}");
        return 0;
    }
    printf("{\"statusCode\":200,\"headers\":{\"cache-control\":\"no-store\"},\"body\":%s}", result);
    return 0;
}
