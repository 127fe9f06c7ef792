-- functions_private.url_target_source() -> the source of the functions that post a trigger's events to a URL
create or replace function functions_private.url_target_source() returns text
language sql immutable set search_path = pg_catalog, pg_temp as $sql$ select $js$
// Posts the events of a trigger to a URL. Made by functions.create_trigger (option url) and changed by it only.
const encoder = new TextEncoder();

async function sign(secret, id, timestamp, body) {
  const bytes = Uint8Array.from(atob(secret.slice('whsec_'.length)), (character) => character.charCodeAt(0));
  const key = await crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  const signature = new Uint8Array(await crypto.subtle.sign('HMAC', key, encoder.encode(`${id}.${timestamp}.${body}`)));
  return `v1,${btoa(String.fromCharCode(...signature))}`;
}

export async function handler(event) {
  // Whoever may call functions over HTTP must not have a message of their own signed.
  if (event.trigger !== 'database') return { statusCode: 404, body: { error: 'NOT_FOUND',
      message: 'This function runs for its trigger only.' } };
  const id = event.batch ? event.events[0].event_id : event.event_id;
  const body = JSON.stringify(event);
  const headers = new Headers(JSON.parse(env('HEADERS')));
  headers.set('content-type', 'application/json');
  headers.set('webhook-id', id);
  const secret = env('SECRET');
  if (secret) {
    const timestamp = Math.floor(Date.now() / 1000).toString();
    headers.set('webhook-timestamp', timestamp);
    headers.set('webhook-signature', await sign(secret, id, timestamp, body));
  }
  const response = await fetch(env('URL'), { method: 'POST', headers, body, redirect: 'manual' });
  const answer = (await response.text()).slice(0, 500);
  if (!response.ok) throw new Error(`${new URL(env('URL')).origin} answered ${response.status}: ${answer}`);
}
$js$ $sql$;
comment on function functions_private.url_target_source() is 'The source of the functions that post a trigger''s events to a URL.';
revoke all on function functions_private.url_target_source() from public;
