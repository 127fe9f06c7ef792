-- functions_private.validate_ai_headers(headers) raises unless the option headers of a provider is an object of texts by names of headers.
-- Values are not shown, since they may be secrets.
create or replace function functions_private.validate_ai_headers(headers jsonb) returns void
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    wrong text;
begin
    if headers is null then
        return;
    elsif jsonb_typeof(headers) <> 'object' then
        raise exception 'option headers must be an object' using errcode = 'invalid_parameter_value',
            hint = 'For example: {"OpenAI-Organization": "org-1"}';
    end if;
    select h.key into wrong from jsonb_each(headers) h
    where h.key !~ '^[A-Za-z0-9!#$%&''*+.^_`|~-]{1,100}$' or jsonb_typeof(h.value) <> 'string' or h.value #>> '{}' ~ '[^\x20-\x7e]'
       or lower(h.key) in ('host', 'content-length', 'content-type', 'transfer-encoding', 'connection') limit 1;
    if wrong is not null then
        raise exception 'option headers: % can''t be set', to_json(left(wrong, 80)) using errcode = 'invalid_parameter_value',
            hint = 'A header has a name of HTTP and a text of printable ASCII characters; those that describe the message are not set here.';
    end if;
end
$$;
comment on function functions_private.validate_ai_headers(jsonb) is 'Raises unless the option headers of a provider can be sent.';
revoke all on function functions_private.validate_ai_headers(jsonb) from public;
