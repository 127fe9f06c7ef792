// Answers with the length of its input, its first argument and variable, and how many directories it has; logs a line.
#include "wasi.h"

IMPORT("wasi:cli/environment@0.2.3", "get-arguments") void get_arguments(void *);
IMPORT("wasi:cli/environment@0.2.3", "get-environment") void get_environment(void *);
IMPORT("wasi:cli/stdin@0.2.3", "get-stdin") int32_t get_stdin(void);
IMPORT("wasi:cli/stdout@0.2.3", "get-stdout") int32_t get_stdout(void);
IMPORT("wasi:cli/stderr@0.2.3", "get-stderr") int32_t get_stderr(void);
IMPORT("wasi:cli/exit@0.2.3", "exit") void cli_exit(int32_t);
IMPORT("wasi:filesystem/preopens@0.2.3", "get-directories") void get_directories(void *);
IMPORT("wasi:io/streams@0.2.3", "[method]input-stream.blocking-read") void stream_read(int32_t, int64_t, void *);
IMPORT("wasi:io/streams@0.2.3", "[method]output-stream.blocking-write-and-flush") void stream_write(int32_t, const char *, int32_t, void *);

static void write(int32_t stream, const char *data, int32_t length) {
  int32_t result[4];
  stream_write(stream, data, length, result);
}

static void write_number(int32_t stream, uint32_t number) {
  char digits[12];
  int at = 12;
  do digits[--at] = '0' + number % 10; while (number /= 10);
  write(stream, digits + at, 12 - at);
}

EXPORT("wasi:cli/run@0.2.3#run") int32_t run(void) {
  int32_t in = get_stdin(), out = get_stdout(), errors = get_stderr();
  uint32_t total = 0;
  text event = {0, 0};
  for (text_result part; stream_read(in, 100000, &part), !part.is_error; total += part.value.length)
    if (!total) event = part.value;
  struct { text *items; int32_t length; } arguments;
  get_arguments(&arguments);
  struct { struct { text name, value; } *items; int32_t length; } variables;
  get_environment(&variables);
  int32_t directories[2];
  get_directories(directories);
  write(errors, "running\n", LENGTH("running\n"));
  // An event with "exit" ends by an exit, one with "fail" by an error.
  for (int i = 0; i + 4 < event.length; i++) {
    if (starts(event.data + i, "exit", 4)) cli_exit(1);
    if (starts(event.data + i, "fail", 4)) return 1;
  }
  write(out, "{\"length\":", LENGTH("{\"length\":"));
  write_number(out, total);
  write(out, ",\"name\":\"", LENGTH(",\"name\":\""));
  write(out, arguments.items[0].data, arguments.items[0].length);
  write(out, "\",\"variable\":\"", LENGTH("\",\"variable\":\""));
  if (variables.length) write(out, variables.items[0].value.data, variables.items[0].value.length);
  write(out, "\",\"directories\":", LENGTH("\",\"directories\":"));
  write_number(out, directories[1]);
  write(out, "}", 1);
  return 0;
}
