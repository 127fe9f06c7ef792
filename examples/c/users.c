// A WASI command in C that queries the database, as the caller and under the caller's row-level security, and answers HTTP.
//   clang --target=wasm32-wasi -O2 -o users.wasm users.c && pgfn deploy users-c --wasm users.wasm
#include <stdio.h>
#include <string.h>
#include "aerodb.h"

static const char sql[] = "select id, email from examples.users where created_at < $1 order by email limit 20";
static const char parameters[] = "[\"infinity\"]";

int main(void) {
    int status = aerodb_db_query(sql, sizeof sql - 1, parameters, sizeof parameters - 1);
    char *result = aerodb_result();
    if (status != AERODB_OK) {
        // {"name", "message", "code", ...}: for the log, not for the caller.
        aerodb_log(3, result, strlen(result));
        printf("{\"statusCode\":503,\"body\":{\"error\":\"The users can't be read just now.\"}}");
        return 0;
    }
    printf("{\"statusCode\":200,\"headers\":{\"cache-control\":\"no-store\"},\"body\":%s}", result);
    return 0;
}
