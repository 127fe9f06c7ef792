// The web's own classes, each checked inside the guest: a case is an expression whose JSON is expected.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { deploy, invoke } from "./host.mjs";

let evaluator;
before(async () => {
  evaluator = await deploy("export const handler = async ({ body }) => ({ value: await (0, eval)(body.code) })");
});

async function evaluate(code) {
  const bytes = new TextEncoder().encode(JSON.stringify({ code: `(async () => (${code}))()` }));
  const answer = await invoke(evaluator, {}, { bytes });
  return answer.failure ? `${answer.failure.name}: ${answer.failure.message}` : answer.json.value;
}

function cases(name, expectations) {
  describe(name, () => {
    for (const [code, expected] of expectations) {
      test(code, async () => {
        const actual = await evaluate(code);
        if (expected instanceof RegExp) assert.match(String(actual), expected);
        else assert.deepEqual(actual, expected);
      });
    }
  });
}

cases("Headers", [
  ["[...new Headers([['b', '1'], ['A', ' 2 '], ['set-cookie', 'x'], ['a', '3'], ['Set-Cookie', 'y']])]", [["a", "2, 3"], ["b", "1"], ["set-cookie", "x"], ["set-cookie", "y"]]],
  ["new Headers([['set-cookie', 'x'], ['set-cookie', 'y']]).getSetCookie()", ["x", "y"]],
  ["new Headers(new Map([['x', '1']])).get('X')", "1"],
  ["new Headers(new Headers({ a: '1' })).get('a')", "1"],
  ["(() => { const h = new Headers({ a: '1' }); h.append('a', '2'); h.set('A', '3'); h.append('b', '4'); h.delete('B'); return [h.get('a'), h.has('b'), h.get('zz')] })()", ["3", false, null]],
  ["new Headers({ 'a b': '1' })", /^TypeError: "a b" is not a header name/],
  ["new Headers({ a: '1\\n2' })", /^TypeError: The value of header "a"/],
  ["new Headers({ a: '\\u20ac' })", /^TypeError/],
  ["new Headers([['a']])", /^TypeError: Each header must be a pair/],
  ["new Headers(null)", /^TypeError/],
  ["[...new Headers({ b: '1', a: '2' }).keys()].join() + [...new Headers({ a: '2' }).values()].join()", "a,b2"],
  ["Object.prototype.toString.call(new Headers())", "[object Headers]"],
  ["Headers.name + Request.name + Response.name + Blob.name + URL.name + AbortSignal.name", "HeadersRequestResponseBlobURLAbortSignal"],
]);

cases("URL and URLSearchParams", [
  ["new URL('/x?a=1#h', 'http://EXAMPLE.com:80/y').href", "http://example.com/x?a=1#h"],
  ["new URL('zz')", /^TypeError: Invalid URL/],
  ["[URL.canParse('zz'), URL.parse('zz'), URL.parse('/a', 'http://h').href]", [false, null, "http://h/a"]],
  ["(() => { const u = new URL('http://h/?a=1&a=2'); u.searchParams.append('b', '3 4'); u.searchParams.delete('a', '1'); return u.href })()", "http://h/?a=2&b=3+4"],
  ["(() => { const u = new URL('http://h/?a=1'); const p = u.searchParams; u.search = '?c=9'; return [p.get('c'), p.get('a'), u.searchParams === p] })()", ["9", null, true]],
  ["(() => { const u = new URL('http://h/?a=1'); u.searchParams.delete('a'); return u.href })()", "http://h/"],
  ["(() => { const u = new URL('http://u:p@h:81/p'); u.port = '82'; u.pathname = '/q'; u.hash = 'x'; return [u.href, u.origin, u.username, JSON.stringify(u)] })()", ["http://u:p@h:82/q#x", "http://h:82", "u", '"http://u:p@h:82/q#x"']],
  ["new URLSearchParams({ a: '1', b: 'x y&z=ü*~' }).toString()", "a=1&b=x+y%26z%3D%C3%BC*%7E"],
  ["[...new URLSearchParams('?a=1&b=%C3%BC+x&c&=d&%zz=%ff')]", [["a", "1"], ["b", "ü x"], ["c", ""], ["", "d"], ["%zz", "\ufffd"]]],
  ["String(new URLSearchParams([['b', '1'], ['a', '2'], ['b', '3']])) + new URLSearchParams(new URLSearchParams('x=1')).size", "b=1&a=2&b=31"],
  ["(() => { const p = new URLSearchParams('b=1&a=2&b=3'); p.set('b', '9'); p.sort(); return [p.toString(), p.getAll('b'), p.has('a', '2'), p.has('a', '3')] })()", ["a=2&b=9", ["9"], true, false]],
  ["new URLSearchParams([['a']])", /^TypeError/],
  ["new URLSearchParams({ \"it's\": \"(!)\" }).toString()", "it%27s=%28%21%29"],
]);

cases("Request and Response", [
  ["new Response('x').headers.get('content-type')", "text/plain;charset=UTF-8"],
  ["new Response(new Uint8Array(1)).headers.get('content-type')", null],
  ["new Response(null, { status: 204 }).body", null],
  ["new Response('x', { status: 204 })", /^TypeError: A response with status 204/],
  ["new Response('x', { status: 99 })", /^RangeError/],
  ["Response.json({ a: 1 }, { status: 201, headers: { 'content-type': 'application/ld+json' } }).headers.get('content-type')", "application/ld+json"],
  ["Response.json(undefined)", /^TypeError/],
  ["(() => { const r = Response.redirect('http://h/x', 303); return [r.status, r.headers.get('location')] })()", [303, "http://h/x"]],
  ["Response.redirect('http://h', 200)", /^RangeError/],
  ["(() => { const r = Response.error(); return [r.type, r.status, r.ok] })()", ["error", 0, false]],
  ["(async () => { const r = new Response('x'); await r.text(); return [r.bodyUsed, await r.text().catch((e) => e.message)] })()", [true, "The body has already been read."]],
  ["(async () => { const r = new Response('x'); const c = r.clone(); return [await r.text(), await c.text()] })()", ["x", "x"]],
  ["(async () => { const r = new Response('x'); await r.text(); r.clone() })()", /^TypeError: A body that has been read/],
  ["(async () => { const r = new Response(new Blob(['ab']).stream()); const c = r.clone(); return [await r.text(), await c.text()] })()", ["ab", "ab"]],
  ["(async () => { const r = new Response('abc'); const reader = r.body.getReader(); const { value } = await reader.read(); return [[...value], (await reader.read()).done, r.bodyUsed] })()", [[97, 98, 99], true, true]],
  ["(async () => { const r = new Response('abc'); r.body.getReader(); return r.text() })()", /^TypeError: The body has already been read/],
  ["(async () => { const r = new Response('abc'); r.body; return [r.bodyUsed, await r.text()] })()", [false, "abc"]],
  ["new Response('not json').json()", /^SyntaxError/],
  ["new Response().text()", ""],
  ["(async () => [...new Uint8Array(await new Response('ü').arrayBuffer())])()", [195, 188]],
  ["(async () => (await new Response('\\ufeffx').bytes()).length)()", 4],
  ["(async () => { const b = await new Response('x', { headers: { 'content-type': 'a/b' } }).blob(); return [b.size, b.type] })()", [1, "a/b"]],
  ["new Request('/relative')", /^TypeError: "\/relative" is not an absolute URL/],
  ["new Request('http://h', { method: 'GET', body: 'x' })", /^TypeError: A GET request has no body/],
  ["new Request('http://h', { method: 'b d' })", /^TypeError/],
  ["(async () => { const a = new Request('http://h', { method: 'patch', body: 'x', headers: { k: 'v' } }); const b = new Request(a); return [b.method, b.headers.get('k'), await b.text(), a.bodyUsed] })()", ["patch", "v", "x", true]],
  ["(async () => { const a = new Request('http://h', { method: 'POST', body: 'x' }); const b = new Request('http://other/', a); return [b.url, b.method, await b.text()] })()", ["http://other/", "POST", "x"]],
  ["(async () => { const a = new Uint8Array([1]); const r = new Response(a); a[0] = 2; return [...await r.bytes()] })()", [1]],
  ["(async () => { const s = new ReadableStream({ start(c) { c.enqueue('text'); c.close() } }); return new Response(s).text() })()", /^TypeError: A body's stream must give Uint8Array/],
]);

cases("Forms and blobs", [
  ["(async () => { const f = new FormData(); f.append('a', '1'); f.append('f', new File(['x\\r\\ny'], 'n\"m.txt', { type: 'text/x' })); const r = new Response(f); const g = await r.formData(); const file = g.get('f'); return [g.get('a'), file.name, file.type, await file.text()] })()", ["1", 'n"m.txt', "text/x", "x\r\ny"]],
  ["(async () => { const bytes = Uint8Array.from({ length: 256 }, (_, i) => i); const f = new FormData(); f.append('f', new Blob([bytes])); const g = await new Response(f).formData(); return (await g.get('f').bytes()).every((b, i) => b === i) })()", true],
  ["(async () => (await new Response(new URLSearchParams({ a: 'x y' })).formData()).get('a'))()", "x y"],
  ["new Response('x').formData()", /^TypeError: formData\(\) needs a form's content type/],
  ["new Response('x', { headers: { 'content-type': 'multipart/form-data; boundary=b' } }).formData()", /^TypeError: The multipart body is malformed/],
  ["(async () => [...(await new Response('--b\\r\\ncontent-disposition: form-data; name=a\\r\\n\\r\\n\\r\\n--b--', { headers: { 'content-type': 'multipart/form-data; boundary=b' } }).formData())])()", [["a", ""]]],
  ["(() => { const f = new FormData(); f.append('a', 1); f.append('a', 2); f.append('b', 3); f.set('a', 9); f.delete('b'); return [...f] })()", [["a", "9"]]],
  ["(async () => { const b = new Blob(['ab', new Uint8Array([99]), new Blob(['d'])], { type: 'T/X' }); return [b.size, b.type, await b.text(), await b.slice(1, -1).text(), await new Response(b.stream()).text()] })()", [4, "t/x", "abcd", "bc", "abcd"]],
]);

cases("Events and aborting", [
  ["(() => { const t = new EventTarget(); const seen = []; const l = (e) => seen.push(e.type); t.addEventListener('a', l); t.addEventListener('a', l); t.addEventListener('a', { handleEvent: (e) => seen.push('o') }, { once: true }); t.dispatchEvent(new Event('a')); t.removeEventListener('a', l); t.dispatchEvent(new Event('a')); return seen })()", ["a", "o"]],
  ["(() => { const t = new EventTarget(); t.addEventListener('a', (e) => { e.preventDefault(); e.stopImmediatePropagation() }); t.addEventListener('a', () => { throw 1 }); return t.dispatchEvent(new CustomEvent('a', { cancelable: true, detail: 1 })) })()", false],
  ["(() => { const c = new AbortController(); let n = 0; c.signal.onabort = () => n++; c.abort('r'); c.abort('s'); return [c.signal.aborted, c.signal.reason, n] })()", [true, "r", 1]],
  ["AbortSignal.abort().throwIfAborted()", /^AbortError/],
  ["new AbortSignal()", /^TypeError: Illegal constructor/],
  ["AbortSignal.any([AbortSignal.abort('x')]).reason", "x"],
]);

cases("Timers, clock and the rest", [
  ["(async () => { const order = []; const wait = (ms) => new Promise((r) => setTimeout((x) => { order.push(x); r() }, ms, ms)); await Promise.all([wait(30), wait(10), wait(20)]); return order })()", [10, 20, 30]],
  ["(async () => { let n = 0; await new Promise((r) => { const id = setInterval(() => { if (++n === 3) { clearInterval(id); r() } }, 5) }); return n })()", 3],
  ["(async () => { let fired = false; const id = setTimeout(() => { fired = true }, 1); clearTimeout(id); clearTimeout(id); await new Promise((r) => setTimeout(r, 5)); return fired })()", false],
  ["setTimeout('code', 1)", /^TypeError: setTimeout needs a function/],
  ["[performance.now(), performance.timeOrigin]", [12.5, 1800000000000]],
  ["[typeof self, self === globalThis, navigator.userAgent]", ["object", true, "Functions.PgSidecar"]],
  ["atob(btoa('hello'))", "hello"],
  ["crypto.randomUUID()", /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/],
  ["structuredClone(new Map([['a', { b: [1] }]])).get('a')", { b: [1] }],
  ["[typeof WebSocket, typeof Intl, typeof process, typeof require, typeof __pgfn_host]", ["undefined", "undefined", "undefined", "undefined", "undefined"]],
  ["(async () => { const { readable, writable } = new TransformStream({ transform(c, k) { k.enqueue(c * 2) } }); const w = writable.getWriter(); w.write(21); w.close(); const out = []; for await (const x of readable) out.push(x); return out })()", [42]],
  ["(async () => { const s = new Response('aüb').body.pipeThrough(new TextDecoderStream()).pipeThrough(new TextEncoderStream()); return new Response(s).text() })()", "aüb"],
]);
