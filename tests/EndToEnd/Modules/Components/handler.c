// Answers requests. The path says how; most are attacks on the host.
#include "wasi.h"

#define HTTP "wasi:http/types@0.2.0"
#define STREAMS "wasi:io/streams@0.2.0"
#define CLOCK "wasi:clocks/monotonic-clock@0.2.0"

IMPORT(HTTP, "[constructor]fields") int32_t fields_new(void);
IMPORT(HTTP, "[method]fields.append") void fields_append(int32_t, const char *, int32_t, const char *, int32_t, void *);
IMPORT(HTTP, "[method]fields.entries") void fields_entries(int32_t, void *);
IMPORT(HTTP, "[method]fields.get") void fields_get(int32_t, const char *, int32_t, void *);
IMPORT(HTTP, "[method]incoming-request.method") void request_method(int32_t, void *);
IMPORT(HTTP, "[method]incoming-request.path-with-query") void request_path(int32_t, void *);
IMPORT(HTTP, "[method]incoming-request.headers") int32_t request_headers(int32_t);
IMPORT(HTTP, "[method]incoming-request.consume") void request_consume(int32_t, void *);
IMPORT(HTTP, "[method]incoming-body.stream") void body_stream(int32_t, void *);
IMPORT(HTTP, "[constructor]outgoing-response") int32_t response_new(int32_t);
IMPORT(HTTP, "[method]outgoing-response.set-status-code") int32_t response_set_status(int32_t, int32_t);
IMPORT(HTTP, "[method]outgoing-response.body") void response_body(int32_t, void *);
IMPORT(HTTP, "[method]outgoing-body.write") void body_write(int32_t, void *);
IMPORT(HTTP, "[static]outgoing-body.finish") void body_finish(int32_t, int32_t, int32_t, void *);
IMPORT(HTTP, "[static]response-outparam.set") void outparam_set(int32_t, int32_t, int32_t, int32_t, int32_t, int32_t);
IMPORT(HTTP, "[constructor]outgoing-request") int32_t outgoing_new(int32_t);
IMPORT(HTTP, "[method]outgoing-request.set-method") int32_t outgoing_set_method(int32_t, int32_t, int32_t, int32_t);
IMPORT(HTTP, "[method]outgoing-request.set-authority") int32_t outgoing_set_authority(int32_t, int32_t, const char *, int32_t);
IMPORT(HTTP, "[method]outgoing-request.set-scheme") int32_t outgoing_set_scheme(int32_t, int32_t, int32_t, int32_t, int32_t);
IMPORT(HTTP, "[method]outgoing-request.set-path-with-query") int32_t outgoing_set_path(int32_t, int32_t, const char *, int32_t);
IMPORT(HTTP, "[method]outgoing-request.body") void outgoing_body(int32_t, void *);
IMPORT("wasi:http/outgoing-handler@0.2.0", "handle") void outgoing_handle(int32_t, int32_t, int32_t, void *);
IMPORT(HTTP, "[method]future-incoming-response.subscribe") int32_t future_subscribe(int32_t);
IMPORT(HTTP, "[method]future-incoming-response.get") void future_get(int32_t, void *);
IMPORT(HTTP, "[method]incoming-response.status") int32_t response_status(int32_t);
IMPORT(HTTP, "[resource-drop]incoming-response") void arrived_drop(int32_t);
IMPORT(HTTP, "[method]incoming-response.consume") void response_consume(int32_t, void *);
IMPORT(STREAMS, "[method]input-stream.blocking-read") void stream_read(int32_t, int64_t, void *);
IMPORT(STREAMS, "[method]output-stream.blocking-write-and-flush") void stream_write(int32_t, const char *, int32_t, void *);
IMPORT(STREAMS, "[resource-drop]output-stream") void stream_drop(int32_t);
IMPORT("wasi:cli/stderr@0.2.0", "get-stderr") int32_t get_stderr(void);
IMPORT("wasi:cli/environment@0.2.0", "get-environment") void get_environment(void *);
IMPORT(CLOCK, "subscribe-duration") int32_t subscribe_duration(int64_t);
IMPORT("wasi:io/poll@0.2.0", "[method]pollable.block") void pollable_block(int32_t);
IMPORT("wasi:io/poll@0.2.0", "poll") void poll(void *, int32_t, void *);
IMPORT("wasi:random/random@0.2.0", "get-random-bytes") void random_bytes(int64_t, void *);

static text path;
static int32_t response, body, out_stream;

static int asks(const char *name, int32_t length) {
  return path.length >= length && starts(path.data, name, length);
}
#define ASKS(name) asks(name, LENGTH(name))

static void begin(int32_t out, int32_t status) {
  int32_t result[8], headers = fields_new();
  fields_append(headers, "X-Made-By", 9, "component", 9, result);
  response = response_new(headers);
  response_set_status(response, status);
  response_body(response, result);
  body = result[1];
  body_write(body, result);
  out_stream = result[1];
  outparam_set(out, 0, response, 0, 0, 0);
}

static void write(const char *data, int32_t length) {
  int32_t result[4];
  stream_write(out_stream, data, length, result);
}

static void end(void) {
  int32_t result[8];
  stream_drop(out_stream);
  body_finish(body, 0, 0, result);
}

static void copy(int32_t incoming_body) {
  int32_t stream[2];
  body_stream(incoming_body, stream);
  for (text_result part; stream_read(stream[1], 4096, &part), !part.is_error;) write(part.value.data, part.value.length);
}

static int32_t deep(int32_t n) {
  volatile char space[1024];
  space[n & 1023] = (char)n;
  return deep(n + 1) + space[n & 1023];
}

/* /fetch/host/path: requests http://host/path with the request's body and answers with the response. */
static void fetch(int32_t incoming, int32_t out, int is_finished) {
  int32_t result[16];
  int host_end = 7;
  while (host_end < path.length && path.data[host_end] != '/') host_end++;
  int32_t request = outgoing_new(fields_new());
  outgoing_set_method(request, 2, 0, 0);
  outgoing_set_scheme(request, 1, 0, 0, 0);
  outgoing_set_authority(request, 1, path.data + 7, host_end - 7);
  outgoing_set_path(request, 1, path.data + host_end, path.length - host_end);
  outgoing_body(request, result);
  int32_t request_body = result[1];
  outgoing_handle(request, 0, 0, result);
  int32_t future = result[1];
  body_write(request_body, result);
  out_stream = result[1];
  request_consume(incoming, result);
  copy(result[1]);
  stream_drop(out_stream);
  if (is_finished) body_finish(request_body, 0, 0, result);
  pollable_block(future_subscribe(future));
  /* option<result<result<incoming-response, error-code>>> */
  future_get(future, result);
  if (CASE(result[2]) != 0) {
    begin(out, 502);
    write(CASE(result[3]) == 0 ? "denied" : CASE(result[3]) == 1 ? "late.." : "failed", 6);
    end();
    return;
  }
  int32_t arrived = result[3];
  begin(out, response_status(arrived));
  response_consume(arrived, result);
  copy(result[1]);
  end();
}

/* /drop/host/path: makes more requests than may be open, and drops their responses unread. */
static void drop_responses(int32_t out) {
  int32_t result[16];
  int host_end = 6;
  while (host_end < path.length && path.data[host_end] != '/') host_end++;
  for (int count = 0; count < 40; count++) {
    int32_t request = outgoing_new(fields_new());
    outgoing_set_scheme(request, 1, 0, 0, 0);
    outgoing_set_authority(request, 1, path.data + 6, host_end - 6);
    outgoing_set_path(request, 1, path.data + host_end, path.length - host_end);
    outgoing_handle(request, 0, 0, result);
    int32_t future = result[1];
    pollable_block(future_subscribe(future));
    future_get(future, result);
    if (CASE(result[2]) != 0) return begin(out, 502), end();
    arrived_drop(result[3]);
  }
  begin(out, 200);
  end();
}

EXPORT("wasi:http/incoming-handler@0.2.0#handle") void handle(int32_t request, int32_t out) {
  int32_t result[16];
  struct { int32_t is_some; text value; } given;
  request_path(request, &given);
  path = given.value;
  if (ASKS("/fetch/")) return fetch(request, out, 1);
  if (ASKS("/drop/")) return drop_responses(out);
  if (ASKS("/never")) return fetch(request, out, 0);
  if (ASKS("/silent")) return;
  if (ASKS("/loop")) for (volatile int i = 0;; i++);
  if (ASKS("/fill")) for (volatile int i = 0;; i++) __builtin_memset((void *)1024, i, 60000);
  if (ASKS("/sleep")) pollable_block(subscribe_duration(3600000000000LL));
  if (ASKS("/nap")) pollable_block(subscribe_duration(1000000LL));
  if (ASKS("/stack")) deep(0);
  if (ASKS("/memory")) for (;;) allocate(1 << 20, 8);
  if (ASKS("/random")) random_bytes(1LL << 40, result);
  if (ASKS("/poll-nothing")) poll(0, 0, result);
  if (ASKS("/poll-many")) poll(0, 2000000, result);
  if (ASKS("/pollables")) for (;;) subscribe_duration(0);
  if (ASKS("/streams")) for (;;) get_stderr();
  if (ASKS("/handle")) stream_write(4711, "x", 1, result);
  if (ASKS("/wrong-kind")) stream_write(request, "x", 1, result);
  if (ASKS("/headers")) for (int32_t fields = fields_new();;) fields_append(fields, "name", 4, "value", 5, result);
  if (ASKS("/many-headers"))
    for (char *value = __builtin_memset(allocate(60000, 1), 'x', 60000);;) fields_append(fields_new(), "name", 4, value, 60000, result);
  if (ASKS("/log")) for (int32_t stream = get_stderr();;) stream_write(stream, "line\n", 5, result);
  begin(out, 201);
  if (ASKS("/twice")) outparam_set(out, 0, response, 0, 0, 0);
  if (ASKS("/drop-twice")) stream_drop(out_stream), stream_drop(out_stream);
  if (ASKS("/use-dropped")) stream_drop(out_stream), write("x", 1);
  if (ASKS("/long-list")) write(0, 130000);
  if (ASKS("/longer-list")) allocate(8 << 20, 8), write(0, 8 << 20);
  if (ASKS("/outside")) write((char *)0x7fffff00, 4096);
  if (ASKS("/beyond")) write((char *)16, -1);
  if (ASKS("/endless")) for (;;) write((char *)16, 60000);
  if (ASKS("/half")) { write("half", 4); return; }
  if (ASKS("/trap")) { write("half", 4); __builtin_trap(); }
  if (ASKS("/variable")) {
    struct { struct { text name, value; } *items; int32_t length; } variables;
    get_environment(&variables);
    write(variables.items[0].value.data, variables.items[0].value.length);
  } else if (ASKS("/header")) {
    struct { text *items; int32_t length; } values;
    fields_get(request_headers(request), "X-Asked", 7, &values);
    write(values.items[0].data, values.items[0].length);
  } else {
    request_method(request, result);
    write(CASE(result[0]) == 2 ? "post " : "get ", CASE(result[0]) == 2 ? 5 : 4);
    write(path.data, path.length);
    write(" ", 1);
    request_consume(request, result);
    copy(result[1]);
  }
  end();
}
