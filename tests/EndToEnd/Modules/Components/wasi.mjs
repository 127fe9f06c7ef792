// Makes a component of a module in C, or of a text of the component model.
//   node wasi.mjs embed world module.wasm component.wasm
//   node wasi.mjs parse component.wat component.wasm
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(join(here, '../../servers/package.json'));
const tools = await import(pathToFileURL(join(dirname(require.resolve('@bytecodealliance/jco-transpile')), 'wasm-tools.js')).href);

/** The interfaces of WASI, of one version: only what the tests use. */
const interfaces = (version) => `
package wasi:io@${version} {
  interface error { resource error; }
  interface poll {
    resource pollable { ready: func() -> bool; block: func(); }
    poll: func(in: list<borrow<pollable>>) -> list<u32>;
  }
  interface streams {
    use error.{error};
    use poll.{pollable};
    variant stream-error { last-operation-failed(error), closed }
    resource input-stream {
      blocking-read: func(len: u64) -> result<list<u8>, stream-error>;
      subscribe: func() -> pollable;
    }
    resource output-stream {
      check-write: func() -> result<u64, stream-error>;
      write: func(contents: list<u8>) -> result<_, stream-error>;
      blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
    }
  }
}
package wasi:clocks@${version} {
  interface monotonic-clock {
    use wasi:io/poll@${version}.{pollable};
    now: func() -> u64;
    subscribe-duration: func(when: u64) -> pollable;
  }
}
package wasi:random@${version} {
  interface random { get-random-bytes: func(len: u64) -> list<u8>; get-random-u64: func() -> u64; }
}
package wasi:filesystem@${version} {
  interface types { resource descriptor { sync: func(); } }
  interface preopens {
    use types.{descriptor};
    get-directories: func() -> list<tuple<descriptor, string>>;
  }
}
package wasi:cli@${version} {
  interface environment { get-environment: func() -> list<tuple<string, string>>; get-arguments: func() -> list<string>; }
  interface exit { exit: func(status: result); }
  interface stdin { use wasi:io/streams@${version}.{input-stream}; get-stdin: func() -> input-stream; }
  interface stdout { use wasi:io/streams@${version}.{output-stream}; get-stdout: func() -> output-stream; }
  interface stderr { use wasi:io/streams@${version}.{output-stream}; get-stderr: func() -> output-stream; }
  interface run { run: func() -> result; }
}
package wasi:http@${version} {
  interface types {
    use wasi:io/streams@${version}.{input-stream, output-stream};
    use wasi:io/poll@${version}.{pollable};
    variant method { get, head, post, put, delete, connect, options, trace, patch, other(string) }
    variant scheme { HTTP, HTTPS, other(string) }
    variant error-code { HTTP-request-denied, HTTP-response-timeout, internal-error(option<string>) }
    variant header-error { invalid-syntax, forbidden, immutable }
    resource fields {
      constructor();
      append: func(name: string, value: list<u8>) -> result<_, header-error>;
      entries: func() -> list<tuple<string, list<u8>>>;
      get: func(name: string) -> list<list<u8>>;
    }
    resource incoming-request {
      method: func() -> method;
      path-with-query: func() -> option<string>;
      headers: func() -> fields;
      consume: func() -> result<incoming-body>;
    }
    resource outgoing-request {
      constructor(headers: fields);
      body: func() -> result<outgoing-body>;
      set-method: func(method: method) -> result;
      set-path-with-query: func(path-with-query: option<string>) -> result;
      set-scheme: func(scheme: option<scheme>) -> result;
      set-authority: func(authority: option<string>) -> result;
    }
    resource request-options;
    resource response-outparam { set: static func(param: response-outparam, response: result<outgoing-response, error-code>); }
    resource incoming-response { status: func() -> u16; consume: func() -> result<incoming-body>; }
    resource incoming-body { %stream: func() -> result<input-stream>; }
    resource outgoing-response {
      constructor(headers: fields);
      set-status-code: func(status-code: u16) -> result;
      body: func() -> result<outgoing-body>;
    }
    resource outgoing-body {
      write: func() -> result<output-stream>;
      finish: static func(this: outgoing-body, trailers: option<fields>) -> result<_, error-code>;
    }
    resource future-incoming-response {
      subscribe: func() -> pollable;
      get: func() -> option<result<result<incoming-response, error-code>>>;
    }
  }
  interface incoming-handler {
    use types.{incoming-request, response-outparam};
    handle: func(request: incoming-request, response-out: response-outparam);
  }
  interface outgoing-handler {
    use types.{outgoing-request, request-options, future-incoming-response, error-code};
    handle: func(request: outgoing-request, options: option<request-options>) -> result<future-incoming-response, error-code>;
  }
}
`;

const [, , action, ...rest] = process.argv;
if (action === 'parse') {
  const [text, output] = rest;
  writeFileSync(output, await tools.parse(readFileSync(text, 'utf8')));
} else {
  const [world, input, output] = rest;
  const witSource = readFileSync(join(here, 'wasi.wit'), 'utf8') + interfaces('0.2.0') + interfaces('0.2.3');
  const embedded = await tools.componentEmbed({ binary: readFileSync(input), witSource, world, stringEncoding: 'utf8' });
  writeFileSync(output, await tools.componentNew(embedded, []));
}
